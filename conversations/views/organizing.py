"""Views that organize conversations, one or several at once."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.core.exceptions import BadRequest
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.views import View

from accounts.requests import PersonRequest, next_url
from chatbot.core.cursors import from_microseconds
from chatbot.core.errors import UserFacingError
from chatbot.web.notices import say
from conversations.actions import organizing
from conversations.actions.organizing import Change
from conversations.models import Conversation, ConversationQuerySet

NOTHING_SELECTED = "Select a conversation first."


@dataclass(frozen=True, slots=True)
class Verb:
    """An action on conversations, and how it is undone."""

    act: Callable[[ConversationQuerySet], Change]
    done: str = ""
    """Sentence that the page shows afterwards."""
    undo: str = ""
    """Name of the verb that undoes it."""
    stamp: str = ""
    """Column whose time identifies the conversations to undo."""
    in_trash: bool = False
    """Whether the verb applies to conversations in the trash, and only to these."""


VERBS = {
    "pin": Verb(organizing.pin),
    "unpin": Verb(organizing.unpin),
    "archive": Verb(organizing.archive, "Archived", undo="unarchive"),
    "unarchive": Verb(organizing.unarchive, "Moved to the list", stamp="archived_at"),
    "delete": Verb(organizing.trash, "Moved to the trash", undo="restore"),
    "restore": Verb(organizing.restore, "Restored", stamp="trashed_at", in_trash=True),
    "delete-forever": Verb(organizing.delete, "Deleted forever", in_trash=True),
}
"""Verb in the address -> action."""


class OrganizeView(View):
    """One verb, for the conversation in the address, or for those that a form has selected."""

    name = ""

    def post(self, request: PersonRequest, pk: UUID | None = None) -> HttpResponse:
        """Do the action, and redirect to the page of the form."""
        verb = VERBS[self.name]
        conversations = self.find(request, verb, pk)
        if conversations is None:
            say(request, NOTHING_SELECTED)
            return HttpResponseRedirect(next_url(request))
        keys = list(conversations.values_list("pk", flat=True))
        if not keys:
            raise Http404
        try:
            change = verb.act(conversations)
        except UserFacingError as error:
            say(request, str(error))
            return HttpResponseRedirect(next_url(request))
        if verb.done and change.count:
            undo = f"conversations-{verb.undo}" if verb.undo else ""
            say(request, sentence(verb.done, change.count), undo=undo, at=change.at)
        return HttpResponseRedirect(self.place(request, keys))

    def find(self, request: PersonRequest, verb: Verb, pk: UUID | None) -> ConversationQuerySet | None:
        """The person's own conversations to act on; None when the form has selected none."""
        objects = Conversation.objects
        owned = objects.trash_of(request.user) if verb.in_trash else objects.owned_by(request.user)
        if pk is None and verb.stamp and "at" in request.POST:
            return owned.filter(**{verb.stamp: moment(request.POST["at"])})
        keys = [pk] if pk else selected(request)
        return owned.filter(pk__in=keys) if keys else None

    def place(self, request: PersonRequest, keys: list[UUID]) -> str:
        """Address to redirect to: never a conversation that is now deleted, but the one that was restored."""
        here = next_url(request)
        pages = [reverse("conversation-detail", args=(key,)) for key in keys]
        if self.name == "delete" and here.startswith(tuple(pages)):
            return reverse("conversation-new")
        return pages[0] if self.name == "restore" and "at" in request.POST and len(pages) == 1 else here


class TrashEmptyView(View):
    """Empties the trash of a person."""

    def post(self, request: PersonRequest) -> HttpResponse:
        """Permanently delete everything in the trash, including conversations past their days."""
        change = organizing.delete(Conversation.objects.thrown_away_by(request.user))
        say(request, "The trash is empty." if change.count else "The trash was empty already.")
        return redirect("trash")


def sentence(done: str, count: int) -> str:
    """A sentence about an action on `count` conversations."""
    return f"{done}." if count == 1 else f"{done}: {count} conversations."


def selected(request: PersonRequest) -> list[UUID]:
    """Keys of the conversations that the form has selected. Raises `BadRequest`."""
    try:
        return [UUID(key) for key in request.POST.getlist("ids")]
    except ValueError as error:
        raise BadRequest("This is not the key of a conversation.") from error


def moment(text: str) -> datetime:
    """The time in a form, sent as microseconds. Raises `BadRequest`."""
    try:
        return from_microseconds(text)
    except ValueError as error:
        raise BadRequest("That is not a time.") from error
