"""The chat page and what can be done on it. Every view finds, acts, and answers."""

from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.views import View
from django_htmx.http import push_url, reswap, retarget
from django_htmx.middleware import HtmxDetails
from uuid_utils.compat import uuid7

from accounts.models import User
from chatbot.preferences import CHOICES
from conversations import pages, replies, streams, turns
from conversations.errors import UserFacingError
from conversations.forms import NOT_TEXT, RenameForm, TurnForm, is_utf8
from conversations.models import Conversation, Cursor, Message, Role

PREFERENCE_AGE = 365 * 24 * 60 * 60
"""Seconds for which a browser remembers a preference."""


class ChatRequest(HttpRequest):
    """A request of somebody who has signed in."""

    htmx: HtmxDetails
    user: User


class ConversationNewView(View):
    """The page of a new chat. Its first message makes the conversation."""

    def get(self, request: ChatRequest) -> HttpResponse:
        """Show the empty page, or one more part of the list of conversations."""
        if "conversations" in request.GET and request.htmx:
            listed = pages.conversation_list(request.user, cursor(request, "conversations"))
            return render(request, "conversations/_conversations.html", listed)
        return chat_page(request)

    def post(self, request: ChatRequest) -> HttpResponse:
        """Begin a conversation."""
        return send(request)


class ConversationDetailView(View):
    """A conversation's page."""

    def get(self, request: ChatRequest, pk: UUID) -> HttpResponse:
        """Show the newest messages, or the ones before a cursor."""
        conversation = find_conversation(request, pk)
        before = cursor(request, "before")
        if before and request.htmx:
            context = pages.message_page(conversation, before) | {"conversation": conversation}
            return render(request, "conversations/_messages.html", context)
        return chat_page(request, conversation, before=before)

    def post(self, request: ChatRequest, pk: UUID) -> HttpResponse:
        """Say something more."""
        return send(request, find_conversation(request, pk))


class ConversationRenameView(View):
    """A conversation's title."""

    def post(self, request: ChatRequest, pk: UUID) -> HttpResponse:
        """Change it."""
        conversation = find_conversation(request, pk)
        form = RenameForm(request.POST)
        if not form.is_valid() or not is_utf8(request):
            return refuse(request, "A title has 1 to 255 characters.", 422, conversation)
        try:
            turns.rename(conversation, title=form.cleaned_data["title"])
        except turns.ConversationGone as error:
            raise Http404 from error
        return redirect(conversation)


class ConversationDeleteView(View):
    """A conversation's end."""

    def post(self, request: ChatRequest, pk: UUID) -> HttpResponse:
        """Delete it with all that was said."""
        turns.delete(find_conversation(request, pk))
        return redirect("conversation-new")


class MessageStreamView(View):
    """A reply while it is made."""

    def get(self, request: ChatRequest, pk: UUID) -> HttpResponseBase:
        """Stream it as server-sent events, making it if nobody does."""
        owned = Message.objects.owned_by(request.user).filter(pk=pk, role=Role.ASSISTANT)
        if not owned.exists():
            raise Http404

        zone = timezone.get_current_timezone()

        def end() -> str:
            message = owned.select_related("conversation", "generation").first()
            context = pages.message_context(message) if message else {"message": None}
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
        return render(request, "conversations/_end.html", pages.message_context(message))


@method_decorator(login_not_required, name="dispatch")
class PreferencesView(View):
    """How the page looks, kept in cookies."""

    def post(self, request: ChatRequest) -> HttpResponse:
        """Remember the preferences that the form names."""
        next_url = request.POST.get("next", "")
        safe = url_has_allowed_host_and_scheme(next_url, {request.get_host()}, require_https=request.is_secure())
        here = next_url if safe else reverse("conversation-new")
        response = HttpResponse(status=204) if request.htmx else HttpResponseRedirect(here)
        for name, values in CHOICES.items():
            if (value := request.POST.get(name)) in values:
                response.set_cookie(name, value, max_age=PREFERENCE_AGE, samesite="Lax", secure=request.is_secure())
        return response


def find_conversation(request: ChatRequest, pk: UUID) -> Conversation:
    """The person's own conversation. Raises `Http404` for any other."""
    return get_object_or_404(Conversation.objects.owned_by(request.user), pk=pk)


def find_reply(request: ChatRequest, pk: UUID) -> Message:
    """The person's own assistant message, with its generation. Raises `Http404` for any other."""
    owned = Message.objects.owned_by(request.user).filter(role=Role.ASSISTANT)
    return get_object_or_404(owned.select_related("conversation", "generation", "user"), pk=pk)


def cursor(request: ChatRequest, name: str) -> Cursor | None:
    """The cursor in the address. Raises `BadRequest` when it is malformed."""
    try:
        return Cursor.parse(request.GET.get(name, ""))
    except ValueError as error:
        raise BadRequest("That is not a cursor.") from error


def chat_page(
    request: ChatRequest,
    conversation: Conversation | None = None,
    *,
    before: Cursor | None = None,
    status: int = 200,
    **more: Any,
) -> HttpResponse:
    """The whole page. An open reply that nobody makes is begun: the browser may have no script to ask for it."""
    context = pages.chat_context(request.user, conversation, before=before)
    if (reply := context.get("open_message")) and reply.generation.lacks_maker():
        replies.start(reply.pk)
    context |= pages.conversation_list(request.user, cursor(request, "conversations"))
    page = render(request, "conversations/chat.html", context | more, status=status)
    # Nobody reads it from the browser's cache after sign-out.
    patch_cache_control(page, private=True, no_store=True)
    return page


def send(request: ChatRequest, conversation: Conversation | None = None) -> HttpResponse:
    """Store what the composer sent and answer with the turn; a sentence and the text come back when it cannot be."""
    form = TurnForm(request.POST)
    if not is_utf8(request):
        return refuse(request, NOT_TEXT, 400, conversation)
    if not form.is_valid():
        return refuse(request, form.sentence, 422, conversation)
    try:
        turn = turns.send(
            request.user,
            text=form.cleaned_data["message"],
            conversation=conversation,
            turn=form.cleaned_data["turn"],
        )
    except UserFacingError as error:
        return refuse(request, str(error), error.http_status, conversation)
    if not request.htmx:
        replies.start(turn.reply.pk)
        return redirect(turn.conversation)
    replies.expect(turn.reply.pk)
    seen = form.cleaned_data["seen"]
    if conversation and seen in {None, turn.message.parent_id}:
        return render(request, "conversations/_turn.html", pages.turn_context(turn))
    # A new conversation, or one that went on in another tab: the page is missing more than this turn.
    context = pages.turn_context(turn) if turn.is_first else pages.chat_context(request.user, turn.conversation)
    page = render(request, "conversations/_main.html", context)
    return retarget(reswap(push_url(page, turn.conversation.get_absolute_url()), "innerHTML"), "#main")


def refuse(request: ChatRequest, notice: str, status: int, conversation: Conversation | None) -> HttpResponse:
    """Say in a sentence why not, with what was typed still in the box."""
    if request.htmx:
        # A new key for the turn: what is sent next is no repetition of what was refused.
        return render(request, "conversations/_notice.html", {"notice": notice, "next_turn": uuid7()}, status=status)
    return chat_page(request, conversation, status=status, notice=notice, typed=request.POST.get("message", ""))
