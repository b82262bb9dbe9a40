"""Numbers that people read."""

from django import template

register = template.Library()


@register.filter
def thousands(number: int) -> str:
    """The number with its thousands set apart: `12,345`."""
    return f"{number:,}"
