"""A tool that not everybody may use."""

from accounts.models import User
from conversations.models import Preset
from tools.define import tool


@tool(permission="conversations.add_preset")
def publish(user: User, name: str) -> str:
    """Publish a preset of this name.

    Args:
        name: How it is called.
    """
    Preset.objects.create(user=user, name=name)
    return f"Published {name}."
