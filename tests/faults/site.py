"""The whole site as a team runs it: a database, a provider, and several server processes."""

import asyncio
import os
import signal
import urllib.request
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self

from prometheus_client.parser import text_string_to_metric_families

from chatbot.telemetry.metrics import PATH
from tests.faults.database import Database
from tests.kit.provider import Request, ScriptedProvider
from tests.kit.server import ChatServer

METRICS_TOKEN = "a token for the faults"
NO_LIMITS = {
    "CHAT_TURNS_PER_MINUTE": "1000000",
    "CHAT_REPLIES_PER_USER": "1000000",
    "CHAT_STREAMS_PER_USER": "1000000",
}


class Process(ChatServer):
    """A server process with a log of its own."""

    threads_at_start = 0
    files_at_start = 0

    @property
    def threads(self) -> int:
        """How many threads it has, where the system tells."""
        return self._count("task")

    @property
    def files(self) -> int:
        """How many files and sockets it has open, where the system tells."""
        return self._count("fd")

    def figures(self) -> dict[str, float]:
        """Its figures without labels, by name, as it tells them."""
        asked = urllib.request.Request(f"{self.url}{PATH}", headers={"Authorization": f"Bearer {METRICS_TOKEN}"})
        with urllib.request.urlopen(asked) as answer:
            families = text_string_to_metric_families(answer.read().decode())
            return {sample.name: sample.value for family in families for sample in family.samples if not sample.labels}

    def start(self) -> None:
        """Start it, wait until it answers, and look at what it has then."""
        super().start()
        self.threads_at_start, self.files_at_start = self.threads, self.files

    def restart(self, **environment: str) -> None:
        """End it in good order and start it again, with these variables beside its own."""
        self.stop()
        self.environment |= environment
        self.start()

    def kill(self) -> None:
        """End it at once, without a word to anybody."""
        self.stop(signal.SIGKILL)

    def _count(self, folder: str) -> int:
        return len(os.listdir(f"/proc/{self.pid}/{folder}")) if Path("/proc/self").exists() else 0


class Site:
    """`async with Site(database, provider, folder, processes=2) as site:`.

    More keyword arguments are environment variables of the server processes.
    """

    def __init__(
        self,
        database: Database,
        provider: ScriptedProvider,
        folder: Path,
        *,
        processes: int = 2,
        kind: type[Process] = Process,
        **environment: str,
    ) -> None:
        self.database = database
        self.provider = provider
        # What it chooses hangs on how often anybody had to ask again, so no seed would repeat it.
        self._balancer = Random()  # noqa: S311 (not a secret)
        environment = (
            database.environment
            | NO_LIMITS
            | {"OPENAI_BASE_URL": provider.url, "METRICS_TOKEN": METRICS_TOKEN}
            | environment
        )
        self.processes = [kind(log=folder / f"{number}.log", **environment) for number in range(processes)]

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.database.empty)
        try:
            await asyncio.gather(*(asyncio.to_thread(process.start) for process in self.processes))
        except BaseException:
            self._end()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self._end)

    @property
    def up(self) -> list[Process]:
        """The processes that run."""
        return [process for process in self.processes if process.is_up]

    @property
    def asking(self) -> list[Request]:
        """The requests to the provider that are not over."""
        return [request for request in self.provider.chats if not request.over.is_set()]

    def any_process(self) -> Process:
        """A process that runs, as a load balancer chooses one; the first while none does."""
        return self._balancer.choice(self.up or self.processes[:1])

    def logs(self) -> str:
        """What the processes have logged so far."""
        return "".join(process.log.read_text(errors="replace") for process in self.processes if process.log)

    def _end(self) -> None:
        for process in self.processes:
            if process.started and process.is_up:
                process.stop()
