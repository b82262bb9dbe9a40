"""Tags of every template, without loading anything: `icon`, `home`; and Django's `include`, `url` and `csrf_token`,
which remember here.

An answer of the page has dozens of them. Looking the same names up again each time was a quarter of its making.
"""

from functools import cache
from typing import Any, cast
from uuid import UUID

from django.template import Context, Library, Node
from django.template.base import FilterExpression, Parser, Template, TextNode, Token
from django.template.defaulttags import CsrfTokenNode, URLNode, url
from django.template.loader import render_to_string
from django.template.loader_tags import IncludeNode, do_include
from django.urls import NoReverseMatch, URLResolver, get_resolver, get_script_prefix, reverse
from django.utils.html import escape
from django.utils.safestring import SafeString

SOME_KEY = UUID(int=0)

register = Library()


class Icon(Node):
    """An icon whose name the context has."""

    def __init__(self, name: FilterExpression) -> None:
        self.name = name

    def render(self, context: Context) -> SafeString:
        """Draw it."""
        return drawing(self.name.resolve(context))


@register.tag
def icon(parser: Parser, token: Token) -> Node:
    """`{% icon "copy" %}`: the drawing with this name in `_icon.html`; one that is written out becomes plain text."""
    _, argument = token.split_contents()
    name = parser.compile_filter(argument)
    return TextNode(drawing(name.var)) if isinstance(name.var, str) else Icon(name)


@cache
def drawing(name: str) -> SafeString:
    """The icon with this name, rendered once."""
    return render_to_string("_icon.html", {"name": name})


@register.simple_tag
def home() -> str:
    """`{% home %}`: the site's first page, `/` or the path below which the site is. Cannot fail."""
    return get_script_prefix()


class FoundInclude(IncludeNode):
    """An `include` of a template whose name is written out: found at the first rendering, and kept."""

    def render(self, context: Context) -> SafeString:
        """Render the template."""
        found: Any = self.template.var
        if isinstance(found, str):
            # The node lives as long as the template around it, which the loader forgets when a file changes.
            found = self.template.var = cast(Template, context.template).engine.get_template(found)
        values = {name: value.resolve(context) for name, value in self.extra_context.items()}
        if self.isolated_context:
            return cast(SafeString, found.render(context.new(values)))
        with context.push(**values):
            return cast(SafeString, found.render(context))


@register.tag
def include(parser: Parser, token: Token) -> IncludeNode:
    """Django's own `include`, faster where the name is written out."""
    node = do_include(parser, token)
    if not isinstance(node.template.var, str):
        return node
    return FoundInclude(node.template, extra_context=node.extra_context, isolated_context=node.isolated_context)


class KnownAddress(URLNode):
    """A `url` of a view whose name is written out, with no argument or one key."""

    def render(self, context: Context) -> str:
        """Write the address, or set the variable to it."""
        keys = [argument.resolve(context) for argument in self.args]
        if not all(isinstance(key, UUID) for key in keys):
            return str(super().render(context))
        known = of_rendering(context)
        if (site := known.get(KnownAddress)) is None:
            site = known[KnownAddress] = get_resolver(), get_script_prefix()
        try:
            before, after = around_key(*site, self.view_name.var, has_key=bool(keys))
        except NoReverseMatch:
            return str(super().render(context))
        address = SafeString(f"{before}{keys[0]}{after}") if keys else before
        if self.asvar:
            context[self.asvar] = address
            return ""
        return address


class KnownToken(CsrfTokenNode):
    """The field of a form with the token that Django asks for, written once in a rendering."""

    def render(self, context: Context) -> str:
        """Write the field."""
        known = of_rendering(context)
        if (field := known.get(KnownToken)) is None:
            field = known[KnownToken] = super().render(context)
        return cast(str, field)


@register.tag
def csrf_token(parser: Parser, token: Token) -> KnownToken:
    """Django's own `csrf_token`, faster where there are several forms."""
    return KnownToken()


def of_rendering(context: Context) -> dict[Any, Any]:
    """What the nodes of one rendering share, in all its templates."""
    return cast(dict[Any, Any], context.render_context.dicts[0])


@register.tag("url")
def known_url(parser: Parser, token: Token) -> URLNode:
    """Django's own `url`, faster where the view's name is written out and at most one key follows."""
    node = url(parser, token)
    name: Any = node.view_name.var
    if not isinstance(name, str) or ":" in name or node.kwargs or len(node.args) > 1:
        return node
    return KnownAddress(node.view_name, node.args, node.kwargs, node.asvar)


@cache
def around_key(resolver: URLResolver, prefix: str, name: str, *, has_key: bool) -> tuple[SafeString, SafeString]:
    """What stands before and after the key in the view's address, escaped, of a site at this prefix.

    Raises `NoReverseMatch`.
    """
    before, _, after = reverse(name, args=[SOME_KEY] if has_key else []).partition(str(SOME_KEY))
    return escape(before), escape(after)
