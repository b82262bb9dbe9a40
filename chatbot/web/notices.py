"""Notices: sentences that the next page shows about an action, with a link to undo it."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib import messages
from django.http import HttpRequest
from django.urls import reverse

from chatbot.core.cursors import microseconds


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence and, where the action can be undone, the address to which `at` is posted."""

    sentence: str
    undo_url: str = ""
    at: str = ""


def say(request: HttpRequest, sentence: str, *, undo: str = "", at: datetime | None = None) -> None:
    """Show a sentence on the next page. `undo` names the address that undoes the action done at the time `at`."""
    messages.info(request, sentence, extra_tags=f"{undo} {microseconds(at)}" if at and undo else "")


def notices(request: HttpRequest) -> list[Notice]:
    """The notices for this page; each is shown once."""
    return [_notice(str(message.message), message.extra_tags or "") for message in messages.get_messages(request)]


def _notice(sentence: str, tags: str) -> Notice:
    name, _, at = tags.partition(" ")
    return Notice(sentence, reverse(name), at) if at else Notice(sentence)
