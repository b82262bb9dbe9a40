"""Views of the chat page: a new chat, a conversation, its title."""

from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views import View
from django_htmx.http import push_url, reswap, retarget

from accounts.requests import PersonRequest, cursor
from chatbot.core.errors import UserFacingError
from conversations.actions import organizing, turns
from conversations.errors.gone import ConversationGone
from conversations.forms.configurations import CONFIGURING, ConfigurationForm
from conversations.forms.messages import NOT_TEXT, RenameForm, TurnForm, is_utf8
from conversations.models import Configuration, Conversation, Message, paths
from conversations.pages.chat import chat_context, composer_context, message_page, turn_context
from conversations.pages.lists import conversation_list
from conversations.views.answers import chat_page, refuse
from conversations.views.requests import audience, find_conversation, message_key


class ConversationNewView(View):
    """The page of a new chat, whose first message creates the conversation."""

    def get(self, request: PersonRequest) -> HttpResponse:
        """Show the empty page, or the next part of the list of conversations."""
        if "conversations" in request.GET and request.htmx:
            listed = conversation_list(request.user, cursor(request, "conversations"))
            return render(request, "conversations/sidebar/_conversations.html", listed)
        return chat_page(request)

    def post(self, request: PersonRequest) -> HttpResponse:
        """Create a conversation with its first message."""
        return send(request)


class ConversationDetailView(View):
    """The page of one conversation."""

    def get(self, request: PersonRequest, pk: UUID) -> HttpResponse:
        """Show the end of the chosen branch, the part before a message, or the part around one."""
        conversation = find_conversation(request, pk)
        before = message_key(request, "before")
        if before and request.htmx:
            try:
                context = composer_context(conversation) | message_page(conversation, before=before)
            except Message.DoesNotExist as error:
                raise Http404 from error
            return render(request, "conversations/messages/_messages.html", context | {"is_older_part": True})
        seen = message_key(request, "seen")
        if seen and request.htmx:
            return missed(request, conversation, seen)
        return chat_page(request, conversation, before=before, at=message_key(request, "at"))

    def post(self, request: PersonRequest, pk: UUID) -> HttpResponse:
        """Add a message to the conversation."""
        return send(request, find_conversation(request, pk))


class ConversationRenameView(View):
    """The title of a conversation."""

    def post(self, request: PersonRequest, pk: UUID) -> HttpResponse:
        """Change the title, then show the conversation."""
        conversation = find_conversation(request, pk)
        form = RenameForm(request.POST)
        if not form.is_valid() or not is_utf8(request):
            return refuse(request, "A title has 1 to 255 characters.", 422, conversation)
        try:
            organizing.rename(conversation, title=form.cleaned_data["title"])
        except ConversationGone as error:
            raise Http404 from error
        return redirect(conversation)


def missed(request: PersonRequest, conversation: Conversation, seen: UUID) -> HttpResponse:
    """The branch's end for a page that ends with the message `seen`; status 204 when nothing has changed."""
    if paths.current_end(conversation) == seen and not conversation.generations.open().exists():
        return HttpResponse(status=204)
    return render(request, "conversations/messages/_missed.html", chat_context(request.user, conversation))


def send(request: PersonRequest, conversation: Conversation | None = None) -> HttpResponse:
    """Store what the composer sent and respond with the turn; a refusal has a sentence and keeps the typed text."""
    form = TurnForm(request.POST)
    if not is_utf8(request):
        return refuse(request, NOT_TEXT, 400, conversation)
    if not form.is_valid():
        return refuse(request, form.sentence, 422, conversation)
    configuration = Configuration()
    # Building a form costs as much as a statement, and most turns have none of its fields.
    if conversation is None and not CONFIGURING.isdisjoint(request.POST):
        settings_form = ConfigurationForm(request.POST)
        if not settings_form.is_valid():
            return refuse(request, settings_form.sentence, 422, conversation)
        configuration = settings_form.configuration
    try:
        turn = turns.send(
            request.user,
            text=form.cleaned_data["message"],
            conversation=conversation,
            turn=form.cleaned_data["turn"],
            configuration=configuration,
            audience=audience(request),
        )
    except UserFacingError as error:
        return refuse(request, str(error), error.http_status, conversation)
    if not request.htmx:
        return redirect(turn.conversation)
    seen = form.cleaned_data["seen"]
    if conversation and seen in {None, turn.message.parent_id}:
        return render(request, "conversations/messages/_turn.html", turn_context(turn))
    # A new conversation, or one that was continued in another tab: the page lacks more than this turn.
    context = turn_context(turn) if turn.is_first else chat_context(request.user, turn.conversation)
    page = render(request, "conversations/_main.html", context)
    return retarget(reswap(push_url(page, turn.conversation.get_absolute_url()), "innerHTML"), "#main")
