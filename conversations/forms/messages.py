"""What a person types, checked."""

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
"""Unicode categories of characters that show nothing: controls, formats, separators."""

EMPTY_LINES = re.compile(r"\A(?:[^\S\n]*+\n)+")
FILLER = "\N{HANGUL FILLER}"
NOT_TEXT = "The message contains invalid characters. Remove them, then send again."


class MessageField(forms.CharField):
    """A message: 1 to `CHAT_MESSAGE_MAX_CHARS` characters without empty lines around it, line ends as line feeds.

    The first line keeps its indent: it may be code.

    A program's may have `API_MESSAGE_MAX_CHARS`.
    """

    default_error_messages = {  # noqa: RUF012 (Django's way to give messages)
        "required": "Type a message first.",
        "null_characters_not_allowed": NOT_TEXT,
    }

    def __init__(self, *, from_program: bool = False, **options: Any) -> None:
        super().__init__(strip=False, **options)
        self.from_program = from_program

    def to_python(self, value: Any) -> str:
        """The text as it will be stored."""
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
    """A form that says what is wrong in one sentence."""

    @property
    def sentence(self) -> str:
        """What is wrong; empty when nothing is."""
        return next((str(error) for errors in self.errors.values() for error in errors), "")


class KeyedForm(SentenceForm):
    """What asks the model, with the key of its turn, which makes a repeated request harmless."""

    turn = forms.UUIDField(
        required=False, error_messages={"invalid": "This page is out of date. Reload it, then send again."}
    )


class TurnForm(KeyedForm):
    """The composer, or a message that is edited."""

    message = MessageField()
    seen = forms.UUIDField(required=False)
    """The last message that the page shows: another tab may have gone on."""


class RegenerateForm(KeyedForm):
    """Which model another answer is asked of; empty for the usual one."""

    model = forms.CharField(required=False)


class RenameForm(forms.Form):
    """A conversation's title."""

    title = forms.CharField(max_length=TITLE_MAX_CHARS)


class CommentField(forms.CharField):
    """A comment with line ends as line feeds, which a browser sends, but does not count, as two characters."""

    def to_python(self, value: Any) -> str:
        """The text as it will be stored."""
        return super().to_python((value or "").replace("\r\n", "\n")) or ""


class FeedbackForm(SentenceForm):
    """A rating of an answer, empty to take it back, and a word with it."""

    rating = forms.ChoiceField(
        choices=Rating, required=False, error_messages={"invalid_choice": "A rating is up or down."}
    )
    comment = CommentField(
        max_length=COMMENT_MAX_CHARS,
        required=False,
        error_messages={"max_length": f"A comment has at most {COMMENT_MAX_CHARS:,} characters."},
    )


def is_storable(text: str) -> bool:
    """Whether a database can hold the text: half of a surrogate pair is no character."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def is_utf8(request: HttpRequest) -> bool:
    """Whether the form was sent as valid UTF-8. Django itself replaces what is not, without a word."""
    if not any(REPLACEMENT in value for values in request.POST.lists() for value in values[1]):
        return True
    if request.content_type != URL_ENCODED:
        return False
    try:
        unquote_to_bytes(request.body).decode()
    except UnicodeDecodeError:
        return False
    return True
