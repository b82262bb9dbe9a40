"""Pages of a person's account that allauth does not have."""

from typing import Any
from uuid import UUID

from allauth.account.decorators import reauthentication_required
from allauth.account.utils import passthrough_next_redirect_url
from allauth.account.views import EmailView
from django.contrib import messages
from django.contrib.auth import logout
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache

from accounts import access_tokens, addresses, sign_ins
from accounts.forms import AccessTokenForm
from accounts.models import AccessToken, User


class AccountRequest(HttpRequest):
    """A request of somebody who has signed in."""

    user: User


class AddressView(EmailView):  # type: ignore[misc] # allauth has no types
    """The person's e-mail address, and another one that is to take its place."""

    def post(self, request: AccountRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Send a link, take a new address down, or forget it. None becomes the account's before a link was followed."""
        if "action_primary" in request.POST:
            return redirect("account_email")
        response: HttpResponse = super().post(request, *args, **kwargs)
        return response


@method_decorator(never_cache, name="dispatch")
@method_decorator(reauthentication_required(app="accounts", allow_get=True), name="dispatch")
class AccessTokensView(View):
    """The person's access tokens."""

    def get(self, request: AccountRequest) -> HttpResponse:
        """List them, with a form for one more."""
        return page(request, AccessTokenForm())

    def post(self, request: AccountRequest) -> HttpResponse:
        """Make one, and show it: this once."""
        form = AccessTokenForm(request.POST)
        if addresses.has_to_verify(request.user):
            return page(request, form, status=403)
        if not form.is_valid():
            return page(request, form, status=422)
        if AccessToken.objects.owned_by(request.user).count() >= access_tokens.TOKENS_MAX:
            form.add_error(None, f"You have {access_tokens.TOKENS_MAX} tokens, which is the maximum. Revoke one first.")
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
        messages.info(request, f"“{token.name}” was revoked.")
        return redirect("sign-ins" if "from-sign-ins" in request.POST else "access-tokens")


@method_decorator(never_cache, name="dispatch")
class SignInsView(View):
    """Where the person is signed in."""

    def get(self, request: AccountRequest) -> HttpResponse:
        """List browsers, programs and tokens."""
        context = {
            "browsers": sign_ins.browsers(request.user, request.session.session_key),
            "programs": sign_ins.programs(request.user),
            "tokens": sign_ins.tokens(request.user),
        }
        return render(request, "account/sign_ins.html", context)


class BrowserEndView(View):
    """The end of a session."""

    def post(self, request: AccountRequest, key: str) -> HttpResponse:
        """Sign out there."""
        if not sign_ins.end_browser(request.user, key):
            raise Http404
        messages.info(request, "The browser was signed out.")
        return redirect("sign-ins")


class ProgramEndView(View):
    """The end of what a program got for a password."""

    def post(self, request: AccountRequest, pk: UUID) -> HttpResponse:
        """End it."""
        if not sign_ins.end_program(request.user, pk):
            raise Http404
        messages.info(request, "The program was signed out.")
        return redirect("sign-ins")


class SignOutEverywhereView(View):
    """The end of all of it."""

    def post(self, request: AccountRequest) -> HttpResponse:
        """Sign out everywhere, here too."""
        sign_ins.end_all(request.user)
        logout(request)
        messages.info(request, "You are signed out everywhere, and your access tokens no longer work.")
        return redirect("account_login")


@method_decorator(never_cache, name="dispatch")
class SignInAgainView(View):
    """For a person without a password, who has to show again that it is them."""

    def get(self, request: AccountRequest) -> HttpResponse:
        """Explain it."""
        return render(request, "account/sign_in_again.html", {"next": request.GET.get("next", "")})

    def post(self, request: AccountRequest) -> HttpResponse:
        """Sign out here, and ask to sign in."""
        logout(request)
        return redirect(passthrough_next_redirect_url(request, reverse("account_login"), "next"))


def page(
    request: AccountRequest,
    form: AccessTokenForm,
    *,
    made: AccessToken | None = None,
    text: str = "",
    status: int = 200,
) -> HttpResponse:
    """The page; `text` is the token that was just `made`."""
    context = {
        "form": form,
        "tokens": sign_ins.tokens(request.user),
        "made": made,
        "text": text,
        "has_to_verify": addresses.has_to_verify(request.user),
    }
    return render(request, "account/tokens.html", context, status=status)
