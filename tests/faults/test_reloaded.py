"""Server processes that start again because code has changed, in the middle of replies."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import pytest

from tests.faults.conftest import NewSite
from tests.faults.invariants import all_hold, settled
from tests.faults.person import PATIENCE, Person
from tests.faults.site import Process
from tests.faults.speech import Speech
from tests.faults.test_terminated import held_in_the_middle
from tests.kit.server import ROOT

COPIED, LINKED = "chatbot", ("accounts", "conversations", "static", "templates", "tests", "tools")
"""The package that is watched, whose copy says where the site is; and what the copy of the site needs besides."""


class RunServer(Process):
    """The chat under `manage.py runserver`, in a copy of the site, whose code may change."""

    command: ClassVar[list[str]] = ["manage.py", "runserver"]

    def start(self) -> None:
        """Start it on a free port and wait until it answers."""
        self.folder.mkdir()
        self.copy()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, *self.command, *self.arguments(port)]
        assert self.log
        with self.log.open("ab") as log:
            # What it starts ends with it, however the test ends.
            self._process = subprocess.Popen(
                command, cwd=self.folder, env=self._environment(), stdout=log, stderr=log, start_new_session=True
            )
        self._wait()
        self.threads_at_start, self.files_at_start = self.threads, self.files

    def stop(self, signal_number: signal.Signals = signal.SIGTERM) -> None:
        """End it and what it started."""
        try:
            super().stop(signal_number)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    @property
    def folder(self) -> Path:
        """Where it is started."""
        assert self.log
        return self.log.with_suffix(".site")

    def copy(self) -> None:
        """Make the site, in which the reloader is on as it is for a developer."""
        shutil.copytree(ROOT / COPIED, self.folder / COPIED, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "manage.py", self.folder)
        for name in LINKED:
            (self.folder / name).symlink_to(ROOT / name)
        (self.folder / "debugging.py").write_text("from tests.settings import *\n\nDEBUG = True\n")
        self.environment["DJANGO_SETTINGS_MODULE"] = "debugging"

    def arguments(self, port: int) -> list[str]:
        """What follows the command."""
        return [str(port)]

    def change_code(self) -> None:
        """Do what an editor does that saves a file."""
        (self.folder / COPIED / "saved.py").write_text("")


class Uvicorn(RunServer):
    """The chat under `uvicorn --reload`, which watches a folder."""

    command: ClassVar[list[str]] = ["-m", "uvicorn", "chatbot.asgi:application", "--lifespan", "on", "--reload"]

    def copy(self) -> None:
        """Make the folder that is watched."""
        (self.folder / COPIED).mkdir()

    def arguments(self, port: int) -> list[str]:
        """What follows the command."""
        return ["--app-dir", str(ROOT), "--port", str(port), "--reload-dir", str(self.folder / COPIED)]


@pytest.mark.full
@pytest.mark.parametrize("kind", [RunServer, Uvicorn])
async def test_a_reload_in_mid_reply_hands_it_to_the_new_process(new_site: NewSite, kind: type[RunServer]) -> None:
    async with new_site(processes=1, kind=kind, CHAT_SHUTDOWN_GRACE="0.1") as site, Person(site) as person:
        (only,) = site.processes
        assert isinstance(only, RunServer)
        site.provider.answer(held_in_the_middle)
        turn = await person.ask(Speech(10))
        watching = asyncio.create_task(person.watch(turn))
        await asyncio.to_thread(site.provider.wait_for_requests, 1)
        await settled(lambda: not any(screen.text for screen in turn.screens), "no word")
        only.change_code()
        # The old process lets its viewer go though the model has not ended; the new one begins again.
        await asyncio.to_thread(site.provider.wait_for_requests, 2, PATIENCE)
        site.provider.gate("rest").open()
        screen = await watching
        assert screen.connections > 1
        assert len(site.provider.chats) == 2
        await all_hold(site, person)
