"""The local model: an OpenAI-compatible endpoint that is there when it is needed, for this checkout alone."""

import json
import os
import signal
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest
from pytest_django import Settings

from chatbot.embedded import model
from chatbot.embedded.locks import is_held, open_lock, wait_for_lock
from tests.support.embedded_user import EmbeddedUser

PROMPT = "What is the capital of France?"
MESSAGES = [
    {"role": "system", "content": "You are a helpful assistant. Answer briefly and clearly."},
    {"role": "user", "content": PROMPT},
]


@pytest.fixture(scope="module")
def var() -> Iterator[Path]:
    """A folder for the model's process."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def user(var: Path) -> Iterator[EmbeddedUser]:
    """A process that uses the model."""
    with EmbeddedUser(var) as process:
        yield process


def post(endpoint: dict[str, str], key: str, **fields: object) -> list[bytes]:
    """The lines of the answer to a chat completion."""
    body = {"model": endpoint["model"], "messages": MESSAGES, **fields}
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    with urlopen(Request(f"{endpoint['base_url']}/chat/completions", json.dumps(body).encode(), headers)) as answer:
        return [line for line in answer.read().splitlines() if line]


def streamed_text(lines: list[bytes]) -> str:
    """The text of a streamed chat completion, which ends as the protocol says."""
    assert lines[-1] == b"data: [DONE]"
    chunks = [json.loads(line.removeprefix(b"data: ")) for line in lines[:-1]]
    return "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])


def test_looking_whether_it_is_there_starts_nothing(settings: Settings, tmp_path: Path) -> None:
    settings.EMBEDDED_DIR = tmp_path
    assert model.available()
    assert not list(tmp_path.iterdir())


def test_it_answers_in_a_stream_what_it_knows(user: EmbeddedUser) -> None:
    endpoint = user.ask("endpoint")
    assert "Paris" in streamed_text(post(endpoint, endpoint["api_key"], stream=True))


def test_it_answers_only_on_this_machine_and_only_with_the_key(user: EmbeddedUser, var: Path) -> None:
    endpoint = user.ask("endpoint")
    assert urlsplit(endpoint["base_url"]).hostname == "127.0.0.1"
    with pytest.raises(HTTPError) as refused:
        post(endpoint, "another key")
    assert refused.value.code == 401
    refused.value.close()
    assert stat.S_IMODE((var / "model/state.json").stat().st_mode) == 0o600


def test_what_is_said_is_not_in_its_log(user: EmbeddedUser, var: Path) -> None:
    endpoint = user.ask("endpoint")
    post(endpoint, endpoint["api_key"])
    log = (var / "model/log").read_text()
    assert PROMPT not in log
    assert "Paris" not in log


def test_two_processes_share_one_model(user: EmbeddedUser, var: Path) -> None:
    with EmbeddedUser(var) as another:
        assert another.ask("endpoint") == user.ask("endpoint")


def test_a_reader_who_leaves_ends_the_reply(user: EmbeddedUser) -> None:
    endpoint = user.ask("endpoint")
    address = urlsplit(endpoint["base_url"])
    body = json.dumps(
        {"messages": [{"role": "user", "content": "Count."}], "stream": True, "ignore_eos": True, "max_tokens": 4000}
    )
    request = (
        f"POST {address.path}/chat/completions HTTP/1.1\r\nHost: {address.netloc}\r\n"
        f"Authorization: Bearer {endpoint['api_key']}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    )
    # More endless replies than the model makes at once: the last begins only if those before it have ended.
    for _ in range(5):
        with socket.create_connection((address.hostname, address.port), timeout=60) as connection:
            connection.sendall(request.encode())
            received = b""
            while b'"content":"' not in received:
                assert (part := connection.recv(65536))
                received += part


def test_a_killed_process_is_replaced_at_the_next_call(user: EmbeddedUser, var: Path) -> None:
    before = user.ask("endpoint")
    os.kill(json.loads((var / "model/state.json").read_text())["keeper"], signal.SIGKILL)
    lock = open_lock(var / "model/keeper.lock")
    assert wait_for_lock(lock, exclusive=False, seconds=60)
    os.close(lock)
    after = user.ask("endpoint")
    assert after != before
    assert "Paris" in streamed_text(post(after, after["api_key"], stream=True))
    with pytest.raises(URLError):
        post(before, before["api_key"])


def test_the_last_user_ends_it(user: EmbeddedUser, var: Path) -> None:
    user.ask("endpoint")
    lock = open_lock(var / "model/keeper.lock")
    assert is_held(lock)
    user.leave()
    assert wait_for_lock(lock, exclusive=True, seconds=60)
    os.close(lock)
