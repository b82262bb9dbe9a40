"""Costs of the page: a first visit in requests, bytes and time; a reply in the main thread's time and in delay."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from playwright.sync_api import CDPSession, Page, Response

from benchmarks.chromium import browser_page, chat_page
from benchmarks.figures import Figure, Report, percentile
from benchmarks.long_chats import chat
from benchmarks.people import Person, sign_in
from benchmarks.rounds import Pace
from benchmarks.site import Server, Site, asking
from conversations.models import Conversation
from tests.kit.provider import ScriptedProvider

USUAL = Pace()
LONG = Pace(tokens=2_000, interval=0.005)
USUAL_REPLIES, LONG_REPLIES = 5, 3
IDLE_SECONDS = 4.0
IDLE = "seconds => new Promise((resolve) => setTimeout(resolve, seconds * 1000))"

VISITS = 10
OTHERS = 40
FIRST_MESSAGES = 2
REQUESTS_MOST, BYTES_MOST = 20, 56_000
FIRST_PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0].startTime"

# Wall-clock time when the final message is in the page; the provider's process can read the same clock.
WATCH = """(() => {
  let ended = Promise.withResolvers();
  new MutationObserver((records) => {
    for (const { target } of records) if (!target.hasAttribute("data-stream")) ended.resolve(Date.now());
  }).observe(document, { subtree: true, attributes: true, attributeFilter: ["data-stream"] });
  window.replyEnded = async () => {
    const at = await ended.promise;
    ended = Promise.withResolvers();
    return [at, document.querySelector("article.assistant:last-of-type .body").textContent.trim().split(/\\s+/).length];
  };
})();"""


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of one reply for the page."""

    late: float
    """Milliseconds from the provider's last byte to the final message in the page."""
    busy: float
    """Milliseconds of the page's main thread used by the reply, beyond those of an idle page."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A page shown by a browser that has nothing of the site in its cache."""

    requests: int
    size: int
    """Bytes of all responses, headers among them."""
    paint: float
    """Milliseconds to the first paint with content."""


def measure(site: Site, *, visits: int = VISITS, usual: int = USUAL_REPLIES, long: int = LONG_REPLIES) -> Report:
    """Measure first visits, then replies of 200 tokens, 20 ms apart, and of 2,000, 5 ms apart.

    Each reply is in a conversation of its own.
    """
    with ScriptedProvider() as provider, asking(provider), site.server() as server:
        found = _first_visits(server, visits)
        costs = {pace: _replies(server, provider, pace, count) for pace, count in ((USUAL, usual), (LONG, long))}
    figures = _visit_figures(found)
    return Report(figures + [figure for pace, found in costs.items() for figure in _figures(pace, found)])


def _visit_figures(visits: list[Visit]) -> list[Figure]:
    paints = [visit.paint for visit in visits]
    return [
        Figure("page: first visit: requests, most", max(visit.requests for visit in visits), "", most=REQUESTS_MOST),
        Figure("page: first visit: bytes, most", max(visit.size for visit in visits), "", most=BYTES_MOST),
        *(
            Figure(f"page: first visit: first paint, {which}", percentile(paints, share), "ms")
            for share, which in ((0.5, "median"), (1.0, "worst"))
        ),
    ]


def _first_visits(server: Server, count: int) -> list[Visit]:
    """Of a conversation beside forty others, each time by a browser that has nothing of the site yet."""
    (person,) = sign_in(1)
    for number in range(OTHERS):
        Conversation.objects.create(user=person.user, title=f"Conversation {number}")
    path = chat(person, FIRST_MESSAGES)[0].conversation.get_absolute_url()
    return [_first_visit(server, person, path) for _ in range(count)]


def _first_visit(server: Server, person: Person, path: str) -> Visit:
    with browser_page(server, person) as page:
        responses: list[Response] = []
        page.on("response", lambda response: responses.append(response))
        page.goto(path, wait_until="networkidle")
        sizes = [response.request.sizes() for response in responses]
        size = sum(part["responseBodySize"] + part["responseHeadersSize"] for part in sizes)
        return Visit(len(responses), size, page.evaluate(FIRST_PAINT))


def _figures(pace: Pace, costs: list[Cost]) -> Iterator[Figure]:
    reply = f"{pace.tokens:,} tokens {pace.interval * 1_000:g} ms apart"
    bars = {"busy": 500.0 if pace == USUAL else None, "late": 300.0 if pace == LONG else None}
    values = {
        "the main thread's time": ("busy", [cost.busy for cost in costs]),
        "the end after the provider's": ("late", [cost.late for cost in costs]),
    }
    for what, (name, found) in values.items():
        for share, which in ((0.5, "median"), (1.0, "worst")):
            yield Figure(f"page: {reply}: {what}, {which}", percentile(found, share), "ms", most=bars[name])


def _replies(server: Server, provider: ScriptedProvider, pace: Pace, count: int) -> list[Cost]:
    with chat_page(server, WATCH) as page:
        devtools = page.context.new_cdp_session(page)
        devtools.send("Performance.enable")
        at_rest = _rest(page, devtools)
        return [_reply(page, devtools, provider, pace, at_rest) for _ in range(count)]


def _rest(page: Page, devtools: CDPSession) -> float:
    """Share of the main thread's time that an idle page uses."""
    begun, busy = time.monotonic(), _main_thread(devtools)
    page.evaluate(IDLE, IDLE_SECONDS)
    return (_main_thread(devtools) - busy) / (time.monotonic() - begun)


def _reply(page: Page, devtools: CDPSession, provider: ScriptedProvider, pace: Pace, at_rest: float) -> Cost:
    page.goto("/")
    box = page.get_by_role("textbox", name="Message")
    box.fill(pace.message)
    begun, busy = time.monotonic(), _main_thread(devtools)
    box.press("Enter")
    ended, words = page.evaluate("() => window.replyEnded()")
    seconds = time.monotonic() - begun
    if words != pace.tokens:
        raise RuntimeError(f"the page shows {words} of {pace.tokens} words")
    request = provider.chats[-1]
    if request.finished_at is None:
        raise RuntimeError("the reply has ended before its provider")
    provider_ended = time.time() - (time.monotonic() - request.finished_at)
    return Cost(ended - provider_ended * 1_000, (_main_thread(devtools) - busy - at_rest * seconds) * 1_000)


def _main_thread(devtools: CDPSession) -> float:
    """Seconds that the page's main thread has been busy so far."""
    metrics = devtools.send("Performance.getMetrics")["metrics"]
    return float(next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration"))
