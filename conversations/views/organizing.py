"""What is done to conversations as a whole, to one or to several at once."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.core.exceptions import BadRequest
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.views import View

from chatbot.core.cursors import from_microseconds
from chatbot.core.errors import UserFacingError
from conversations.actions import organizing
from conversations.actions.organizing import Change
from conversations.models import Conversation, ConversationQuerySet
from conversations.replies import dispatch
from conversations.views.notices import say
from conversations.views.requests import ChatRequest, next_url

NOTHING_SELECTED = "Select a conversation first."


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that is done to conversations."""

    act: Callable[[ConversationQuerySet], Change]
    done: str = ""
    """What the page says then."""
    undo: str = ""
    """The verb that undoes it."""
    stamp: str = ""
    """The column by whose time the verb finds what it is to undo."""
    in_trash: bool = False
    """Whether it is done in the trash, and only there."""


DEEDS = {
    "pin": Deed(organizing.pin),
    "unpin": Deed(organizing.unpin),
    "archive": Deed(organizing.archive, "Archived", undo="unarchive"),
    "unarchive": Deed(organizing.unarchive, "Back in the list", stamp="archived_at"),
    "delete": Deed(organizing.trash, "Moved to the trash", undo="restore"),
    "restore": Deed(organizing.restore, "Restored", stamp="trashed_at", in_trash=True),
    "delete-forever": Deed(organizing.delete, "Deleted for ever", in_trash=True),
}
"""By the verb in the address."""


class OrganizeView(View):
    """One verb, for the conversation in the address, or for those that a form has selected."""

    verb = ""

    def post(self, request: ChatRequest, pk: UUID | None = None) -> HttpResponse:
        """Do it, and go back to where the form was."""
        deed = DEEDS[self.verb]
        conversations = self.find(request, deed, pk)
        if conversations is None:
            say(request, NOTHING_SELECTED)
            return HttpResponseRedirect(next_url(request))
        keys = list(conversations.values_list("pk", flat=True))
        if not keys:
            raise Http404
        try:
            change = deed.act(conversations)
        except UserFacingError as error:
            say(request, str(error))
            return HttpResponseRedirect(next_url(request))
        for message_id in change.stopped:
            dispatch.stop(message_id)
        if deed.done and change.count:
            undo = f"conversations-{deed.undo}" if deed.undo else ""
            say(request, sentence(deed.done, change.count), undo=undo, at=change.at)
        return HttpResponseRedirect(self.place(request, keys))

    def find(self, request: ChatRequest, deed: Deed, pk: UUID | None) -> ConversationQuerySet | None:
        """The person's own conversations that are meant; None when the form has selected none."""
        objects = Conversation.objects
        owned = objects.trash_of(request.user) if deed.in_trash else objects.owned_by(request.user)
        if pk is None and deed.stamp and "at" in request.POST:
            return owned.filter(**{deed.stamp: moment(request.POST["at"])})
        keys = [pk] if pk else selected(request)
        return owned.filter(pk__in=keys) if keys else None

    def place(self, request: ChatRequest, keys: list[UUID]) -> str:
        """Where to go then: never to a conversation that has just gone, and to the one that was brought back."""
        here = next_url(request)
        pages = [reverse("conversation-detail", args=(key,)) for key in keys]
        if self.verb == "delete" and here.startswith(tuple(pages)):
            return reverse("conversation-new")
        return pages[0] if self.verb == "restore" and "at" in request.POST and len(pages) == 1 else here


class TrashEmptyView(View):
    """The end of all that is in the trash."""

    def post(self, request: ChatRequest) -> HttpResponse:
        """Delete it for ever, what is past its days included."""
        change = organizing.delete(Conversation.objects.thrown_away_by(request.user))
        say(request, "The trash is empty." if change.count else "The trash was empty already.")
        return redirect("trash")


def sentence(done: str, count: int) -> str:
    """What was done to so many conversations."""
    return f"{done}." if count == 1 else f"{done}: {count} conversations."


def selected(request: ChatRequest) -> list[UUID]:
    """The keys of the conversations that the form has selected. Raises `BadRequest`."""
    try:
        return [UUID(key) for key in request.POST.getlist("ids")]
    except ValueError as error:
        raise BadRequest("That is not a conversation's key.") from error


def moment(text: str) -> datetime:
    """The time that a form names. Raises `BadRequest`."""
    try:
        return from_microseconds(text)
    except ValueError as error:
        raise BadRequest("That is not a time.") from error
