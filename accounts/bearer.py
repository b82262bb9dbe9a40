"""Authentication of the API: a bearer token and nothing else; cookies of browsers are ignored."""

from django.http import HttpRequest
from ninja.security import HttpBearer

from accounts import callers
from accounts.callers import Caller
from accounts.jwts import InvalidToken
from chatbot.telemetry import origin
from chatbot.web.problems import Problem

READING = frozenset({"GET", "HEAD"})


class ApiRequest(HttpRequest):
    """A request authenticated by a token."""

    auth: Caller


class BearerToken(HttpBearer):
    """Authenticates a JSON Web Token or a personal access token."""

    def __call__(self, request: HttpRequest) -> Caller | None:
        """The caller; None without a token. Raises what `authenticate` raises."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        return self.authenticate(request, token.strip()) if scheme.lower() == "bearer" else None

    def authenticate(self, request: HttpRequest, token: str) -> Caller:
        """The caller, if the token is valid for this address and method. Raises `InvalidToken`, `Problem`."""
        caller = callers.identify(token)
        request.rate = caller.rate  # type: ignore[attr-defined] # for the answer's headers, whatever it is
        if caller.rate.is_over:
            raise Problem("too_many_requests", headers={"Retry-After": str(caller.rate.reset)})
        origin.add(user_id=str(caller.user.pk))
        named = request.resolver_match.kwargs.get("user_id") if request.resolver_match else None
        if named is not None and not caller.is_called(named):
            raise InvalidToken("The token belongs to another user than the address.")
        if caller.is_read_only and request.method not in READING:
            raise Problem("read_only_token")
        return caller
