"""Texts that are expensive to render: what a page of them, and a live reply, cost other people."""

import http.client
import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from uuid_utils.compat import uuid7

from benchmarks import machine, transfer
from benchmarks.client import STREAM_PATH
from benchmarks.figures import Figure, Report, disturbance
from benchmarks.people import Person, sign_in
from benchmarks.rounds import cpu, spent
from benchmarks.site import Server, Site, asking
from benchmarks.table import table
from conversations.models import Conversation
from conversations.transfer.documents import FORMAT, VERSION
from tests.kit.hostile import hostile
from tests.kit.provider import ScriptedProvider
from tests.kit.provider.script import Done, Finish, Script, Text

MEGABYTE = 1_000_000
PAGE_SIZE, LIVE_SIZE = 1_000_000, 200_000
REPLIES = 4
AT_ONCE = 4
"""Number of hostile pages opened at the same time."""
COSTLY = ("headings", "numbered", "details", "hard lines")
"""Names of the texts whose pages cost most."""
SMALL = "A *few* words.\n\n"
PIECES = 400
"""Number of parts in which a live reply comes."""
BEAT_SECONDS = 0.01
STALL_MOST, PAGE_MOST, MEMORY_MOST, RATIO_MOST = 100, 1_000, 50, 20
SENT_FREE = 64_000
HEADINGS = (
    "text",
    "import: stall",
    "page",
    "its CPU",
    "stall",
    "memory",
    "sent / allowed",
    "stream: stall",
    "sent / allowed",
)


@dataclass(slots=True)
class Cost:
    """The cost of one request."""

    milliseconds: float = 0
    cpu: float = 0
    """Milliseconds of CPU time of the server."""
    stall: float = 0
    """Longest delay of the event loop for another request meanwhile, in milliseconds."""
    memory: float = 0
    """Most megabytes of memory above the value before."""
    share: float = 0
    """Bytes that were sent, as a share of those allowed."""


def measure(site: Site, *, every: int = 1) -> Report:
    """Measure each text, or every `every`-th one, as an imported chat that is opened, and as a live reply."""
    person, *others = sign_in(2 + AT_ONCE)
    pages, streams = hostile(PAGE_SIZE), hostile(LIVE_SIZE)
    names = list(pages)[::every]
    with ScriptedProvider() as provider, asking(provider), site.server() as server:
        begun, before = time.perf_counter(), cpu(site, server)
        first = _live(server, person, provider, SMALL * 600)
        costs = {name: _each(server, person, provider, pages[name], streams[name]) for name in names}
        beside = _beside(server, others, [pages[name] for name in COSTLY])
        share = 100 * spent(before, cpu(site, server))["others"] / (time.perf_counter() - begun)
    ours = [cost for each in costs.values() for cost in each]
    imported, opened, followed = zip(*costs.values(), strict=True)
    at_once = f"{AT_ONCE} hostile pages at once"
    return Report(
        [
            Figure("hostile texts: a page, worst", max(one.milliseconds for one in opened), "ms", most=PAGE_MOST),
            Figure("hostile texts: a page's CPU, worst", max(one.cpu for one in opened), "ms"),
            Figure(f"{at_once}: the last", beside.last, "ms", most=PAGE_MOST),
            Figure(f"{at_once}: another person's page, worst", beside.another, "ms", most=PAGE_MOST),
            Figure("hostile texts: memory of a page, worst", max(one.memory for one in opened), "MB", most=MEMORY_MOST),
            Figure("hostile texts: memory of a reply, worst", max(one.memory for one in followed), "MB"),
            Figure("hostile texts: the loop's stall, worst", max(one.stall for one in ours), "ms", most=STALL_MOST),
            Figure("the loop's stall of a process's first reply", first.stall, "ms", most=STALL_MOST),
            Figure(f"{at_once}: the loop's stall", beside.stall, "ms", most=STALL_MOST),
            Figure(
                f"hostile texts: bytes sent of {RATIO_MOST} times the text and 64 kB, worst",
                max(one.share for one in (*opened, *followed)),
                "",
                most=1,
            ),
        ],
        tables=[table(HEADINGS, [_row(name, *each) for name, each in costs.items()])],
        troubles=[*machine.crowding(), *disturbance(share)],
    )


def _row(name: str, imported: Cost, page: Cost, live: Cost) -> tuple[str, ...]:
    return (
        name,
        f"{imported.stall:,.0f} ms",
        f"{page.milliseconds:,.0f} ms",
        f"{page.cpu:,.0f} ms",
        f"{page.stall:,.0f} ms",
        f"{page.memory:,.0f} MB",
        f"{page.share:.2f}",
        f"{live.stall:,.0f} ms",
        f"{live.share:.2f}",
    )


def _each(server: Server, person: Person, provider: ScriptedProvider, page: str, live: str) -> tuple[Cost, Cost, Cost]:
    """Costs of the import, the page and the live reply."""
    return *_opened(server, person, page), _live(server, person, provider, live)


def _opened(server: Server, person: Person, text: str) -> tuple[Cost, Cost]:
    """Import a chat with such replies, then open it; returns both costs."""
    with _watched(server) as importing:
        path = _imported(server, person, text)
    with _watched(server) as cost:
        size = _page(server, person, path)
    cost.share = size / (RATIO_MOST * REPLIES * len(text.encode()) + SENT_FREE)
    return importing, cost


def _imported(server: Server, person: Person, text: str) -> str:
    """Address of the person's only chat, which has such replies."""
    Conversation.objects.owned_by(person.user).delete()
    transfer._import(server, person, io.BytesIO(_export(text)))
    return Conversation.objects.owned_by(person.user).get().get_absolute_url()


@dataclass(slots=True)
class Beside:
    """Milliseconds of other requests while several hostile pages were made."""

    last: float
    another: float
    stall: float


def _beside(server: Server, people: list[Person], texts: list[str]) -> Beside:
    """Open a chat of each text at the same time, and meanwhile another person's small chat repeatedly."""
    other, *hostile_ones = people
    small = _imported(server, other, SMALL)
    paths = [_imported(server, one, text) for one, text in zip(hostile_ones, texts, strict=True)]
    ended, waits = threading.Event(), []

    def look() -> None:
        begun = time.perf_counter()
        _page(server, other, small)
        waits.append((time.perf_counter() - begun) * 1_000)

    look()
    waits.clear()
    with _watched(server) as cost, ThreadPoolExecutor(AT_ONCE) as threads:
        begun = time.perf_counter()
        opening = [threads.submit(_page, server, one, path) for one, path in zip(hostile_ones, paths, strict=True)]
        # Start after the hostile requests.
        time.sleep(BEAT_SECONDS)
        looking = threading.Thread(target=_again, args=(look, ended))
        looking.start()
        for one in opening:
            one.result()
        last = (time.perf_counter() - begun) * 1_000
        ended.set()
        looking.join()
    return Beside(last, max(waits), cost.stall)


def _export(text: str) -> bytes:
    begun = datetime.now(UTC) - timedelta(days=1)
    # An export cannot contain NUL.
    text = text.replace("\0", "\x01")
    messages = [
        {
            "id": str(uuid7()),
            "role": "assistant",
            "content": text,
            "created_at": (begun + timedelta(minutes=n)).isoformat(),
        }
        for n in range(REPLIES)
    ]
    for before, message in zip(messages, messages[1:], strict=False):
        message["parent"] = before["id"]
    times = {"created_at": begun.isoformat(), "updated_at": begun.isoformat()}
    chat = {"id": str(uuid7()), "title": "Hostile", **times, "messages": messages}
    return json.dumps({"format": FORMAT, "version": VERSION, "conversations": [chat]}).encode()


def _live(server: Server, person: Person, provider: ScriptedProvider, text: str) -> Cost:
    """Request such a reply and read it to its end; returns its cost."""
    step = len(text) // PIECES
    pieces = [Text(text[at : at + step]) for at in range(0, len(text), step)]
    provider.play(Script((*pieces, Finish(), Done())))
    client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=300)
    body = urlencode({"csrfmiddlewaretoken": person.csrf_token, "turn": str(uuid7()), "message": "Go on"})
    headers = {"Cookie": person.cookies, "HX-Request": "true", "Content-Type": "application/x-www-form-urlencoded"}
    with _watched(server) as cost:
        client.request("POST", "/", body, headers)
        path = STREAM_PATH.search(client.getresponse().read())
        if path is None:
            raise RuntimeError("the turn's answer names no stream")
        client.request("GET", path[1].decode(), headers={"Cookie": person.cookies})
        sent = client.getresponse().read()
    client.close()
    if b"event: end\n" not in sent:
        raise RuntimeError("the stream has no end")
    cost.share = len(sent) / (RATIO_MOST * len(text.encode()) + SENT_FREE)
    return cost


def _page(server: Server, person: Person, path: str) -> int:
    """Bytes of the page as sent to a browser."""
    client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=300)
    client.request("GET", path, headers={"Cookie": person.cookies, "Accept-Encoding": "gzip"})
    answer = client.getresponse()
    size = len(answer.read())
    client.close()
    if answer.status != http.HTTPStatus.OK:
        raise RuntimeError(f"{path} was answered with {answer.status}")
    return size


@contextmanager
def _watched(server: Server) -> Iterator[Cost]:
    """Measure the `with` block: time, the server's memory, and the delay of its event loop."""
    cost, ended = Cost(), threading.Event()
    before = machine.resident_bytes(server.pid)

    def look() -> None:
        cost.memory = max(cost.memory, (machine.resident_bytes(server.pid) - before) / MEGABYTE)

    def beat() -> None:
        begun = time.perf_counter()
        _refused(server)
        cost.stall = max(cost.stall, (time.perf_counter() - begun) * 1_000)

    threads = [threading.Thread(target=_again, args=(act, ended)) for act in (look, beat)]
    for thread in threads:
        thread.start()
    begun, before_cpu = time.perf_counter(), server.cpu()
    try:
        yield cost
    finally:
        cost.milliseconds = (time.perf_counter() - begun) * 1_000
        cost.cpu = (server.cpu() - before_cpu) * 1_000
        ended.set()
        for thread in threads:
            thread.join()


def _again(act: Callable[[], None], ended: threading.Event) -> None:
    while not ended.wait(BEAT_SECONDS):
        act()


def _refused(server: Server) -> None:
    """Send a request with too large a body, which the event loop refuses without a thread."""
    client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=300)
    client.putrequest("POST", "/")
    client.putheader("Content-Length", str(10**12))
    client.endheaders()
    client.getresponse().read()
    client.close()
