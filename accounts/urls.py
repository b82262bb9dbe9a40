"""Addresses of the account's own pages."""

from django.urls import path

from accounts.views import AccessTokenRevokeView, AccessTokensView

urlpatterns = [
    path("tokens/", AccessTokensView.as_view(), name="access-tokens"),
    path("tokens/<uuid:pk>/revoke/", AccessTokenRevokeView.as_view(), name="access-token-revoke"),
]
