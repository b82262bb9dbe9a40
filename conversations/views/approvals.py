"""Views on tool calls that wait for their person: what waits, and decisions."""

from uuid import UUID

from django.core.exceptions import BadRequest
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views import View

from accounts.requests import PersonRequest, next_url
from chatbot.web import shell
from conversations.actions import approvals
from conversations.actions.approvals import AlreadyDecided
from conversations.models import ToolCall
from conversations.pages.approvals import waiting_context
from conversations.pages.chat import message_context
from conversations.views.answers import refuse
from conversations.views.requests import audience, find_reply

DECISIONS = {"approve": (True, False), "decline": (False, False), "always": (True, True)}
"""Value in the form -> whether to approve, and whether always in this chat."""


class ApprovalsView(View):
    """All tool calls that wait for the person."""

    def get(self, request: PersonRequest) -> HttpResponse:
        """Show them, the longest waiting first."""
        return shell.page(request, "conversations/approvals.html", waiting_context(request.user))


class ToolCallDecideView(View):
    """A decision on one tool call."""

    def post(self, request: PersonRequest, pk: UUID) -> HttpResponse:
        """Approve or decline the call; the reply goes on when nothing of it waits any more."""
        owned = ToolCall.objects.owned_by(request.user).exclude(message=None)
        call = get_object_or_404(owned, pk=pk)
        approve, always = decision(request)
        try:
            approvals.decide(call, approve=approve, always=always, audience=audience(request))
        except AlreadyDecided as error:
            return decided(request, call.message_id, error)
        return decided(request, call.message_id)


class MessageDecideView(View):
    """A decision on all tool calls of a reply that wait."""

    def post(self, request: PersonRequest, pk: UUID) -> HttpResponse:
        """Approve or decline them together."""
        message = find_reply(request, pk)
        approve, _ = decision(request)
        try:
            approvals.decide_together(message, approve=approve, audience=audience(request))
        except AlreadyDecided as error:
            return decided(request, pk, error)
        return decided(request, pk)


def decision(request: PersonRequest) -> tuple[bool, bool]:
    """Whether to approve, and whether always. Raises `BadRequest` for a form without a decision."""
    try:
        return DECISIONS[request.POST.get("decision", "")]
    except KeyError:
        raise BadRequest("This is not a decision.") from None


def decided(request: PersonRequest, message_id: UUID | None, error: AlreadyDecided | None = None) -> HttpResponse:
    """The response to a decision: the reply as it stands, and why the decision did not count."""
    if message_id is None:
        raise BadRequest("This call belongs to no message.")
    message = find_reply(request, message_id)
    if request.htmx:
        context = message_context(message) | {"notice": str(error) if error else ""}
        return render(request, "conversations/messages/_decided.html", context)
    if error:
        return refuse(request, str(error), error.http_status, message.conversation)
    return redirect(next_url(request) if request.POST.get("next") else message.conversation)
