"""Export and import of a large account: time, and the server's memory meanwhile."""

import http.client
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from django.db import connection

from accounts.models import User
from benchmarks import machine
from benchmarks.figures import Figure, Report
from benchmarks.people import Person, sign_in
from benchmarks.site import Server, Site
from conversations.models import Conversation, Message

CONVERSATIONS, MESSAGES, CHARACTERS = 1_000, 50, 2_000
"""Conversations, messages of each, characters of each message: 50,000 messages, 100 MB of text."""

SAMPLE_SECONDS = 0.05
PIECE = 1024 * 1024
MEGABYTE = 1_000_000
BOUNDARY = "benchmark"
HEAD = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="export.json"\r\n'
    "Content-Type: application/json\r\n\r\n"
).encode()
FOOT = f"\r\n--{BOUNDARY}--\r\n".encode()

FILL = """
INSERT INTO conversations_conversation (id, user_id, title, created_at, updated_at)
SELECT gen_random_uuid(), %(user)s, 'Conversation ' || number, now() - number * interval '1 hour',
    now() - number * interval '1 hour'
FROM generate_series(1, %(conversations)s) AS number;

INSERT INTO conversations_message (id, conversation_id, user_id, role, content, created_at)
SELECT gen_random_uuid(), id, user_id, CASE WHEN turn %% 2 = 0 THEN 'user' ELSE 'assistant' END,
    left(repeat(md5(id::text || turn) || ' ', 100), %(characters)s), created_at + turn * interval '1 second'
FROM conversations_conversation, generate_series(0, %(messages)s - 1) AS turn WHERE user_id = %(user)s;

UPDATE conversations_message AS reply SET parent_id = asked.id
FROM conversations_message AS asked
WHERE asked.conversation_id = reply.conversation_id AND asked.created_at = reply.created_at - interval '1 second';

INSERT INTO conversations_generation
    (message_id, conversation_id, status, model, draft, worker, error_code, error_detail, error)
SELECT id, conversation_id, 'complete', 'scripted', '', '', '', '', ''
FROM conversations_message WHERE role = 'assistant' AND user_id = %(user)s;

ANALYZE conversations_conversation, conversations_message, conversations_generation;
"""


@dataclass(slots=True)
class Cost:
    """The cost of a transfer: seconds, and the most bytes of memory above the value before."""

    seconds: float = 0
    memory: int = 0


def measure(site: Site, *, conversations: int = CONVERSATIONS) -> Report:
    """Export one person's conversations, then import the file twice for another person."""
    owner, other = sign_in(2)
    _fill(owner.user, conversations)
    with site.server() as server, tempfile.TemporaryFile() as file:
        # The first requests load code, which is not a cost of the transfer.
        _get(server, owner, "/export/", None)
        with _costs(server) as export:
            size = _get(server, owner, "/export/?format=json", file)
        with _costs(server) as archive:
            _get(server, owner, "/export/?format=markdown", None)
        with _costs(server) as first:
            _import(server, other, file)
        imported = Message.objects.owned_by(other.user).count()
        with _costs(server) as second:
            _import(server, other, file)
    troubles = [] if imported == conversations * MESSAGES else [f"Only {imported} messages were imported."]
    figures = [Figure("size of the export", size / MEGABYTE, "MB"), Figure("messages in it", imported, "")]
    for name, cost in {
        "export as JSON": export,
        "export as Markdown, zipped": archive,
        "import into another account": first,
        "import of what is here": second,
    }.items():
        figures += [
            Figure(name, cost.seconds, "s"),
            Figure(f"memory above what was, {name}", cost.memory / MEGABYTE, "MB", most=60),
        ]
    return Report(figures, troubles=troubles)


def _fill(user: User, conversations: int) -> None:
    with connection.cursor() as cursor:
        parameters = {"conversations": conversations, "messages": MESSAGES, "characters": CHARACTERS}
        cursor.execute(FILL, parameters | {"user": user.pk})
    if Conversation.objects.owned_by(user).count() != conversations:
        raise RuntimeError("the account was not filled")


@contextmanager
def _costs(server: Server) -> Iterator[Cost]:
    """Measure what happens in the `with` block."""
    cost, ended = Cost(), threading.Event()
    before = machine.resident_bytes(server.pid)

    def sample() -> None:
        while not ended.wait(SAMPLE_SECONDS):
            cost.memory = max(cost.memory, machine.resident_bytes(server.pid) - before)

    thread = threading.Thread(target=sample)
    thread.start()
    begin = time.perf_counter()
    try:
        yield cost
    finally:
        cost.seconds = time.perf_counter() - begin
        ended.set()
        thread.join()


def _get(server: Server, person: Person, path: str, file: IO[bytes] | None) -> int:
    """Read the whole response, into the file if there is one; returns its size in bytes."""
    client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=300)
    client.request("GET", path, headers={"Cookie": person.cookies})
    size = 0
    with client.getresponse() as answer:
        if answer.status != http.HTTPStatus.OK:
            raise RuntimeError(f"{path} was answered with {answer.status}")
        while piece := answer.read(PIECE):
            size += len(piece)
            if file:
                file.write(piece)
    client.close()
    return size


def _import(server: Server, person: Person, file: IO[bytes]) -> None:
    """Send the file as a browser does, and read the results to their end."""
    size = file.seek(0, 2)
    file.seek(0)
    client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=300)

    def body() -> Iterator[bytes]:
        yield HEAD
        while piece := file.read(PIECE):
            yield piece
        yield FOOT

    headers = {
        "Cookie": person.cookies,
        "X-CSRFToken": person.csrf_token,
        "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
        "Content-Length": str(len(HEAD) + size + len(FOOT)),
    }
    client.request("POST", "/import/", body(), headers)
    with client.getresponse() as answer:
        if answer.status != http.HTTPStatus.OK or b"Done: " not in answer.read():
            raise RuntimeError(f"the import was answered with {answer.status}")
    client.close()
