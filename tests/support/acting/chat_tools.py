"""Tools that write and read the person's presets, which tests can count."""

from accounts.models import User
from conversations.models import Preset
from tools.define import Call, Table, tool


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


@tool(confirm=True, step="Removing “{name}”", done="Removed “{name}”")
def remove(user: User, name: str) -> str:
    """Remove the preset of this name.

    Args:
        name: How it is called.
    """
    count, _ = Preset.objects.filter(user=user, name=name).delete()
    return f"Removed {count}."


@tool
def change(user: User, call: Call, name: str) -> str:
    """Change the preset of this name, as soon as nobody else changes it.

    Args:
        name: How it is called.
    """
    call.progress("Waiting for the lock")
    preset = Preset.objects.select_for_update().get(user=user, name=name)
    preset.system_prompt = "Changed"
    preset.save(update_fields=["system_prompt"])
    return "Changed."
