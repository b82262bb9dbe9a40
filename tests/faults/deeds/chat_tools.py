"""Tools of each kind, which tell the world of the test what they do, and wait where it wants them to."""

import os
import socket
import uuid

from accounts.models import User
from conversations.models import Preset
from tools.define import Call, tool

WORLD = "TEST_WORLD"
"""Environment variable with the address of the world, `host:port`."""


def tell(call: Call, what: str) -> None:
    """Tell the world what this call does, and go on when it says so."""
    host, _, port = os.environ[WORLD].partition(":")
    with socket.create_connection((host, int(port))) as world:
        world.sendall(f"{call.key} {what}\n".encode())
        if not world.recv(1):
            raise ConnectionError("the world has ended")


@tool
def note(user: User, call: Call, what: str) -> str:
    """Note something in the database.

    Args:
        what: What to note.
    """
    tell(call, "before")
    Preset.objects.create(user=user, name=f"{call.key} {uuid.uuid4().hex}")
    tell(call, "after")
    return f"Noted {what}."


@tool(confirm=True)
def note_if_allowed(user: User, call: Call, what: str) -> str:
    """Note something in the database, after the person has said yes.

    Args:
        what: What to note.
    """
    return note(user, call, what)


@tool(atomic=False, idempotent=True)
def switch_on(call: Call, what: str) -> str:
    """Switch something on; a second time changes nothing.

    Args:
        what: What to switch on.
    """
    tell(call, "before")
    tell(call, "did")
    tell(call, "after")
    return f"Switched on {what}."


@tool(atomic=False)
def post(call: Call, what: str) -> str:
    """Post a letter, which nobody can take back.

    Args:
        what: What the letter says.
    """
    tell(call, "before")
    tell(call, "did")
    tell(call, "after")
    return f"Posted {what}."
