"""What the next page says about what was just done, with a way back."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib import messages
from django.urls import reverse

from chatbot.core.cursors import microseconds
from conversations.views.requests import ChatRequest


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence and, where what was done can be undone, the address to post `at` to."""

    sentence: str
    undo_url: str = ""
    at: str = ""


def say(request: ChatRequest, sentence: str, *, undo: str = "", at: datetime | None = None) -> None:
    """Let the next page say it. `undo` names the address that undoes what was done at the time `at`."""
    messages.info(request, sentence, extra_tags=f"{undo} {microseconds(at)}" if at and undo else "")


def notices(request: ChatRequest) -> list[Notice]:
    """What is to be said, each once."""
    return [_notice(str(message.message), message.extra_tags or "") for message in messages.get_messages(request)]


def _notice(sentence: str, tags: str) -> Notice:
    name, _, at = tags.partition(" ")
    return Notice(sentence, reverse(name), at) if at else Notice(sentence)
