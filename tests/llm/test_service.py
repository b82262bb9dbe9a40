"""The service module over real HTTP: events, retries, time-outs, connections."""

import asyncio
import gc
import gzip
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import Any

import pytest
from pytest_django import Settings

from conversations.llm import service as llm
from conversations.llm.service import Finish, ReasoningDelta, TextDelta, Usage
from tests.kit.provider import (
    END,
    Close,
    Done,
    Raw,
    Reasoning,
    Script,
    ScriptedProvider,
    Split,
    Stall,
    Text,
    error,
    reply,
    stream,
    whole,
)
from tests.kit.provider import Finish as FinishStep
from tests.kit.provider import Usage as UsageStep
from tests.support.asking import QUESTION, events, over, text

ANSWER = reply("It is Paris.")


@pytest.fixture(autouse=True)
def configured(settings: Settings, provider: ScriptedProvider) -> None:
    """The scripted provider is the site's provider; retries come almost at once."""
    settings.OPENAI_BASE_URL = provider.url
    settings.OPENAI_API_KEY = "sk-secret-key"
    settings.CHAT_MODELS = ["scripted"]
    settings.CHAT_RETRY_MAX_WAIT = 0.02


async def test_text_then_usage_then_the_finish(provider: ScriptedProvider) -> None:
    provider.play(stream(Text("It is "), Text("Paris."), FinishStep("length"), UsageStep(12, 3), Done()))
    assert await events() == [TextDelta("It is "), TextDelta("Paris."), Usage(12, 3), Finish("length")]


async def test_the_request_is_what_every_provider_understands(provider: ScriptedProvider) -> None:
    await events()
    (request,) = provider.chats
    assert request.json == {
        "model": "scripted",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "What is the capital of France?"},
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert request.headers["authorization"] == "Bearer sk-secret-key"


async def test_a_server_without_a_key_gets_a_harmless_one(provider: ScriptedProvider, settings: Settings) -> None:
    settings.OPENAI_API_KEY = ""
    await events()
    assert provider.chats[0].headers["authorization"] == "Bearer none"
    assert "user" not in provider.chats[0].json


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
async def test_reasoning_is_told_from_text(provider: ScriptedProvider, field: str) -> None:
    provider.play(stream(Reasoning("Hmm, ", field), Reasoning("France.", field), Text("Paris."), *END))
    assert (await events())[:3] == [ReasoningDelta("Hmm, "), ReasoningDelta("France."), TextDelta("Paris.")]


async def test_a_leading_think_tag_is_reasoning(provider: ScriptedProvider) -> None:
    provider.play(stream(Text("<thi"), Text("nk>Hmm"), Text(".</th"), Text("ink>\n\nPa"), Text("ris."), *END))
    came = await events()
    assert "".join(one.text for one in came if isinstance(one, ReasoningDelta)) == "Hmm."
    assert "".join(one.text for one in came if isinstance(one, TextDelta)) == "Paris."


ODD_CHUNKS = (
    b": ping\n\n",
    b'event: chunk\nid: 1\ndata: {"choices":[{"delta":{"role":"assistant","content":null,"tool_calls":null}}]}\n\n',
    b'data:{"choices":[{"index":0,"delta":{"content":"Par"},"finish_reason":null,"new":{"a":[1]}}],"x":null}\r\n\r\n',
    b'data: {"choices":[{"index":1,"delta":{"content":"NO"}},\ndata: {"index":0,"delta":{"content":"is"}}]}\n\n',
    b'data: {"choices":null}\n\ndata: {"choices":[{"delta":null}],"usage":null}\r\rdata: {}\n\n',
)


async def test_odd_but_legal_streams_are_read(provider: ScriptedProvider) -> None:
    provider.play(stream(*map(Raw, ODD_CHUNKS), *END))
    assert await text() == "Paris"


async def test_events_may_be_split_over_packets_anywhere(provider: ScriptedProvider) -> None:
    provider.play(stream(Split(Text("Grüße, 世界 🌍"), tuple(range(3, 200, 7))), *END))
    provider.play(stream(Split(Text("Grüße, 世界 🌍"), tuple(range(130, 190))), *END))
    assert [await text(), await text()] == ["Grüße, 世界 🌍"] * 2


async def test_a_megabyte_in_one_event_is_read(provider: ScriptedProvider) -> None:
    provider.play(stream(Text("0123456789" * 100_000), *END))
    assert len(await text()) == 1_000_000


@pytest.mark.parametrize("end", [(FinishStep(), UsageStep()), (Done(),), (FinishStep(), Close())])
async def test_a_whole_answer_needs_no_perfect_end(provider: ScriptedProvider, end: tuple[Any, ...]) -> None:
    provider.play(stream(Text("Paris."), *end))
    assert await text() == "Paris."


async def test_a_provider_that_stays_silent_after_the_finish_is_not_waited_for(provider: ScriptedProvider) -> None:
    provider.play(stream(Text("Paris."), FinishStep(), Done(), Stall()))
    # Less than the time-outs of the settings are.
    async with asyncio.timeout(50):
        assert (await events())[-1] == Finish("stop")
    assert (await over(provider.chats[0])).disconnected


async def test_an_answer_in_one_piece_is_taken(provider: ScriptedProvider) -> None:
    provider.play(whole("<think>Hmm.</think>Paris."))
    assert await events() == [ReasoningDelta("Hmm."), TextDelta("Paris."), Usage(7, 5), Finish("stop")]


async def test_a_compressed_answer_is_read(provider: ScriptedProvider) -> None:
    lines = b'data: {"choices":[{"delta":{"content":"Paris."},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    provider.play(Script((Raw(gzip.compress(lines)),), headers=(("Content-Encoding", "gzip"),)))
    assert await text() == "Paris."
    assert provider.chats[0].headers["accept-encoding"] == "identity"


async def test_usage_is_asked_for_again_without_the_option_that_a_provider_does_not_know(
    provider: ScriptedProvider,
) -> None:
    provider.play(error(400, "Unrecognized request argument: stream_options"), ANSWER, ANSWER)
    assert [await text(), await text()] == ["It is Paris."] * 2
    assert ["stream_options" in request.json for request in provider.chats] == [True, False, False]


@pytest.mark.parametrize("steps", [(Text("It is "), Stall()), (Stall(),)])
async def test_cancelling_the_task_hangs_up(provider: ScriptedProvider, steps: tuple[Any, ...]) -> None:
    provider.play(stream(*steps))
    task = asyncio.create_task(text())
    (request,) = await asyncio.to_thread(provider.wait_for_requests)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await over(request)).disconnected


async def test_closing_the_generator_hangs_up(provider: ScriptedProvider) -> None:
    provider.play(stream(Text("It is "), Stall()))
    async with aclosing(llm.stream(QUESTION, model="scripted")) as reply_events:
        assert await anext(reply_events) == TextDelta("It is ")
    assert (await over(provider.chats[0])).disconnected


async def test_connections_are_kept_for_the_next_reply(provider: ScriptedProvider) -> None:
    for _ in range(3):
        await text()
    assert provider.connections == 1
    await asyncio.gather(*(text() for _ in range(20)))
    assert 1 < provider.connections <= 20


async def test_closing_ends_the_connections_and_the_next_reply_opens_one(provider: ScriptedProvider) -> None:
    provider.always(ANSWER)
    await asyncio.gather(text(), text())
    await llm.aclose()
    await asyncio.to_thread(provider.wait_for_silence)
    await llm.aclose()
    assert await text() == "It is Paris."


def test_each_event_loop_has_connections_of_its_own(provider: ScriptedProvider) -> None:
    provider.always(ANSWER)
    assert [asyncio.run(text()) for _ in range(3)] == ["It is Paris."] * 3
    provider.wait_for_silence()


def test_loops_in_several_threads_do_not_disturb_each_other(provider: ScriptedProvider) -> None:
    provider.always(ANSWER)
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda _: asyncio.run(text()), range(8))) == ["It is Paris."] * 8


async def test_a_client_of_a_loop_that_ended_unfinished_is_dropped(provider: ScriptedProvider) -> None:
    provider.always(ANSWER)
    await asyncio.to_thread(ask_on_a_loop_that_is_left_open)
    with warnings.catch_warnings():
        # The sockets of a loop that nobody ended properly can only be collected.
        warnings.simplefilter("ignore", ResourceWarning)
        assert await text() == "It is Paris."
        gc.collect()


def ask_on_a_loop_that_is_left_open() -> None:
    """Run a loop and close it without the steps that `asyncio.run` takes at the end."""
    loop = asyncio.new_event_loop()
    loop.run_until_complete(text())
    loop.close()


async def test_the_demo_model_answers_without_any_configuration(settings: Settings) -> None:
    settings.OPENAI_BASE_URL = settings.OPENAI_API_KEY = ""
    settings.CHAT_MODELS = ["never-asked"]
    assert llm.is_demo()
    assert llm.default_model() == "SmolLM2-135M-Instruct"
    came = await events()
    assert any(isinstance(event, TextDelta) for event in came)
    assert isinstance(came[-2], Usage)
    assert came[-1] == Finish("stop")


@pytest.mark.parametrize(
    ("address", "models", "expected"),
    [
        ("", [], "gpt-5.4-mini"),
        ("https://api.openai.com/v1", [], "gpt-5.4-mini"),
        ("", ["a", "b"], "a"),
        ("http://localhost:11434/v1", ["a", "b"], "a"),
        ("http://localhost:11434/v1", [], "auto"),
    ],
)
def test_the_default_model_suits_the_server(settings: Settings, address: str, models: list[str], expected: str) -> None:
    settings.OPENAI_BASE_URL = address
    settings.CHAT_MODELS = models
    assert not llm.is_demo()
    assert llm.default_model() == expected


async def test_without_a_model_name_the_first_that_the_server_lists_is_asked(provider: ScriptedProvider) -> None:
    provider.models[:] = ["llama", "mistral"]
    for _ in range(2):
        _ = [event async for event in llm.stream(QUESTION, model="auto")]
    assert [request.json["model"] for request in provider.chats] == ["llama", "llama"]
    assert len(provider.requests) == 3


async def test_a_server_on_this_machine_is_asked_without_a_proxy(
    monkeypatch: pytest.MonkeyPatch, closed_port: int
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port}")
    monkeypatch.setenv("NO_PROXY", "")
    assert await text()


def test_the_client_is_loaded_when_it_is_needed_and_not_before() -> None:
    program = (
        "import asyncio, sys; from conversations.llm import service as llm;"
        "assert 'openai' not in sys.modules; asyncio.run(llm.warm_up()); assert 'openai' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
