"""One person in a real Chromium: when the words of a reply become visible."""

from dataclasses import dataclass
from typing import Any

import uvloop
from playwright.sync_api import Page

from benchmarks.chromium import chat_page
from benchmarks.figures import Figure, Report, percentile
from benchmarks.load import first, last
from benchmarks.rounds import Pace, Round, direct, joined
from benchmarks.site import Server, Site

TURNS = 10
DIRECT_ROUNDS = 3

WATCH = """(() => {
  let turn = null;
  const replies = () => document.querySelectorAll("article.assistant");
  // The start of the frame that paints it.
  const note = (name) => {
    if (name in turn.noted) return;
    turn.noted[name] = 0;
    const noted = turn.noted;
    requestAnimationFrame(() => {
      noted[name] = performance.now() - noted.begun;
      if (noted.first && noted.last && noted.end) noted.done(noted);
    });
  };
  addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    const noted = { begun: event.timeStamp };
    noted.over = new Promise((resolve) => { noted.done = resolve; });
    turn = { number: replies().length, noted };
  }, true);
  new MutationObserver(() => {
    const reply = turn && replies()[turn.number];
    if (!reply) return;
    note("turn");
    const words = reply.querySelector(".body").textContent.split(/\\s+/).filter(Boolean);
    if (words[0] === "The") note("first");
    if (words.length >= TOKENS) note("last");
    if (words.length >= TOKENS && !reply.hasAttribute("data-stream")) note("end");
  }).observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
  window.measuredTurn = async () => {
    const { turn: stored, first, last, end } = await turn.noted.over;
    return { turn: stored, first, last, end };
  };
})();"""


@dataclass(frozen=True, slots=True)
class Shown:
    """Milliseconds from Enter to the start of the frame that shows each part of a reply."""

    turn: float
    """The person's message and the empty reply are visible: the turn is stored."""
    first: float
    last: float
    end: float
    """The final message has replaced the growing one."""


def measure(site: Site, *, turns: int = TURNS) -> Report:
    """Measure `turns` turns of one conversation."""
    pace = Pace()
    with site.server() as server:
        usual = joined([uvloop.run(direct(site, 1, pace)) for _ in range(DIRECT_ROUNDS)])
        shown = _converse(server, turns, pace)
    return Report(_figures(shown, usual))


def _figures(shown: list[Shown], usual: Round) -> list[Figure]:
    usual_first, usual_last = (percentile(usual.milliseconds(what), 0.5) for what in (first, last))
    added = {
        "the stored turn": ([one.turn for one in shown], None),
        "the first token": ([one.first - usual_first for one in shown], 40),
        "the last token": ([one.last - usual_last for one in shown], 80),
        "the final message": ([one.end - usual_last for one in shown], None),
    }
    return [
        Figure(
            f"browser: added time to {what}, {name}", percentile(values, share), "ms", most=bar if share < 1 else None
        )
        for what, (values, bar) in added.items()
        for name, share in (("median", 0.5), ("worst", 1.0))
    ]


def _converse(server: Server, turns: int, pace: Pace) -> list[Shown]:
    with chat_page(server, WATCH.replace("TOKENS", str(pace.tokens))) as page:
        return [_turn(page, pace) for _ in range(turns)]


def _turn(page: Page, pace: Pace) -> Shown:
    box = page.get_by_role("textbox", name="Message")
    box.fill(pace.message)
    box.press("Enter")
    times: dict[str, Any] = page.evaluate("() => window.measuredTurn()")
    return Shown(times["turn"], times["first"], times["last"], times["end"])
