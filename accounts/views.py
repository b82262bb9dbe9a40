"""Pages of a person's account that allauth does not have."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache

from accounts import access_tokens
from accounts.forms import AccessTokenForm
from accounts.models import AccessToken, User


class AccountRequest(HttpRequest):
    """A request of somebody who has signed in."""

    user: User


@method_decorator(never_cache, name="dispatch")
class AccessTokensView(View):
    """The person's access tokens."""

    def get(self, request: AccountRequest) -> HttpResponse:
        """List them, with a form for one more."""
        return page(request, AccessTokenForm())

    def post(self, request: AccountRequest) -> HttpResponse:
        """Make one, and show it: this once."""
        form = AccessTokenForm(request.POST)
        if not form.is_valid():
            return page(request, form, status=422)
        if AccessToken.objects.owned_by(request.user).count() >= access_tokens.TOKENS_MAX:
            form.add_error(None, f"You have {access_tokens.TOKENS_MAX} tokens, which is the most. Revoke one first.")
            return page(request, form, status=422)
        token, text = access_tokens.make(
            request.user,
            name=form.cleaned_data["name"],
            is_read_only=form.cleaned_data["is_read_only"],
            expires_at=form.expires_at(),
        )
        return page(request, AccessTokenForm(), made=token, text=text)


class AccessTokenRevokeView(View):
    """The end of a token."""

    def post(self, request: AccountRequest, pk: UUID) -> HttpResponse:
        """Revoke it."""
        token = get_object_or_404(AccessToken.objects.owned_by(request.user), pk=pk)
        access_tokens.revoke(token)
        messages.info(request, f"“{token.name}” opens nothing any more.")
        return redirect("access-tokens")


def page(
    request: AccountRequest,
    form: AccessTokenForm,
    *,
    made: AccessToken | None = None,
    text: str = "",
    status: int = 200,
) -> HttpResponse:
    """The page; `text` is the token that was just `made`."""
    tokens = AccessToken.objects.owned_by(request.user).newest_first()
    context = {"form": form, "tokens": tokens, "made": made, "text": text}
    return render(request, "account/tokens.html", context, status=status)
