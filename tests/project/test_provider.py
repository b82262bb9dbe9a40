"""The scripted provider itself: what it plays, what it remembers."""

import asyncio
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection, HTTPResponse, IncompleteRead
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.kit.provider import (
    CATALOGUE,
    END,
    Close,
    Door,
    Gate,
    Reset,
    ScriptedProvider,
    Split,
    Stall,
    Text,
    echo,
    error,
    reply,
    stream,
    tokens,
)

ADDRESS = "/v1/chat/completions"


@pytest.fixture
def connection(provider: ScriptedProvider) -> Iterator[HTTPConnection]:
    """A connection of the simplest client there is."""
    with closing(HTTPConnection(urlsplit(provider.url).netloc, timeout=60)) as opened:
        yield opened


def ask(connection: HTTPConnection, message: str = "Hello", **more: Any) -> HTTPResponse:
    """Ask for a streamed answer; its body is unread."""
    body = {"model": "scripted", "messages": [{"role": "user", "content": message}], "stream": True, **more}
    connection.request("POST", ADDRESS, json.dumps(body), {"Authorization": "Bearer secret"})
    return connection.getresponse()


def chunks(body: bytes) -> list[Any]:
    """The decoded events of a stream, without its end mark."""
    lines = [line.removeprefix("data: ") for line in body.decode().split("\n\n") if line]
    assert lines.pop() == "[DONE]"
    return [json.loads(line) for line in lines]


def text_of(body: bytes) -> str:
    """The answer's text."""
    deltas = [choice["delta"] for chunk in chunks(body) for choice in chunk["choices"]]
    return "".join(delta.get("content", "") for delta in deltas)


def test_without_a_script_the_message_comes_back_as_markdown(
    provider: ScriptedProvider, connection: HTTPConnection
) -> None:
    body = ask(connection, "Good morning").read()
    assert text_of(body) == echo("Good morning").text
    assert "> Good morning" in text_of(body)


def test_tokens_are_counted_only_for_those_who_ask(provider: ScriptedProvider, connection: HTTPConnection) -> None:
    assert all("usage" not in chunk for chunk in chunks(ask(connection).read()))
    asked = ask(connection, stream_options={"include_usage": True}).read()
    assert chunks(asked)[-1]["usage"]["completion_tokens"] > 0


def test_scripts_come_from_the_queue_then_by_rule_then_by_name(
    provider: ScriptedProvider, connection: HTTPConnection
) -> None:
    provider.when("weather", reply("Sunny."))
    provider.play(reply("First."), reply("Second."))
    said = [text_of(ask(connection, message).read()) for message in ("weather", "a", "weather", "script: think")]
    assert said == ["First.", "Second.", "Sunny.", CATALOGUE["think"].text]
    provider.always(reply("Always."))
    assert text_of(ask(connection).read()) == "Always."


def test_a_request_is_remembered(provider: ScriptedProvider, connection: HTTPConnection) -> None:
    ask(connection, "Hello").read()
    (request,) = provider.wait_for_requests(1)
    assert request.path == ADDRESS
    assert request.headers["authorization"] == "Bearer secret"
    assert request.json["messages"] == [{"role": "user", "content": "Hello"}]
    assert request.wait_over()
    assert request.finished
    assert not request.disconnected


def test_a_connection_carries_several_answers(provider: ScriptedProvider, connection: HTTPConnection) -> None:
    for _ in range(3):
        ask(connection).read()
    assert provider.connections == 1


def test_a_gate_holds_the_answer_until_it_is_opened(provider: ScriptedProvider, connection: HTTPConnection) -> None:
    provider.play(stream(Text("before "), Gate("middle"), Text("after"), *END))
    response = ask(connection)
    begun = response.readline()
    assert provider.gate("middle").wait_reached()
    assert b"before" in begun
    assert provider.requests[0].sent == 2
    provider.gate("middle").open()
    assert text_of(begun + response.read()) == "before after"


def test_the_head_of_an_answer_can_be_held_back(provider: ScriptedProvider, connection: HTTPConnection) -> None:
    provider.play(stream(Text("late"), *END, before=(Gate("head"),)))
    opener = threading.Thread(target=open_when_reached, args=(provider.gate("head"),))
    opener.start()
    response = ask(connection)
    assert provider.requests[0].sent >= 1
    assert text_of(response.read()) == "late"
    opener.join()


def open_when_reached(door: Door) -> None:
    """Open a gate as soon as a script stands at it."""
    assert door.wait_reached()
    door.open()


def test_a_client_that_leaves_early_is_noticed(provider: ScriptedProvider, connection: HTTPConnection) -> None:
    provider.play(stream(Text("some"), Stall()))
    response = ask(connection)
    response.readline()
    response.close()
    connection.close()
    (request,) = provider.requests
    assert request.wait_over()
    assert request.disconnected
    assert request.disconnected_at is not None
    assert request.disconnected_at > request.at
    assert not request.finished


def test_split_bytes_add_up(provider: ScriptedProvider, connection: HTTPConnection) -> None:
    provider.play(stream(Split(Text("Grüße 🌍"), tuple(range(1, 170))), *END))
    assert text_of(ask(connection).read()) == "Grüße 🌍"


def test_an_answer_can_end_in_the_middle(provider: ScriptedProvider, connection: HTTPConnection) -> None:
    provider.play(stream(Text("some"), Close()))
    response = ask(connection)
    with pytest.raises(IncompleteRead):
        response.read()


def test_a_connection_can_be_reset(provider: ScriptedProvider, connection: HTTPConnection) -> None:
    provider.play(stream(before=(Reset(),)))
    with pytest.raises(ConnectionResetError):
        ask(connection)


def test_errors_have_status_headers_and_body(provider: ScriptedProvider, connection: HTTPConnection) -> None:
    provider.play(error(429, "Slow down", code="rate_limit_exceeded", headers={"Retry-After": "7"}))
    response = ask(connection)
    assert response.status == 429
    assert response.headers["Retry-After"] == "7"
    assert json.load(response)["error"]["code"] == "rate_limit_exceeded"


def test_an_answer_that_is_not_streamed_is_one_json_object(
    provider: ScriptedProvider, connection: HTTPConnection
) -> None:
    provider.play(reply("All at once."))
    answer = json.load(ask(connection, stream=False))
    assert answer["choices"][0]["message"]["content"] == "All at once."


def test_models_are_listed_and_other_addresses_are_not_found(
    provider: ScriptedProvider, connection: HTTPConnection
) -> None:
    provider.models[:] = ["one", "two"]
    connection.request("GET", "/v1/models")
    assert [model["id"] for model in json.load(connection.getresponse())["data"]] == ["one", "two"]
    connection.request("GET", "/elsewhere")
    assert connection.getresponse().status == 404


async def test_many_streams_run_at_once(provider: ScriptedProvider) -> None:
    provider.always(stream(Text("here"), Gate("all"), Text(" and gone"), *END))
    readers = [asyncio.create_task(read_plainly(provider)) for _ in range(200)]
    await asyncio.to_thread(provider.wait_for_requests, 200)
    provider.gate("all").open()
    assert all(b" and gone" in body for body in await asyncio.gather(*readers))


async def read_plainly(provider: ScriptedProvider) -> bytes:
    """Ask over a bare socket; return the raw answer."""
    host, _, port = urlsplit(provider.url).netloc.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    body = b'{"stream": true, "messages": []}'
    writer.write(b"POST %b HTTP/1.1\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % (ADDRESS.encode(), len(body)))
    writer.write(body)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


def test_it_runs_as_a_process_of_its_own() -> None:
    command = [
        sys.executable,
        "-m",
        "tests.kit.provider",
        "--port",
        "0",
        "--tokens",
        "3",
        "--interval",
        "0",
        "--first",
        "0",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = urlsplit(process.stdout.readline().strip())
        body = {"stream": True, "messages": [{"role": "user", "content": "Hello"}]}
        with closing(HTTPConnection(address.netloc, timeout=60)) as connection:
            connection.request("POST", f"{address.path}/chat/completions", json.dumps(body))
            assert text_of(connection.getresponse().read()) == tokens(3).text
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
