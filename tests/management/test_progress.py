"""A command that takes long says how far it is: by a bar on a terminal, by plain lines elsewhere."""

import io
import os
import pty
from collections.abc import Iterator
from contextlib import closing
from typing import TextIO

import pytest
from django.core.management import call_command
from django.core.management.base import OutputWrapper

from conversations.management import progress
from conversations.models import Message

SEED = ("seed_demo", "--users=1", "--conversations=2", "--messages=10", "--force")


class Terminal:
    """A pseudo-terminal, and all that was written to it."""

    def __init__(self, stream: TextIO, end: int) -> None:
        self.stream, self._end = stream, end

    def shown(self) -> str:
        """What stands there so far; nothing can be written after."""
        self.stream.close()
        text = b""
        # Linux answers with an error when the other end is closed and all was read.
        try:
            while part := os.read(self._end, 65_536):
                text += part
        except OSError:
            pass
        return text.decode()


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    end, own = pty.openpty()
    with closing(os.fdopen(own, "w")) as stream:
        yield Terminal(stream, end)
    os.close(end)


def red(text: str) -> str:
    return f"\x1b[31m{text}\x1b[0m"


def test_on_a_terminal_a_bar_grows_on_one_line_and_leaves_nothing(terminal: Terminal) -> None:
    stream = OutputWrapper(terminal.stream)
    stream.style_func = red
    with progress.progress("messages", 20, stream) as bar:
        for _ in range(2):
            bar.update(10)
    shown = terminal.shown()
    assert "\n" not in shown
    assert "\x1b[31m" not in shown
    assert "0/20" in shown.replace("0.00", "0")
    assert shown.rsplit("\r", 2)[1].strip() == ""


@pytest.mark.django_db
def test_a_command_on_a_terminal_shows_a_bar_without_a_line_of_its_own(terminal: Terminal) -> None:
    call_command(*SEED, stdout=io.StringIO(), stderr=terminal.stream)
    shown = terminal.shown()
    assert "messages/s" in shown
    assert "\n" not in shown


@pytest.mark.django_db
def test_elsewhere_a_command_writes_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    errors = io.StringIO()
    call_command(*SEED, stdout=io.StringIO(), stderr=errors)
    assert errors.getvalue().splitlines()[-1] == "10 of 10 messages"
    assert "\r" not in errors.getvalue()
    monkeypatch.undo()
    quick = io.StringIO()
    call_command("prune_conversations", "--older-than=0d", "--no-keep-pinned", stdout=io.StringIO(), stderr=quick)
    assert not Message.objects.exists()
    assert quick.getvalue() == ""
