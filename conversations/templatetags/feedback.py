"""Template tag for the thumbs of an answer."""

from functools import cache
from uuid import UUID

from django import template
from django.template.loader import render_to_string
from django.urls import get_script_prefix
from django.utils.safestring import SafeString

register = template.Library()

NO_MESSAGE = UUID(int=0)


@register.simple_tag
def thumbs(message: UUID) -> SafeString:
    """HTML of the thumbs of an answer without feedback.

    Rendered once and cached: the thumbs of two answers differ only by the message's key.
    """
    return SafeString(_of_no_message(get_script_prefix()).replace(str(NO_MESSAGE), str(message)))


@cache
def _of_no_message(prefix: str) -> str:
    """HTML of the thumbs with a placeholder for the key; cached by prefix, with which its addresses begin."""
    return render_to_string("conversations/messages/_feedback.html", {"message": {"id": NO_MESSAGE}})
