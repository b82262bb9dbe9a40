"""Concurrent replies through the API: streamed, and whole."""

import json
from collections.abc import Sequence
from functools import partial

import uvloop

from accounts import access_tokens
from benchmarks import machine
from benchmarks.client import BODY, LENGTH, OVERLAP, Exchange, Failed
from benchmarks.figures import Figure, Report, disturbance
from benchmarks.load import WARM_UPS, Level
from benchmarks.people import Person, sign_in
from benchmarks.rounds import Pace, Round, direct, exchanges
from benchmarks.site import Server, Site
from benchmarks.table import table

COUNT = 200
CAPTION = "Replies at once through the API: times are p50 / p95 in milliseconds added to the provider's own."
HEADINGS = (
    "replies at once",
    "failed",
    "added: first",
    "added: last",
    "CPU a reply",
    "statements a reply",
    "server's core",
)


class ApiReply(Exchange):
    """Sends a message through the API and reads the reply as events, or whole with `is_whole`."""

    def __init__(self, person: Person, token: str, message: str, *, port: int, words: bytes, is_whole: bool) -> None:
        content = json.dumps({"message": message}).encode()
        lines = (
            f"POST /api/{person.user.pk}/chat HTTP/1.1",
            f"Host: 127.0.0.1:{port}",
            f"Authorization: Bearer {token}",
            f"Accept: {'application/json' if is_whole else 'text/event-stream'}",
            "Content-Type: application/json",
            f"Content-Length: {len(content)}",
        )
        super().__init__("\r\n".join(lines).encode() + b"\r\n\r\n" + content)
        self._words = words
        self._is_whole = is_whole

    def check(self) -> None:
        """Fail unless the end contains the whole reply; call it outside the measured time."""
        if not self.times.failure and self._words not in b" ".join(self._received.split()):
            self.times.failure = f"the end holds another text: {self._received[:300]!r}"

    def _begin(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(BODY)
        if not separator:
            return
        if not head.startswith(b"HTTP/1.1 200"):
            raise Failed(f"the message was answered with {self._received[:300]!r}")
        if self._is_whole:
            length = LENGTH.search(head)
            if length and len(body) >= int(length[1]):
                self.times.answered = self.times.first = self.since_start()
                self.finish()
            return
        self.times.answered = self.times.answered or self.since_start()
        if b"event: text.delta" in body:
            self.times.first = self.since_start()
            self._take = self._until_end
            self._until_end(b"")

    def _until_end(self, data: bytes) -> None:
        seen = self._received[-OVERLAP:] + data if data else self._received
        self._received = seen
        if (begin := seen.find(b"event: message.completed")) >= 0:
            self._received = seen[begin:]
            self._take = self._in_end
            self._in_end(b"")

    def _in_end(self, data: bytes) -> None:
        self._received += data
        if b"\n\n" in self._received:
            self.finish()


def measure(site: Site, *, count: int = COUNT) -> Report:
    """Measure `count` concurrent replies, streamed and whole."""
    people = sign_in(max(count, WARM_UPS))
    tokens = [access_tokens.make(person.user, name="Benchmark")[1] for person in people]
    with site.server() as server:
        streamed, whole = uvloop.run(_levels(site, server, list(zip(people, tokens, strict=True)), count))
    failures = [failure for level in (streamed, whole) for failure in level.through.failures]
    name = f"API, {count} at once"
    return Report(
        figures=[
            Figure(
                f"{name}: added time to the first token, p95", streamed.added(lambda t: t.first, 0.95), "ms", most=250
            ),
            Figure(
                f"{name}: added time to the last token, p95", streamed.added(lambda t: t.last, 0.95), "ms", most=500
            ),
            Figure(f"{name}, whole: added time, p95", whole.added(lambda t: t.last, 0.95), "ms", most=500),
            Figure(f"{name}: replies that failed", len(failures), "", most=0),
        ],
        tables=[f"{CAPTION}\n\n{table(HEADINGS, [row('streamed', streamed), row('whole', whole)])}"],
        troubles=[
            *machine.crowding(),
            *disturbance(max(level.through.busy("others") for level in (streamed, whole))),
            *dict.fromkeys(failures),
        ],
    )


def row(kind: str, level: Level) -> tuple[str, ...]:
    """Cells of a row below `HEADINGS`."""

    def added(name: str) -> str:
        return " / ".join(f"{level.added(lambda times: getattr(times, name), share):,.0f}" for share in (0.5, 0.95))

    each = len(level.through.times)
    return (
        f"{level.count} {kind}",
        str(len(level.through.failures)),
        added("first") if kind == "streamed" else "",
        added("last"),
        f"{1_000 * level.through.cpu['server'] / each:.1f} ms",
        f"{level.through.statements / each:.1f}",
        f"{level.through.busy('server'):.0f} %",
    )


async def _levels(site: Site, server: Server, callers: Sequence[tuple[Person, str]], count: int) -> tuple[Level, Level]:
    await _through(site, server, callers[:WARM_UPS], Pace(tokens=20), is_whole=False)
    found = []
    for is_whole in (False, True):
        alone = await direct(site, count, Pace())
        found.append(Level(count, alone, await _through(site, server, callers[:count], Pace(), is_whole=is_whole)))
    return found[0], found[1]


async def _through(
    site: Site, server: Server, callers: Sequence[tuple[Person, str]], pace: Pace, *, is_whole: bool
) -> Round:
    makes = [
        partial(ApiReply, person, token, pace.message, port=server.port, words=pace.words, is_whole=is_whole)
        for person, token in callers
    ]
    return await exchanges(site, server, server.port, makes)
