"""The icons: `{% icon "copy" %}` in a template, without loading anything."""

from functools import cache

from django.template import Library
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

register = Library()


@register.simple_tag
@cache
def icon(name: str) -> SafeString:
    """The drawing with this name in `_icon.html`. Rendered once: a page has dozens, and every answer some."""
    return render_to_string("_icon.html", {"name": name})
