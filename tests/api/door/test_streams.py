"""Streams at the door: never silent for long, and never cut off so that it looks like an end."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import openai
import pytest
from django.http import StreamingHttpResponse

from accounts import access_tokens
from accounts.callers import Caller
from accounts.models import User
from accounts.rates import Rate
from chatbot.web.problems import Problem
from conversations.api import completions, door_streams
from conversations.models import Generation, Status
from conversations.replies import streams
from tests.kit.provider import ScriptedProvider, Text, stream
from tests.kit.provider.script import END, Gate
from tests.kit.server import ChatServer

pytestmark = pytest.mark.django_db(transaction=True)

HELLO: Any = [{"role": "user", "content": "Hello"}]


def caller(user: User, *, is_welcome: bool = True) -> Caller:
    return Caller(user, "", Rate(1, 60), lambda: is_welcome)


def failed(problem: Problem) -> bytes:
    return completions.data(problem.at_door.body)


async def parts(response: Any) -> AsyncGenerator[bytes]:
    assert isinstance(response, StreamingHttpResponse)
    async for part in response.streaming_content:  # type: ignore[union-attr]
        yield part


async def test_comments_come_until_the_first_frame_and_between_frames(user: User) -> None:
    first, second = asyncio.Event(), asyncio.Event()

    async def frames() -> AsyncGenerator[bytes]:
        await first.wait()
        yield b"data: 1\n\n"
        await second.wait()
        yield b"data: 2\n\n"

    ahead = door_streams.Ahead(frames())
    assert await ahead.next(0.01) == b""
    seen = []
    async for part in door_streams.awake(caller(user), ahead, b"", failed, seconds=0.01):
        seen.append(part)
        if len(seen) == 3:
            first.set()
        if seen.count(b"data: 1\n\n") and seen[-2:] == [b": still here\n\n"] * 2:
            second.set()
    assert seen[:3] == [b": still here\n\n"] * 3
    assert [part for part in seen if part.startswith(b"data")] == [b"data: 1\n\n", b"data: 2\n\n"]
    assert seen[-1] == b"data: 2\n\n"


async def failing(begin: asyncio.Event, *frames: bytes) -> AsyncGenerator[bytes]:
    await begin.wait()
    for frame in frames:
        yield frame
    raise Problem("context_too_long")


async def test_the_status_waits_for_the_first_frame_but_not_for_ever(user: User) -> None:
    begin = asyncio.Event()
    response = await door_streams.answered(caller(user), failing(begin), failed, first_seconds=0.01)
    assert response.status_code == 200
    begin.set()
    seen = [part async for part in parts(response)]
    assert seen[0] == b": still here\n\n"
    assert b"context_length_exceeded" in seen[-1]
    assert (await door_streams.answered(caller(user), failing(begin), failed)).status_code == 400
    begun = await door_streams.answered(caller(user), failing(begin, b"data: 1\n\n"), failed)
    assert begun.status_code == 200
    seen = [part async for part in parts(begun)]
    assert seen[0] == b"data: 1\n\n"
    assert b"context_length_exceeded" in seen[-1]


async def test_a_token_that_ended_ends_its_stream(user: User) -> None:
    async def frames() -> AsyncGenerator[bytes]:
        yield b"data: 1\n\n"
        await asyncio.Event().wait()

    ahead = door_streams.Ahead(frames())
    seen = [part async for part in door_streams.awake(caller(user, is_welcome=False), ahead, b"", failed, seconds=0.01)]
    assert b"invalid_token" in seen[-1]
    assert ahead.is_over


async def test_a_response_that_nobody_reads_makes_nothing(user: User) -> None:
    over = asyncio.Event()

    async def frames() -> AsyncGenerator[bytes]:
        try:
            yield b"data: 1\n\n"
            await asyncio.Event().wait()
        finally:
            over.set()

    response = await door_streams.answered(caller(user), frames(), failed)
    response.close()
    await asyncio.wait_for(over.wait(), 60)


async def test_a_client_that_does_not_read_is_not_read_ahead_for_without_end(user: User) -> None:
    made = 0

    async def frames() -> AsyncGenerator[bytes]:
        nonlocal made
        for _ in range(100):
            made += 1
            yield b"x" * 100_000

    ahead = door_streams.Ahead(frames())
    for _ in range(300):
        await asyncio.sleep(0)
    assert made <= 12
    taken = 0
    while not ahead.is_over:
        taken += len(await ahead.next(60))
    assert taken == 100 * 100_000


class Patient(ChatServer):
    """A server process whose server lets it have the whole grace."""

    options = ("--timeout-graceful-shutdown", "60")


Own = tuple[ChatServer, openai.OpenAI]


@pytest.fixture
def own(
    request: pytest.FixtureRequest, user: User, module_provider: ScriptedProvider, transactional_db: None
) -> Iterator[Own]:
    """A server of the test's own, to be ended, with so many seconds of grace, and a client of it."""
    module_provider.reset()
    token = access_tokens.make(user, name="OpenAI's client")[1]
    with (
        Patient(OPENAI_BASE_URL=module_provider.url, CHAT_SHUTDOWN_GRACE=str(request.param)) as server,
        openai.OpenAI(base_url=f"{server.url}/v1", api_key=token, max_retries=0, timeout=60) as client,
    ):
        yield server, client


@pytest.mark.parametrize("own", [1], indirect=True)
@pytest.mark.parametrize("metadata", [None, {"conversation": "new"}], ids=["not kept", "kept"])
def test_a_restart_in_the_middle_is_an_error(
    own: Own, module_provider: ScriptedProvider, metadata: dict[str, str] | None
) -> None:
    server, client = own
    module_provider.always(stream(Text("Half"), Gate("never"), *END))
    chunks = client.chat.completions.create(model="auto", messages=HELLO, stream=True, metadata=metadata)
    assert next(chunk for chunk in chunks if chunk.choices[0].delta.content)
    server.process.terminate()
    with pytest.raises(openai.APIError) as refusal:
        list(chunks)
    assert refusal.value.code == "interrupted"
    server.process.wait(60)
    if metadata:
        assert Generation.objects.get().status == Status.INTERRUPTED


@pytest.mark.parametrize("own", [1], indirect=True)
def test_a_restart_in_the_middle_of_a_response_is_an_error(own: Own, module_provider: ScriptedProvider) -> None:
    server, client = own
    module_provider.always(stream(Text("Half"), Gate("never"), *END))
    events = client.responses.create(model="auto", input="Hello", stream=True)
    assert next(event for event in events if event.type == "response.output_text.delta")
    server.process.terminate()
    with pytest.raises(openai.APIError) as refusal:
        list(events)
    assert refusal.value.code == "interrupted"
    server.process.wait(60)


@pytest.mark.parametrize("own", [30], indirect=True)
def test_a_restart_lets_what_is_not_kept_end_first(own: Own, module_provider: ScriptedProvider) -> None:
    server, client = own
    module_provider.always(stream(Text("Half"), Gate("more"), Text(" whole"), *END))
    chunks = client.chat.completions.create(model="auto", messages=HELLO, stream=True)
    assert next(chunk for chunk in chunks if chunk.choices[0].delta.content)
    server.process.terminate()
    module_provider.gate("more").open()
    rest = list(chunks)
    assert rest[-1].choices[0].finish_reason == "stop"


class Waits(door_streams.Ahead):
    """Notes how long it is waited for."""

    def __init__(self, frames: AsyncGenerator[bytes]) -> None:
        super().__init__(frames)
        self.waits: list[float] = []

    async def next(self, seconds: float) -> bytes:
        self.waits.append(seconds)
        return await super().next(seconds)


async def test_whatever_comes_the_token_is_looked_at_in_time(user: User) -> None:
    async def frames() -> AsyncGenerator[bytes]:
        for number in range(3):
            await asyncio.sleep(0.02)
            yield f"data: {number}\n\n".encode()

    ahead = Waits(frames())
    assert len([part async for part in door_streams.awake(caller(user), ahead, b"", failed)]) == 4
    assert len(ahead.waits) >= 3
    assert ahead.waits == sorted(ahead.waits, reverse=True)
    assert ahead.waits[0] <= streams.SESSION_INTERVAL < 15
