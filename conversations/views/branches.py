"""Views on a conversation's branches: edit a message, regenerate a reply, choose an alternative."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views import View

from accounts.requests import PersonRequest
from chatbot.core.errors import UserFacingError
from conversations.actions import branches
from conversations.forms.messages import NOT_TEXT, RegenerateForm, TurnForm, is_utf8
from conversations.llm import model_choices
from conversations.models import Message, Role
from conversations.pages.branches import Place
from conversations.pages.chat import (
    chat_context,
    editing_context,
    regenerating_context,
    shown_context,
)
from conversations.views.answers import chat_page, refuse
from conversations.views.requests import audience, find_message, find_reply

UNKNOWN_MODEL = "This model is no longer available. Reload the page, then choose another one."


class MessageDetailView(View):
    """A message in its place on the page."""

    def get(self, request: PersonRequest, pk: UUID) -> HttpResponse:
        """Respond with the message that replaces a form; without htmx, redirect to the message's place."""
        message = find_message(request, pk, *Role)
        if not request.htmx:
            return redirect(message)
        return message_fragment(request, message, returning=message)


class MessageEditView(View):
    """Edits a person's own message, on a new branch."""

    def get(self, request: PersonRequest, pk: UUID) -> HttpResponse:
        """Show the form in the message's place."""
        message = find_message(request, pk, Role.USER)
        form = editing_context(message)
        if request.htmx:
            return message_fragment(request, message, **form)
        return chat_page(request, message.conversation, at=message.pk, **form)

    def post(self, request: PersonRequest, pk: UUID) -> HttpResponse:
        """Store the edited text beside the message, as a branch of its own."""
        message = find_message(request, pk, Role.USER)
        form = TurnForm(request.POST)
        if not is_utf8(request):
            return refuse_edit(request, message, NOT_TEXT, 400)
        if not form.is_valid():
            return refuse_edit(request, message, form.sentence, 422)
        try:
            text, key = form.cleaned_data["message"], form.cleaned_data["turn"]
            turn = branches.edit(message, text=text, turn=key, audience=audience(request))
        except UserFacingError as error:
            return refuse_edit(request, message, str(error), error.http_status)
        return new_branch(request, turn.reply)


class MessageRegenerateView(View):
    """Asks for another answer beside a reply."""

    def get(self, request: PersonRequest, pk: UUID) -> HttpResponse:
        """Show the form that chooses another model."""
        reply = find_reply(request, pk)
        form = regenerating_context(reply)
        if request.htmx:
            return message_fragment(request, reply, **form)
        return chat_page(request, reply.conversation, at=reply.pk, **form)

    def post(self, request: PersonRequest, pk: UUID) -> HttpResponse:
        """Ask the model that the form names, else the conversation's own, for another answer."""
        reply = find_reply(request, pk)
        form = RegenerateForm(request.POST)
        turn_id = f"turn-{pk}" if request.POST.get("model") else "act-turn"
        if not form.is_valid():
            return refuse(request, form.sentence, 422, reply.conversation, turn_id=turn_id)
        model = form.cleaned_data["model"]
        if model and model not in model_choices.choices():
            return refuse(request, UNKNOWN_MODEL, 422, reply.conversation, turn_id=turn_id)
        try:
            key = form.cleaned_data["turn"]
            answer = branches.regenerate(reply, model=model, turn=key, audience=audience(request))
        except UserFacingError as error:
            return refuse(request, str(error), error.http_status, reply.conversation, turn_id=turn_id)
        return new_branch(request, answer)


class MessageChooseView(View):
    """Chooses the branch through a message."""

    def post(self, request: PersonRequest, pk: UUID) -> HttpResponse:
        """Make the message's branch the chosen one and show it."""
        message = find_message(request, pk, *Role)
        try:
            branches.choose(message)
        except UserFacingError as error:
            return refuse(request, str(error), error.http_status, message.conversation, turn_id="act-turn")
        if not request.htmx:
            return redirect(message)
        context = chat_context(request.user, message.conversation, at=message.pk) | {"place": Place.of(message)}
        return render(request, "conversations/messages/_branch.html", context)


def new_branch(request: PersonRequest, reply: Message) -> HttpResponse:
    """The response to a turn that begins a branch: the branch's end, with the open reply."""
    if not request.htmx:
        return redirect(reply.conversation)
    context = chat_context(request.user, reply.conversation) | {"reply": reply}
    return render(request, "conversations/messages/_branch.html", context)


def message_fragment(request: PersonRequest, message: Message, **more: Any) -> HttpResponse:
    """HTML of one message in its place."""
    return render(request, "conversations/messages/_message.html", shown_context(message) | more)


def refuse_edit(request: PersonRequest, message: Message, notice: str, status: int) -> HttpResponse:
    """Respond with a sentence and the typed text still in the form."""
    if request.htmx:
        return refuse(request, notice, status, message.conversation, turn_id=f"turn-{message.pk}")
    form = editing_context(message, request.POST.get("message", ""))
    return chat_page(request, message.conversation, at=message.pk, status=status, notice=notice, **form)
