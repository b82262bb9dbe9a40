"""Pages that need mail: they say so when none can be sent or too many are waiting."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render

from accounts import mail
from accounts.outbox import outbox

RETRY_SECONDS = 120

ONLY_BY_MAIL = frozenset(
    {
        "account_reset_password",
        "account_reset_password_done",
        "account_request_login_code",
        "account_email_verification_sent",
    }
)
"""Names of pages that have no use without mail."""
SENDS_MAIL = ONLY_BY_MAIL | {"account_signup", "account_email"}
"""Names of pages whose forms may send mail; all of them are refused, or one would reveal who has an account."""


class MailMiddleware:
    """Answers in place of a page that needs mail when no mail can be sent."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Pass the request on to the view."""
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *view: Any) -> HttpResponse | None:
        """The page that says that mail is not available, or None."""
        name = request.resolver_match.view_name if request.resolver_match else ""
        needs_mail = name in ONLY_BY_MAIL or (name == "account_email" and "action_send" in request.POST)
        if needs_mail and not mail.works():
            return render(request, "account/no_mail.html", status=404)
        if name in SENDS_MAIL and request.method == "POST" and outbox().is_full:
            response = render(request, "account/mail_waits.html", status=503)
            response["Retry-After"] = str(RETRY_SECONDS)
            return response
        return None
