"""Template filters for numbers that people read."""

from django import template

register = template.Library()


@register.filter
def thousands(number: int) -> str:
    """The number with separated thousands: `12,345`."""
    return f"{number:,}"
