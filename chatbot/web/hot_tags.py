"""Tags for the templates of the chat's page and of a turn's answer, which `{% load hot %}`: `fragment`, `address` and
`csrf_field` write what Django's `include`, `url` and `csrf_token` write, and remember.

An answer of the page has dozens of them. With Django's own a turn takes a seventh more of the processor's time, a page
a fifth (measured in December 2026: medians of 24 rounds in turn). All other templates have Django's own.

The only module that builds on the inside of Django's template engine, as Django 6.1 has it;
`tests/contracts/test_template_engine.py` says in words what another version has changed.
"""

from functools import cache
from typing import Any, cast
from uuid import UUID

from django.template import Context, Library
from django.template.base import Parser, Template, Token
from django.template.defaulttags import CsrfTokenNode, URLNode, url
from django.template.loader_tags import IncludeNode, do_include
from django.urls import NoReverseMatch, URLResolver, get_resolver, get_script_prefix, reverse
from django.utils.html import escape
from django.utils.safestring import SafeString

SOME_KEY = UUID(int=0)

register = Library()


class Fragment(IncludeNode):
    """An `include` with a literal name, whose template is looked up at the first rendering and kept."""

    def render(self, context: Context) -> SafeString:
        """Render the template with the context and the tag's variables."""
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
def fragment(parser: Parser, token: Token) -> IncludeNode:
    """Django's `include`, faster where the name is written out."""
    node = do_include(parser, token)
    if not isinstance(node.template.var, str):
        return node
    return Fragment(node.template, extra_context=node.extra_context, isolated_context=node.isolated_context)


class Address(URLNode):
    """A `url` of a view whose name is written out, with no argument or one key."""

    def render(self, context: Context) -> str:
        """Write the address, or set the variable to it."""
        keys = [argument.resolve(context) for argument in self.args]
        if not all(isinstance(key, UUID) for key in keys):
            return str(super().render(context))
        known = of_rendering(context)
        if (site := known.get(Address)) is None:
            site = known[Address] = get_resolver(), get_script_prefix()
        try:
            before, after = around_key(*site, self.view_name.var, has_key=bool(keys))
        except NoReverseMatch:
            return str(super().render(context))
        written = SafeString(f"{before}{keys[0]}{after}") if keys else before
        if self.asvar:
            context[self.asvar] = written
            return ""
        return written


@register.tag
def address(parser: Parser, token: Token) -> URLNode:
    """Django's `url`, faster where the view's name is written out and at most one key follows."""
    node = url(parser, token)
    name: Any = node.view_name.var
    if not isinstance(name, str) or ":" in name or node.kwargs or len(node.args) > 1:
        return node
    return Address(node.view_name, node.args, node.kwargs, node.asvar)


class CsrfField(CsrfTokenNode):
    """The field of a form with the CSRF token, rendered once per rendering."""

    def render(self, context: Context) -> str:
        """Write the field with the token."""
        known = of_rendering(context)
        if (field := known.get(CsrfField)) is None:
            field = known[CsrfField] = super().render(context)
        return cast(str, field)


@register.tag
def csrf_field(parser: Parser, token: Token) -> CsrfField:
    """Django's `csrf_token`, faster where there are several forms."""
    return CsrfField()


def of_rendering(context: Context) -> dict[Any, Any]:
    """What the nodes of one rendering share, in all its templates."""
    return cast(dict[Any, Any], context.render_context.dicts[0])


@cache
def around_key(resolver: URLResolver, prefix: str, name: str, *, has_key: bool) -> tuple[SafeString, SafeString]:
    """What stands before and after the key in the view's address, escaped, of a site at this prefix.

    Raises `NoReverseMatch`.
    """
    before, _, after = reverse(name, args=[SOME_KEY] if has_key else []).partition(str(SOME_KEY))
    return escape(before), escape(after)
