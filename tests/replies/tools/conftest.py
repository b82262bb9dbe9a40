"""Tools of these tests; each writes rows that can be counted."""

import pytest

from accounts.models import User
from conversations.models import Preset
from tests.replies.making.conftest import engine, midday, other_engine, short_intervals, turn
from tools import registry
from tools.define import Call, Table, tool

__all__ = ["engine", "midday", "other_engine", "short_intervals", "turn"]


@tool(step="Adding “{name}”", done="Added “{name}”")
def add(user: User, name: str) -> str:
    """Add a preset of this name.

    Args:
        name: How it is called.
    """
    Preset.objects.create(user=user, name=name)
    return f"Added {name}."


@tool(read_only=True)
def list_all(user: User) -> Table:
    """List the presets of the person."""
    return Table(["name"], [[preset.name] for preset in Preset.objects.filter(user=user).order_by("name")])


@tool(confirm=True)
def remove(user: User, name: str) -> str:
    """Remove the preset of this name.

    Args:
        name: How it is called.
    """
    count, _ = Preset.objects.filter(user=user, name=name).delete()
    return f"Removed {count}."


@tool(atomic=False)
def send(user: User, call: Call, to: str) -> str:
    """Send a mail, which nobody can take back.

    Args:
        to: Whom.
    """
    call.progress(f"Sending to {to}")
    Preset.objects.create(user=user, name=f"sent to {to}")
    return "Sent."


@pytest.fixture(autouse=True)
def tools() -> None:
    """The process has these tools."""
    registry.replace(add, list_all, remove, send)
