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
    """A request of a signed-in person."""

    user: User


class AddressView(EmailView):  # type: ignore[misc] # allauth has no types
    """The person's e-mail address, and one that is to replace it."""

    def post(self, request: AccountRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Send a link, store a new address, or remove it; an address is used only after its link was followed."""
        if "action_primary" in request.POST:
            return redirect("account_email")
        response: HttpResponse = super().post(request, *args, **kwargs)
        return response


@method_decorator(never_cache, name="dispatch")
@method_decorator(reauthentication_required(app="accounts", allow_get=True), name="dispatch")
class AccessTokensView(View):
    """The list of the person's access tokens."""

    def get(self, request: AccountRequest) -> HttpResponse:
        """List the tokens, with a form for a new one."""
        return page(request, AccessTokenForm())

    def post(self, request: AccountRequest) -> HttpResponse:
        """Create a token, and show its text once."""
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
    """Revokes one of the person's tokens."""

    def post(self, request: AccountRequest, pk: UUID) -> HttpResponse:
        """Revoke the token and return to the list."""
        token = get_object_or_404(AccessToken.objects.owned_by(request.user), pk=pk)
        access_tokens.revoke(token)
        messages.info(request, f"“{token.name}” was revoked.")
        return redirect("sign-ins" if "from-sign-ins" in request.POST else "access-tokens")


@method_decorator(never_cache, name="dispatch")
class SignInsView(View):
    """The list of the person's sign-ins."""

    def get(self, request: AccountRequest) -> HttpResponse:
        """List browsers, programs and tokens."""
        context = {
            "browsers": sign_ins.browsers(request.user, request.session.session_key),
            "programs": sign_ins.programs(request.user),
            "tokens": sign_ins.tokens(request.user),
        }
        return render(request, "account/sign_ins.html", context)


class BrowserEndView(View):
    """Ends a session of the person."""

    def post(self, request: AccountRequest, key: str) -> HttpResponse:
        """Sign the person out in that browser."""
        if not sign_ins.end_browser(request.user, key):
            raise Http404
        messages.info(request, "The browser was signed out.")
        return redirect("sign-ins")


class ProgramEndView(View):
    """Ends the tokens of a program that signed in with the password."""

    def post(self, request: AccountRequest, pk: UUID) -> HttpResponse:
        """End the program's tokens, so that it must sign in again."""
        if not sign_ins.end_program(request.user, pk):
            raise Http404
        messages.info(request, "The program was signed out.")
        return redirect("sign-ins")


class SignOutEverywhereView(View):
    """Signs the person out everywhere."""

    def post(self, request: AccountRequest) -> HttpResponse:
        """Sign out everywhere, including this browser."""
        sign_ins.end_all(request.user)
        logout(request)
        messages.info(request, "You are signed out everywhere, and your access tokens no longer work.")
        return redirect("account_login")


@method_decorator(never_cache, name="dispatch")
class SignInAgainView(View):
    """Confirmation of identity for a person without a password."""

    def get(self, request: AccountRequest) -> HttpResponse:
        """Explain why the person must sign in again."""
        return render(request, "account/sign_in_again.html", {"next": request.GET.get("next", "")})

    def post(self, request: AccountRequest) -> HttpResponse:
        """Sign out in this browser, and show the sign-in page."""
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
    """The page of tokens; `text` is that of the token that was just `made`."""
    context = {
        "form": form,
        "tokens": sign_ins.tokens(request.user),
        "made": made,
        "text": text,
        "has_to_verify": addresses.has_to_verify(request.user),
    }
    return render(request, "account/tokens.html", context, status=status)
