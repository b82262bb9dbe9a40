"""A person's preferences for the page's look: kept in cookies, read by every template."""

from django.http import HttpRequest

CHOICES = {"theme": ("system", "light", "dark"), "sidebar": ("open", "folded"), "shortcuts": ("on", "off")}
"""Names and values of the preferences; the first value is the default."""


def preferences(request: HttpRequest) -> dict[str, str]:
    """Context processor: each preference's value, or an empty text when it is missing, unknown or the default."""
    return {
        name: value if (value := request.COOKIES.get(name, "")) in values[1:] else ""
        for name, values in CHOICES.items()
    }
