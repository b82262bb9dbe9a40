"""Tags of every template, without loading anything: `icon` and `home`. None of them has the name of one of Django's."""

from functools import cache
from typing import Any

from django.template import Context, Library, Node, Variable
from django.template.loader import render_to_string
from django.urls import get_script_prefix
from django.utils.safestring import SafeString

register = Library()


class Icon(Node):
    """An icon whose name is in a variable of the context."""

    def __init__(self, name: Variable) -> None:
        self.name = name

    def render(self, context: Context) -> SafeString:
        """The drawing of the icon as HTML."""
        return drawing(self.name.resolve(context))


class WrittenIcon(Node):
    """An icon with a literal name, drawn once when the template is read."""

    def __init__(self, name: str) -> None:
        self.drawing = drawing(name)

    def render(self, context: Context) -> SafeString:
        """The drawing of the icon as HTML."""
        return self.drawing


@register.tag
def icon(parser: object, token: Any) -> Node:
    """`{% icon "copy" %}`: the drawing with this name in `_icon.html`."""
    _, name = token.split_contents()
    return WrittenIcon(name[1:-1]) if name.startswith(('"', "'")) else Icon(Variable(name))


@cache
def drawing(name: str) -> SafeString:
    """The icon with this name, rendered once and cached."""
    return render_to_string("_icon.html", {"name": name})


@register.simple_tag
def home() -> str:
    """`{% home %}`: path of the site's first page, `/` or the site's own path. Cannot fail."""
    return get_script_prefix()
