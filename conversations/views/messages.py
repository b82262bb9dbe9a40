"""Views on one message: stream, stop, retry, continue, source text."""

import re
from functools import partial
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.core.exceptions import BadRequest
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import get_script_prefix, set_script_prefix
from django.utils import timezone
from django.views import View

from accounts.requests import PersonRequest
from accounts.sessions import is_signed_in
from chatbot.core.errors import UserFacingError
from chatbot.web import shell
from conversations.actions import turns
from conversations.models import Message
from conversations.pages.chat import message_context
from conversations.pages.dressing import more
from conversations.replies import dispatch, reply_rows, streams
from conversations.views.answers import refuse
from conversations.views.branches import new_branch
from conversations.views.requests import audience, find_reply


class MessageStreamView(View):
    """Streams a reply while it is made."""

    def get(self, request: PersonRequest, pk: UUID) -> HttpResponseBase:
        """Stream the reply as server-sent events; makes it if no process does."""
        if not reply_rows.is_owned(request.user, pk):
            raise Http404
        if streams.has_too_many(request.user.pk):
            # The page repeats its request later; the reply need not wait for that.
            dispatch.start(pk)
            sentence = "You have too many replies open at once."
            return HttpResponse(sentence, "text/plain", HTTPStatus.TOO_MANY_REQUESTS, headers={"Retry-After": "5"})

        zone, prefix = timezone.get_current_timezone(), get_script_prefix()

        def end() -> str:
            message = reply_rows.find(request.user, pk)
            context = message_context(message) | changed(request, message) if message else {"message": None}
            # This runs in another thread, which knows neither the site's path nor the reader's time zone.
            set_script_prefix(prefix)
            with timezone.override(zone):
                return render_to_string("conversations/messages/_end.html", context, request)

        return streams.response(pk, user_id=request.user.pk, end=end, is_welcome=partial(is_signed_in, request))


class MessageStopView(View):
    """Stops a reply at a person's request."""

    def post(self, request: PersonRequest, pk: UUID) -> HttpResponse:
        """Stop the reply and keep its text so far."""
        message = find_reply(request, pk)
        turns.stop(message)
        return HttpResponse(status=204) if request.htmx else redirect(message.conversation)


class MessageMarkdownView(View):
    """The text of a message as it was written: the source of the formatted text."""

    def get(self, request: PersonRequest, pk: UUID) -> HttpResponse:
        """Respond with the source, for copying."""
        message = get_object_or_404(Message.objects.owned_by(request.user), pk=pk)
        return HttpResponse(
            message.content,
            content_type="text/markdown; charset=utf-8",
            headers={"Cache-Control": "private, no-store", "Content-Disposition": "inline"},
        )


class MessagePartView(View):
    """The part of a long message that its page does not show formatted."""

    def get(self, request: PersonRequest, pk: UUID) -> HttpResponse:
        """Show as much of it as one request may format, from the offset in the address."""
        message = get_object_or_404(Message.objects.owned_by(request.user).select_related("conversation"), pk=pk)
        begin = request.GET.get("from", "")
        if not re.fullmatch("[0-9]{1,7}", begin):
            raise BadRequest("This is not a position in a message.")
        context = {"message": message, "part": more(message, int(begin))}
        template = "conversations/messages/_part.html" if request.htmx else "conversations/part.html"
        return render(request, template, context)


class MessageRetryView(View):
    """Makes a failed or stopped reply again."""

    def post(self, request: PersonRequest, pk: UUID) -> HttpResponse:
        """Make the reply again, in its place or beside it."""
        message = find_reply(request, pk)
        try:
            answer = turns.retry(message, audience=audience(request))
        except UserFacingError as error:
            return refuse(request, str(error), error.http_status, message.conversation)
        if answer == message:
            return begun(request, pk)
        response = new_branch(request, answer)
        # The page expected the reply in its old place.
        response["HX-Retarget"], response["HX-Reswap"] = "#messages", "innerHTML"
        return response


class MessageContinueView(View):
    """Continues a reply that ended too early."""

    def post(self, request: PersonRequest, pk: UUID) -> HttpResponse:
        """Continue the reply where its text ended."""
        message = find_reply(request, pk)
        try:
            turns.resume(message, audience=audience(request))
        except UserFacingError as error:
            return refuse(request, str(error), error.http_status, message.conversation)
        return begun(request, pk)


def changed(request: PersonRequest, message: Message) -> dict[str, Any]:
    """Context of the sidebar's counts, which the tools of a reply may have changed. Causes queries for one that has
    called tools."""
    return {"places": shell.places(request)} if message.generation.rounds else {}


def begun(request: PersonRequest, pk: UUID) -> HttpResponse:
    """The response to a request for a reply that is already in its place."""
    message = find_reply(request, pk)
    if not request.htmx:
        return redirect(message.conversation)
    return render(request, "conversations/messages/_end.html", message_context(message))
