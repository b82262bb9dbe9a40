"""`manage.py runserver` serves a stream as a stream."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command

from accounts.models import User
from conversations.actions import turns
from conversations.management.commands.runserver import address
from tests.kit.provider import END, Gate, ScriptedProvider, Text, stream
from tests.kit.server import ROOT, ChatServer
from tests.support.viewer import Stream
from tests.support.visitor import Visitor


class RunServer(ChatServer):
    """The chat as `manage.py runserver` serves it, at this address of the machine."""

    def __init__(self, *, at: str = "", log: Path | None = None, **environment: str) -> None:
        super().__init__(log=log, **environment)
        self.at = at

    def start(self) -> None:
        """Start it on a free port and wait until it answers."""
        host = "[::1]" if self.at == "[::1]" else "127.0.0.1"
        port = self._kept_port(host.strip("[]"))
        self.url = f"http://{host}:{port}"
        where = f"{self.at}:{port}" if self.at else str(port)
        command = [sys.executable, "manage.py", "runserver", "--noreload", where]
        self._process = subprocess.Popen(command, cwd=ROOT, env=self._environment(), stdout=subprocess.DEVNULL)
        self._wait()


@pytest.fixture(scope="module")
def module_server(django_db_setup: None, module_provider: ScriptedProvider) -> Iterator[ChatServer]:
    """The command, running."""
    with RunServer(OPENAI_BASE_URL=module_provider.url) as server:
        yield server


def test_a_stream_arrives_while_it_is_made(server: ChatServer, user: User, module_provider: ScriptedProvider) -> None:
    module_provider.play(stream(Text("One "), Gate("more"), Text("two."), *END))
    turn = turns.send(user, text="Count")
    with Stream(server, user, turn.reply) as viewer:
        events = viewer.events()
        seen = ""
        while "One" not in seen:
            seen += next(events)[1]
        assert "two." not in seen
        module_provider.gate("more").open()
        assert viewer.last()[0] == "end"


def test_in_debug_too_what_was_typed_into_a_conversation_that_is_gone_is_given_back(
    user: User, transactional_db: None
) -> None:
    address, typed = f"/c/{UUID(int=7)}/", "Are you there?"
    with RunServer(DEBUG="true") as server:
        line = Visitor(server, user).post(address, {"message": typed}, HX_Request="true")
        page = Visitor(server, user).post(address, {"message": typed})
    assert (line.status, page.status) == (404, 404)
    assert "Send in a new chat" in line.text
    assert "What you typed" in page.text
    assert typed in page.text


def test_an_interrupt_ends_it_soon_though_a_stream_is_open(
    django_db_setup: None, user: User, transactional_db: None, provider: ScriptedProvider
) -> None:
    provider.play(stream(Text("One "), Gate("never")))
    with RunServer(OPENAI_BASE_URL=provider.url) as server:
        turn = turns.send(user, text="Count")
        with Stream(server, user, turn.reply) as viewer:
            events = viewer.events()
            while "One" not in next(events)[1]:
                pass
            os.kill(server.pid, signal.SIGINT)
            server.process.wait(60)
    turn.reply.generation.refresh_from_db()
    assert (turn.reply.generation.status, turn.reply.generation.draft) == ("interrupted", "One ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8000", ("127.0.0.1", 8000)),
        ("192.0.2.1:80", ("192.0.2.1", 80)),
        ("[::1]:8123", ("::1", 8123)),
        ("localhost:1", ("localhost", 1)),
    ],
)
def test_an_address_is_read_as_django_reads_it(text: str, expected: tuple[str, int]) -> None:
    assert address(text) == expected


@pytest.mark.parametrize("text", ["", "x", "80.5", "127.0.0.1:", "1:99999", "::1:x", "a:b:80"])
def test_nonsense_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(CommandError, match="is not a port"):
        call_command("runserver", text)


def test_a_taken_port_is_refused_with_a_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CommandError, match=f"127.0.0.1:{port} cannot be used"):
            call_command("runserver", str(port))
