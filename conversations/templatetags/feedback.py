"""Thumbs."""

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
    """The thumbs of an answer that nobody has rated. Rendered once: every answer's end shows them, differing by its
    key."""
    return SafeString(_of_no_message(get_script_prefix()).replace(str(NO_MESSAGE), str(message)))


@cache
def _of_no_message(prefix: str) -> str:
    """The addresses in it begin with the prefix."""
    return render_to_string("conversations/messages/_feedback.html", {"message": {"id": NO_MESSAGE}})
