"""How one answer among many is read from the network."""

import asyncio
from contextlib import suppress

from chatbot.embedded.model import Endpoint
from conversations.llm import client
from conversations.llm.reading import _Body
from tests.kit.provider import END, Gate, ScriptedProvider, Text, stream

WAIT_SECONDS = 20


async def test_nothing_of_an_answer_is_read_while_it_gathers(provider: ScriptedProvider) -> None:
    provider.play(stream(Text("One "), Gate("more"), Text("two"), *END))
    request = {"model": "scripted", "messages": [{"role": "user", "content": "Count"}], "stream": True}
    deadline = asyncio.get_running_loop().time() + WAIT_SECONDS
    async with client.opened(Endpoint(provider.url, "a key", "scripted"), request, deadline) as response:
        body = _Body(response)
        assert b"One " in await body.next()
        assert body._answer
        assert body._answer.connection
        transport = body._answer.connection.transport
        assert isinstance(transport, asyncio.ReadTransport)
        assert transport.is_reading()
        gathering = asyncio.create_task(body.gather(WAIT_SECONDS))
        await asyncio.sleep(0)
        assert not transport.is_reading()
        gathering.cancel()
        with suppress(asyncio.CancelledError):
            await gathering
        assert transport.is_reading()
        provider.gate("more").open()
        came = b""
        while packet := await body.next():
            came += packet
        assert b"two" in came
    await client.close()
