"""Helpers with which tests of the service module ask for a reply."""

import asyncio
from collections.abc import Sequence

from conversations.llm import service as llm
from conversations.llm.service import ChatMessage, TextDelta
from tests.kit.provider import Request

QUESTION = (ChatMessage("system", "Be brief."), ChatMessage("user", "What is the capital of France?"))


async def events(messages: Sequence[ChatMessage] = QUESTION) -> list[llm.Event]:
    """All events of one reply."""
    return [event async for event in llm.stream(messages, model="scripted")]


async def text(messages: Sequence[ChatMessage] = QUESTION) -> str:
    """The whole text of one reply."""
    return "".join(event.text for event in await events(messages) if isinstance(event, TextDelta))


async def failure(messages: Sequence[ChatMessage] = QUESTION) -> tuple[str, llm.LLMError]:
    """The text that came before the error, and the error."""
    came = ""
    try:
        async for event in llm.stream(messages, model="scripted"):
            came += event.text if isinstance(event, TextDelta) else ""
    except llm.LLMError as error:
        return came, error
    raise AssertionError(f"no error, but {came!r}")


async def over(request: Request) -> Request:
    """The request, once the provider has finished with it."""
    assert await asyncio.to_thread(request.wait_over)
    return request
