"""Tokens for a password, where no identity provider gives them."""

from uuid import UUID

from allauth.account.adapter import get_adapter
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from ninja import Router

from accounts import jwts
from accounts.backends import AccountBackend
from accounts.jwts import InvalidToken
from accounts.models import User
from conversations.api.answers import json_response
from conversations.api.documents import errors
from conversations.api.problems import Problem
from conversations.api.schemas import RefreshIn, TokenIn, TokenOut

router = Router(tags=["tokens"])


@router.post(
    "/token", auth=None, response={200: TokenOut} | errors(401, 404, 422, 429, 503), summary="Get tokens for a password"
)
def get_token(request: HttpRequest, body: TokenIn) -> HttpResponse:
    """Sign in with e-mail and password, within the limits of the page's sign-in.

    404 where tokens come from an identity provider.
    """
    if not jwts.issues():
        raise Http404
    if "\0" in body.email or "\0" in body.password:
        raise Problem("wrong_credentials")
    try:
        user = get_adapter(request).authenticate(request, email=body.email, password=body.password)
    except ValidationError as error:
        raise Problem("too_many_attempts") from error
    if user is None or not user.is_active:
        raise Problem("wrong_credentials")
    return tokens(user)


@router.post("/token/refresh", auth=None, response={200: TokenOut} | errors(401, 404, 422, 503), summary="Renew tokens")
def refresh_token(request: HttpRequest, body: RefreshIn) -> HttpResponse:
    """Get new tokens; a changed password ends the old ones."""
    if not jwts.issues():
        raise Http404
    claims = jwts.claims_of(body.refresh_token, use=jwts.REFRESH)
    try:
        user = AccountBackend().get_user(UUID(claims["sub"]))
    except ValueError:
        user = None
    if user is None or not jwts.fits_password(claims, user):
        raise InvalidToken("The token stands for nobody who may sign in here.")
    return tokens(user)


def tokens(user: User) -> HttpResponse:
    """A fresh pair."""
    return json_response(
        {
            "access_token": jwts.issue(user),
            "refresh_token": jwts.issue(user, use=jwts.REFRESH),
            "token_type": "Bearer",
            "expires_in": int(jwts.ACCESS_LIFETIME.total_seconds()),
            "user_id": user.pk,
        }
    )
