"""Pages that are of no use without mail: they say so, where none is sent or too many wait."""

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
"""Names of pages that do nothing else."""
SENDS_MAIL = ONLY_BY_MAIL | {"account_signup", "account_email"}
"""Names of pages whose forms send mail, perhaps. Whether one does would tell who has an account, so none is asked."""


class MailMiddleware:
    """Answers instead of a page that cannot do its work."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer the request."""
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *view: Any) -> HttpResponse | None:
        """Say that there is no mail, or not now."""
        name = request.resolver_match.view_name if request.resolver_match else ""
        needs_mail = name in ONLY_BY_MAIL or (name == "account_email" and "action_send" in request.POST)
        if needs_mail and not mail.works():
            return render(request, "account/no_mail.html", status=404)
        if name in SENDS_MAIL and request.method == "POST" and outbox().is_full:
            response = render(request, "account/mail_waits.html", status=503)
            response["Retry-After"] = str(RETRY_SECONDS)
            return response
        return None
