"""What is done to a reply."""

from uuid import UUID

from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils import timezone
from django.views import View

from conversations import replies, streams, turns
from conversations.errors import UserFacingError
from conversations.models import Message, Role
from conversations.pages.chat import message_context
from conversations.views.answers import refuse
from conversations.views.requests import ChatRequest, find_reply


class MessageStreamView(View):
    """A reply while it is made."""

    def get(self, request: ChatRequest, pk: UUID) -> HttpResponseBase:
        """Stream it as server-sent events, making it if nobody does."""
        owned = Message.objects.owned_by(request.user).filter(pk=pk, role=Role.ASSISTANT)
        if not owned.exists():
            raise Http404

        zone = timezone.get_current_timezone()

        def end() -> str:
            message = owned.select_related("conversation", "generation").with_alternatives().first()
            context = message_context(message) if message else {"message": None}
            # By now the middleware has left the reader's time zone.
            with timezone.override(zone):
                return render_to_string("conversations/_end.html", context, request)

        return streams.response(pk, end=end)


class MessageStopView(View):
    """The end of a reply at a person's wish."""

    def post(self, request: ChatRequest, pk: UUID) -> HttpResponse:
        """Stop it and keep what came."""
        message = find_reply(request, pk)
        turns.stop(message)
        replies.stop(message.pk)
        return HttpResponse(status=204) if request.htmx else redirect(message.conversation)


class MessageRetryView(View):
    """Another try at a reply that failed."""

    def post(self, request: ChatRequest, pk: UUID) -> HttpResponse:
        """Make it again."""
        message = find_reply(request, pk)
        try:
            turns.retry(message)
        except UserFacingError as error:
            return refuse(request, str(error), error.http_status, message.conversation)
        if not request.htmx:
            replies.start(message.pk)
            return redirect(message.conversation)
        replies.expect(message.pk)
        message = find_reply(request, pk)
        return render(request, "conversations/_end.html", message_context(message))
