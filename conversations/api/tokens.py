"""Tokens for a password, unless an identity provider issues tokens."""

from allauth.account.adapter import get_adapter
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from ninja import Router

from accounts import addresses, jwts, refresh_tokens
from accounts.models import User
from chatbot.web.api import errors, json_response
from chatbot.web.problems import Problem
from conversations.api.schemas import RefreshIn, TokenIn, TokenOut

router = Router(tags=["tokens"])


@router.post(
    "/token",
    auth=None,
    response={200: TokenOut} | errors(401, 403, 404, 422, 429, 503),
    summary="Get tokens for a password",
)
def get_token(request: HttpRequest, body: TokenIn) -> HttpResponse:
    """Sign in with e-mail and password. Wrong attempts are limited, apart from those on the page.

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
    if addresses.has_to_verify(user):
        raise Problem("email_not_verified")
    return answer(user, refresh_tokens.begin(user, agent=request.headers.get("User-Agent", "")))


@router.post("/token/refresh", auth=None, response={200: TokenOut} | errors(401, 404, 422, 503), summary="Renew tokens")
def refresh_token(request: HttpRequest, body: RefreshIn) -> HttpResponse:
    """Get new tokens. A refresh token is valid once: the response has the next one.

    A refresh token that is used twice ends its sign-in; so do a changed password or address, and “Sign out everywhere”.
    """
    if not jwts.issues():
        raise Http404
    return answer(*refresh_tokens.renew(body.refresh_token))


def answer(user: User, pair: dict[str, str]) -> HttpResponse:
    """The response with a new pair of tokens."""
    lifetime = int(jwts.ACCESS_LIFETIME.total_seconds())
    return json_response({**pair, "token_type": "Bearer", "expires_in": lifetime, "user_id": user.pk})
