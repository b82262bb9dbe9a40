"""URLs of the account's own pages, and of allauth's pages with more context."""

from allauth.account.views import LoginView
from django.conf import settings
from django.urls import path

from accounts import mail, views

urlpatterns = [
    # Templates call functions in their context.
    path(
        "login/",
        LoginView.as_view(
            extra_context={
                "takes_new_people": lambda: settings.SIGNUP_OPEN,
                "can_send_mail": mail.works,
            }
        ),
        name="account_login",
    ),
    path("email/", views.AddressView.as_view(), name="account_email"),
    path("sign-ins/", views.SignInsView.as_view(), name="sign-ins"),
    path("sign-ins/end/", views.SignOutEverywhereView.as_view(), name="sign-out-everywhere"),
    path("sign-ins/again/", views.SignInAgainView.as_view(), name="sign-in-again"),
    path("sign-ins/browsers/<str:key>/end/", views.BrowserEndView.as_view(), name="browser-end"),
    path("sign-ins/programs/<uuid:pk>/end/", views.ProgramEndView.as_view(), name="program-end"),
    path("tokens/", views.AccessTokensView.as_view(), name="access-tokens"),
    path("tokens/<uuid:pk>/revoke/", views.AccessTokenRevokeView.as_view(), name="access-token-revoke"),
]
