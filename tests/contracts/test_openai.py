"""What lies below the answers of the vendor's package, and how it is asked to leave one unread."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import httpx2
import pytest

from chatbot.embedded.model import Endpoint
from conversations.llm import client
from conversations.llm.transport import plain_answer
from tests.contracts.words import relied_upon
from tests.kit.provider import END, ScriptedProvider, Text, stream

WAIT_SECONDS = 20


@pytest.fixture
async def response(provider: ScriptedProvider) -> AsyncIterator[httpx2.Response]:
    """A provider's answer, as the package returns it."""
    provider.play(stream(Text("Paris"), *END))
    request = {"model": "scripted", "messages": [{"role": "user", "content": "Capital?"}], "stream": True}
    deadline = asyncio.get_running_loop().time() + WAIT_SECONDS
    async with client.opened(Endpoint(provider.url, "a key", "scripted"), request, deadline) as answer:
        yield answer
    await client.close()


async def test_an_answer_is_not_read_by_the_package(response: httpx2.Response) -> None:
    with relied_upon(
        "With `X-Stainless-Raw-Response: stream` and `cast_to=Response`, `post` returns the answer unread.",
        "conversations/llm/client.py",
    ):
        assert isinstance(response, httpx2.Response)
        assert not response.is_stream_consumed
        assert b"Paris" in b"".join([part async for part in response.aiter_raw()])


async def test_the_answer_below_can_be_read_instead(response: httpx2.Response) -> None:
    with relied_upon(
        "The stream of an answer has aiohttp's answer in `_stream._aiohttp_response`; without it tokens cost more.",
        "conversations/llm/transport.py",
    ):
        answer = plain_answer(response)
        assert isinstance(answer, aiohttp.ClientResponse)
        assert b"Paris" in await answer.content.read()
