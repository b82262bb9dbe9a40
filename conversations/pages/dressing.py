"""Messages as HTML: formatted as far as the page's budget goes, newest first."""

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from uuid import UUID

from django.utils.html import escape
from django.utils.safestring import SafeString

from chatbot.web import long_work
from conversations.actions import reopening
from conversations.markdown import rendering
from conversations.markdown.budget import LONG_COST, MESSAGE_SIZE, PIECE, Budget, PageBudget, cost, part
from conversations.models import Message, Role
from conversations.models.reasoning import NOTHING, Reasoning
from conversations.pages.branches import Place


@dataclass(frozen=True, slots=True)
class Rest:
    """The unformatted rest of a text, which may be cut until a person asks for more."""

    html: SafeString
    begin: int
    """Its offset in the text with its line ends as line feeds, for the request for more."""


@dataclass(frozen=True, slots=True)
class Said:
    """A text as a page shows it."""

    html: SafeString
    rest: Rest | None = None


@dataclass(frozen=True, slots=True)
class ShownMessage:
    """A message, as a page shows it."""

    message: Message
    html: SafeString
    """What it says, as far as the page's budget goes."""
    rest: Rest | None
    """What of it is not in `html`."""
    place: Place | None
    """Where it stands among its alternatives; None when it has none."""
    reasoning: Reasoning = NOTHING
    """The model's, before a reply."""
    is_resumable: bool = False
    """Whether a reply can go on where its text ended, if nothing follows it."""


def dress(messages: Sequence[Message], *, cut: Set[UUID] = frozenset(), are_alone: bool = False) -> list[ShownMessage]:
    """The messages, as a page shows them, in their order.

    Of those in `cut`, the end of the text was not read. They were read `with_alternatives`, unless they are known to
    have none: `are_alone`. The newest come first to what the budget has. Raises `Moved` in a thread that has no time
    for so much.
    """
    _begin([message.content for message in messages if message.role == Role.ASSISTANT])
    page = PageBudget()
    shown: list[ShownMessage] = []
    for message in reversed(messages):
        given, budget = page.message(), page.message()
        place, is_cut = None if are_alone else Place.of(message), message.pk in cut
        if message.role == Role.ASSISTANT:
            said = _reply(message, budget, is_cut=is_cut)
            reasoning, is_resumable = _reasoning(message, budget), reopening.can_resume(message)
        else:
            said = _as_written(message.content, budget, is_cut=is_cut)
            reasoning, is_resumable = NOTHING, False
        shown.append(ShownMessage(message, said.html, said.rest, place, reasoning, is_resumable))
        page.settle(given, budget)
    return shown[::-1]


def more(message: Message, begin: int) -> Said:
    """The part of a message from offset `begin` on, for a person who asked for it. Raises `Moved` as `dress` does."""
    text = message.content.replace("\r\n", "\n").replace("\r", "\n")[begin:]
    if message.role != Role.ASSISTANT:
        said = _as_written(text, Budget(), is_cut=False)
    else:
        _begin([text])
        rendered = rendering.rendered(text, part(), key=f"{message.pk}-{begin}" if begin else message.pk)
        said = _said(rendered, text, is_cut=False)
    return replace(said, rest=replace(said.rest, begin=said.rest.begin + begin)) if said.rest else said


def _begin(texts: Sequence[str]) -> None:
    """Announce the work of formatting these texts, which may raise `Moved`."""
    left = float(LONG_COST)
    for text in texts:
        left -= cost(text[:MESSAGE_SIZE])
        if left < 0:
            long_work.begin()
            return


def _reply(message: Message, budget: Budget, *, is_cut: bool) -> Said:
    """The text of a reply; an open one has that of its last checkpoint, without a rest, as more will be streamed."""
    text = message.text_so_far
    if not text:
        return Said(SafeString())
    rendered = rendering.rendered(text, budget, key=message.pk)
    return Said(rendered.html) if message.generation.is_open else _said(rendered, text, is_cut=is_cut)


def _said(rendered: rendering.Rendered, text: str, *, is_cut: bool) -> Said:
    begin = rendered.plain_from
    if begin is None and is_cut:
        begin = len(text.replace("\r\n", "\n"))
    return Said(rendered.formatted, None if begin is None else Rest(rendered.plain, begin))


def _as_written(text: str, budget: Budget, *, is_cut: bool) -> Said:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    shown = text[: budget.plain]
    budget.plain -= len(shown)
    is_whole = len(shown) == len(text) and not is_cut
    return Said(escape(shown), None if is_whole else Rest(SafeString(), len(shown)))


def _reasoning(message: Message, budget: Budget) -> Reasoning:
    generation = message.generation
    text = generation.reasoning
    most = max(budget.plain, PIECE)
    budget.plain -= min(len(text), budget.plain)
    return Reasoning(text if len(text) <= most else f"{text[:most]}…", generation.reasoning_seconds)
