"""Addresses of the account's own pages, and of allauth's where they say more here."""

from allauth.account.views import LoginView
from django.conf import settings
from django.urls import path

from accounts.views import AccessTokenRevokeView, AccessTokensView

urlpatterns = [
    # Templates call what can be called.
    path(
        "login/",
        LoginView.as_view(extra_context={"takes_new_people": lambda: settings.SIGNUP_OPEN}),
        name="account_login",
    ),
    path("tokens/", AccessTokensView.as_view(), name="access-tokens"),
    path("tokens/<uuid:pk>/revoke/", AccessTokenRevokeView.as_view(), name="access-token-revoke"),
]
