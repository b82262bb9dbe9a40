"""What tests of replies with tools look at, and tools that wait until a test lets them go."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from asgiref.sync import sync_to_async

from accounts.models import User
from conversations.models import Message, Preset, ToolCall
from tests.kit.provider import Calls, Finish, Script, ScriptedProvider, Usage, stream
from tests.kit.provider.script import Done
from tests.support.replying import WAIT_SECONDS
from tools import registry
from tools.define import tool


class Holding:
    """A tool `hold` that adds a preset and waits for the test, in its thread."""

    def __init__(self, **said: Any) -> None:
        self.entered, self.go = threading.Event(), threading.Event()

        def hold(user: User, name: str = "held") -> str:
            """Add a preset, and wait."""
            Preset.objects.create(user=user, name=name)
            self.entered.set()
            assert self.go.wait(WAIT_SECONDS)
            return "Held."

        registry.register(tool(**said)(hold))

    async def reached(self) -> None:
        """Wait until the tool runs."""
        assert await asyncio.to_thread(self.entered.wait, WAIT_SECONDS)


@sync_to_async
def names(order: str = "name") -> list[str]:
    """The names of all presets, which the tools of these tests make."""
    return [preset.name for preset in Preset.objects.order_by(order)]


@sync_to_async
def rows(message: Message) -> list[ToolCall]:
    """The calls of a reply, in order."""
    return list(ToolCall.objects.filter(message=message).in_order())


async def until_rows(message: Message, condition: Callable[[list[ToolCall]], bool]) -> list[ToolCall]:
    """The calls of a reply once the condition holds for them."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            if condition(found := await rows(message)):
                return found


def results(provider: ScriptedProvider, number: int = 1) -> list[str]:
    """The results in a request to the provider, the second one by default."""
    return [message["content"] for message in provider.chats[number].json["messages"] if message["role"] == "tool"]


def pieces(*several: str, finish: str = "tool_calls", chunks: bool = True) -> Script:
    """An answer with these pieces of tool calls, each in a chunk of its own or all in one."""
    steps = [Calls((piece,)) for piece in several] if chunks else [Calls(several)]
    return stream(*steps, Finish(finish), Usage(), Done())
