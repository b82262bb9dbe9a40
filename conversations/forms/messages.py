"""Forms for messages, titles and feedback."""

import re
import unicodedata
from typing import Any
from urllib.parse import unquote_to_bytes

from django import forms
from django.conf import settings
from django.http import HttpRequest

from conversations.models import COMMENT_MAX_CHARS, TITLE_MAX_CHARS, Rating

URL_ENCODED = "application/x-www-form-urlencoded"
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
INVISIBLE = {"Cc", "Cf", "Zl", "Zp", "Zs"}
"""Unicode categories of invisible characters: controls, formats, separators."""

EMPTY_LINES = re.compile(r"\A(?:[^\S\n]*+\n)+")
FILLER = "\N{HANGUL FILLER}"
NOT_TEXT = "The message contains invalid characters. Remove them, then send again."


class MessageField(forms.CharField):
    """A message of 1 to `CHAT_MESSAGE_MAX_CHARS` characters, line ends as line feeds, without empty lines around it.

    The first line keeps its indent, because it may be code. A message from a program may have `API_MESSAGE_MAX_CHARS`.
    """

    default_error_messages = {  # noqa: RUF012 (Django's way to give messages)
        "required": "Type a message first.",
        "null_characters_not_allowed": NOT_TEXT,
    }

    def __init__(self, *, from_program: bool = False, **options: Any) -> None:
        super().__init__(strip=False, **options)
        self.from_program = from_program

    def to_python(self, value: Any) -> str:
        """The text in the form in which it is stored. Raises ValidationError."""
        lines = (value or "").replace("\r\n", "\n").replace("\r", "\n")
        text = EMPTY_LINES.sub("", super().to_python(lines) or "").rstrip()
        limit = settings.API_MESSAGE_MAX_CHARS if self.from_program else settings.CHAT_MESSAGE_MAX_CHARS
        if len(text) > limit:
            raise forms.ValidationError(
                f"The message is too long: {len(text):,} characters, and {limit:,} are allowed.", code="max_length"
            )
        if text and all(unicodedata.category(character) in INVISIBLE or character == FILLER for character in text):
            raise forms.ValidationError(self.error_messages["required"], code="required")
        if not is_storable(text):
            raise forms.ValidationError(NOT_TEXT, code="surrogates")
        return text


class SentenceForm(forms.Form):
    """A form that reports its errors as one sentence."""

    @property
    def sentence(self) -> str:
        """The first error's sentence; empty when the form is valid."""
        return next((str(error) for errors in self.errors.values() for error in errors), "")


class KeyedForm(SentenceForm):
    """A form that asks the model; carries the key of its turn, which makes a repeated request harmless."""

    turn = forms.UUIDField(
        required=False, error_messages={"invalid": "This page is out of date. Reload it, then send again."}
    )


class TurnForm(KeyedForm):
    """The composer, or a message that is edited."""

    message = MessageField()
    seen = forms.UUIDField(required=False)
    """Key of the last message that the page shows; another tab may have added messages since."""


class RegenerateForm(KeyedForm):
    """The model for another answer, empty for the chat's own."""

    model = forms.CharField(required=False)


class RenameForm(forms.Form):
    """Form for a conversation's title."""

    title = forms.CharField(max_length=TITLE_MAX_CHARS)


class CommentField(forms.CharField):
    """A comment with its line ends as line feeds: browsers send each as two characters but count one."""

    def to_python(self, value: Any) -> str:
        """The text in the form in which it is stored."""
        return super().to_python((value or "").replace("\r\n", "\n")) or ""


class FeedbackForm(SentenceForm):
    """A rating of an answer with an optional comment; an empty rating removes it."""

    rating = forms.ChoiceField(
        choices=Rating, required=False, error_messages={"invalid_choice": "A rating is up or down."}
    )
    comment = CommentField(
        max_length=COMMENT_MAX_CHARS,
        required=False,
        error_messages={"max_length": f"A comment has at most {COMMENT_MAX_CHARS:,} characters."},
    )


def is_storable(text: str) -> bool:
    """Whether the database can store the text: it holds no lone half of a surrogate pair."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def is_utf8(request: HttpRequest) -> bool:
    """Whether the form was sent as valid UTF-8; Django replaces invalid bytes silently."""
    if not any(REPLACEMENT in value for values in request.POST.lists() for value in values[1]):
        return True
    if request.content_type != URL_ENCODED:
        return False
    try:
        unquote_to_bytes(request.body).decode()
    except UnicodeDecodeError:
        return False
    return True
