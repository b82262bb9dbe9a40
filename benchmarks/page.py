"""What a reply costs the page: its main thread's time, and how long after the provider a long reply ends."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from playwright.sync_api import CDPSession, Page

from benchmarks.chromium import chat_page
from benchmarks.figures import Figure, Report, percentile
from benchmarks.rounds import Pace
from benchmarks.site import Server, Site, asking
from tests.kit.provider import ScriptedProvider

USUAL = Pace()
LONG = Pace(tokens=2_000, interval=0.005)
USUAL_REPLIES, LONG_REPLIES = 5, 3
IDLE_SECONDS = 4.0
IDLE = "seconds => new Promise((resolve) => setTimeout(resolve, seconds * 1000))"

# The wall clock of the moment at which the final message is in the page: the provider's process can read it too.
WATCH = """(() => {
  let ended = Promise.withResolvers();
  new MutationObserver((records) => {
    for (const record of records) {
      for (const node of record.addedNodes) {
        if (node instanceof Element && node.matches("article.assistant:not([data-stream])")) ended.resolve(Date.now());
      }
    }
  }).observe(document, { subtree: true, childList: true });
  window.replyEnded = async () => {
    const at = await ended.promise;
    ended = Promise.withResolvers();
    return [at, document.querySelector("article.assistant:last-of-type .body").textContent.trim().split(/\\s+/).length];
  };
})();"""


@dataclass(frozen=True, slots=True)
class Cost:
    """One reply on the page."""

    late: float
    """Milliseconds from the provider's last byte to the final message in the page."""
    busy: float
    """Milliseconds of the page's main thread that the reply took, beyond those of a page at rest."""


def measure(site: Site, *, usual: int = USUAL_REPLIES, long: int = LONG_REPLIES) -> Report:
    """So many replies of 200 tokens, 20 ms apart, and of 2,000, 5 ms apart, each in a conversation of its own."""
    with ScriptedProvider() as provider, asking(provider), site.server() as server:
        costs = {pace: _replies(server, provider, pace, count) for pace, count in ((USUAL, usual), (LONG, long))}
    return Report([figure for pace, found in costs.items() for figure in _figures(pace, found)])


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
    """The share of the main thread's time that a page takes on which nothing happens."""
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
