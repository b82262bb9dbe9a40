"""What is outside of the site: tools act on it, and it remembers how often; and where processes can be held."""

import threading
from collections import Counter
from socketserver import StreamRequestHandler, ThreadingTCPServer
from types import TracebackType
from typing import Self

import psycopg

from tests.faults.database import NAME, TESTS, Database

PATIENCE = 60.0

GATES = """
CREATE OR REPLACE FUNCTION faults_gate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtext(TG_ARGV[0] || coalesce(to_jsonb(NEW) ->> TG_ARGV[1], '')));
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER faults_gate BEFORE INSERT ON conversations_replyround
    FOR EACH ROW EXECUTE FUNCTION faults_gate('round', '');
CREATE OR REPLACE TRIGGER faults_gate BEFORE UPDATE OF state ON conversations_toolcall
    FOR EACH ROW WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION faults_gate('call ', 'state');
CREATE OR REPLACE TRIGGER faults_gate BEFORE UPDATE OF status ON conversations_generation
    FOR EACH ROW WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION faults_gate('reply ', 'status');
"""
"""SQL after which each step of a reply and its calls waits in the database while its gate is closed."""

HELD = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


class Gate:
    """A step that the site's processes cannot take, for a `with` block: `round`, `call done`, `reply complete`."""

    def __init__(self, database: Database, step: str) -> None:
        self._step = step
        sockets = database.environment["TEST_DATABASE_URL"].partition("host=")[2]
        self._connection = psycopg.connect(
            host=sockets, user="postgres", dbname=NAME, autocommit=True, application_name=TESTS
        )

    def __enter__(self) -> Self:
        self._connection.execute(GATES)
        self._connection.execute("SELECT pg_advisory_lock(hashtext(%s))", [self._step])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._connection.close()

    def held(self) -> int:
        """How many statements wait at it."""
        row = self._connection.execute(HELD).fetchone()
        return int(row[0]) if row else 0


class World:
    """`with World() as world:` tools tell it what they do; `world.address` is where they do so."""

    def __init__(self) -> None:
        self.told = Counter[tuple[str, str]]()
        """How often a call, by its key, has said a thing."""
        self._closed = ""
        self._waiting = 0
        self._changed = threading.Condition()
        world = self

        class Handler(StreamRequestHandler):
            def handle(self) -> None:
                key, what = self.rfile.readline().decode().split()
                world._hear(key, what)
                # Whoever spoke may have been killed meanwhile.
                self.wfile.write(b"+")

        ThreadingTCPServer.daemon_threads = True
        self._server = ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="world", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.open()
        self._server.shutdown()
        self._server.server_close()

    @property
    def address(self) -> str:
        """Where tools reach it, as `host:port`."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def did(self, key: str) -> int:
        """How often this call has acted on the world."""
        return self.told[key, "did"]

    def close(self, what: str) -> None:
        """Let tools that say this wait."""
        with self._changed:
            self._closed, self._waiting = what, 0

    def open(self) -> None:
        """Let all tools go on."""
        self.close("")
        with self._changed:
            self._changed.notify_all()

    def held(self) -> int:
        """How many tools wait, or waited until they were killed."""
        with self._changed:
            return self._waiting

    def _hear(self, key: str, what: str) -> None:
        with self._changed:
            self.told[key, what] += 1
            if what == self._closed:
                self._waiting += 1
                self._changed.wait_for(lambda: self._closed != what, PATIENCE)
