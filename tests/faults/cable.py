"""What lies between the site and its database, and may be cut: a network, a pooler, an address that moves."""

import asyncio
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from chatbot.embedded.postgres.sockets import SOCKET_NAME
from tests.faults.database import NAME, Database

CHUNK = 65_536


class Cable(Database):
    """`async with Cable(database) as cable:` is the database as one reaches it through a port of its own."""

    def __init__(self, database: Database) -> None:
        self.__dict__.update(vars(database))
        self._socket = Path(self._sockets) / SOCKET_NAME
        self._carrying = set[asyncio.Task[None]]()
        self._flows = asyncio.Event()
        self._port = 0
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        await self.mend()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.break_off()

    @property
    def environment(self) -> dict[str, str]:
        """What a process of the site has to know."""
        return super().environment | {"TEST_DATABASE_URL": f"postgres://postgres@127.0.0.1:{self._port}/{NAME}"}

    async def mend(self) -> None:
        """Take connections, at the same port as before, and pass everything on."""
        self._flows.set()
        if self._server and self._server.is_serving():
            return
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def break_off(self) -> None:
        """End every connection and refuse new ones; the database itself goes on."""
        if self._server:
            self._server.close()
        for task in self._carrying:
            task.cancel()
        await asyncio.gather(*self._carrying, return_exceptions=True)

    async def fall_silent(self) -> None:
        """Take connections and whatever is sent, and pass nothing on until it is mended."""
        self._flows.clear()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._carrying.add(task)
        try:
            database_reader, database_writer = await asyncio.open_unix_connection(self._socket)
            try:
                await asyncio.gather(self._copy(reader, database_writer), self._copy(database_reader, writer))
            finally:
                database_writer.close()
        finally:
            writer.close()
            self._carrying.discard(task)

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what comes, until one side has ended: then the other ends too."""
        with suppress(ConnectionError):
            while data := await reader.read(CHUNK):
                await self._flows.wait()
                writer.write(data)
                await writer.drain()
        writer.close()
