"""System check of functions that are marked as tools and cannot be any."""

from typing import Any

from django.core.checks import CheckMessage, Error, register

from tools import registry


@register()
def tools_can_be_offered(**kwargs: Any) -> list[CheckMessage]:
    """Check that each marked function is a tool; the others are never offered to the model."""
    return [Error(f"{fault.where}: {fault.words}", id="tools.E001") for fault in registry.faults()]
