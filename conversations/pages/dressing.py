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
from conversations.models import Message, Role, ToolCall
from conversations.models.reasoning import NOTHING, Reasoning
from conversations.models.step_words import words_of
from conversations.models.steps import Step, parts_of, recorded_steps
from conversations.pages.branches import Place
from conversations.replies import rounds, step_html


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
    before: SafeString = SafeString()
    """Earlier parts of it, with the tool calls between them."""
    after: SafeString = SafeString()
    """The tool calls in the rest."""


@dataclass(frozen=True, slots=True)
class ShownMessage:
    """A message, as a page shows it."""

    message: Message
    html: SafeString
    """What it says, as far as the page's budget goes; of a reply with tool calls, what comes after the last of them."""
    rest: Rest | None
    """What of it is not in `html`."""
    place: Place | None
    """Where it stands among its alternatives; None when it has none."""
    reasoning: Reasoning = NOTHING
    """The model's, before a reply."""
    is_resumable: bool = False
    """Whether a reply can go on where its text ended, if nothing follows it."""
    before: SafeString = SafeString()
    """What stands before `html`: the texts of a reply's rounds, each with its tool calls."""
    after: SafeString = SafeString()
    """What stands after the rest: the tool calls in it."""
    steps: Sequence[Step] = ()
    """The tool calls of a reply."""

    @property
    def done(self) -> list[str]:
        """What its tools have done, in words, without what they only read: trying again may do it again."""
        return [words_of(step) for step in self.steps if step_html.has_acted(step)]

    @property
    def waiting(self) -> int:
        """Number of tool calls that wait for their person's decision."""
        return sum(step.is_undecided for step in self.steps)


def dress(messages: Sequence[Message], *, cut: Set[UUID] = frozenset(), are_alone: bool = False) -> list[ShownMessage]:
    """The messages, as a page shows them, in their order.

    Of those in `cut`, the end of the text was not read. They were read `with_alternatives`, unless they are known to
    have none: `are_alone`. The newest come first to what the budget has. Raises `Moved` in a thread that has no time
    for so much.
    """
    _begin([message.content for message in messages if message.role == Role.ASSISTANT])
    calls = (
        rounds.read(message.pk for message in messages if _is_acting(message)) if any(map(_is_acting, messages)) else {}
    )
    page = PageBudget()
    shown: list[ShownMessage] = []
    for message in reversed(messages):
        given, budget = page.message(), page.message()
        place, is_cut = None if are_alone else Place.of(message), message.pk in cut
        if message.role == Role.ASSISTANT:
            steps = steps_of(message, calls.get(message.pk, ()))
            said = _reply(message, budget, steps, is_cut=is_cut)
            reasoning, is_resumable = _reasoning(message, budget), reopening.can_resume(message)
        else:
            said, steps = _as_written(message.content, budget, is_cut=is_cut), ()
            reasoning, is_resumable = NOTHING, False
        shown.append(
            ShownMessage(message, said.html, said.rest, place, reasoning, is_resumable, said.before, said.after, steps)
        )
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


def steps_of(message: Message, calls: Sequence[ToolCall] = ()) -> tuple[Step, ...]:
    """The tool calls of a reply: those of an open one from its rows, those of an ended one from its message."""
    if message.generation.is_open:
        return tuple(map(Step.of, calls))
    return tuple(recorded_steps(message.tool_calls))


def _is_acting(message: Message) -> bool:
    """Whether it is an open reply with tool calls."""
    return message.role == Role.ASSISTANT and message.generation.rounds > 0 and message.generation.is_open


def _reply(message: Message, budget: Budget, steps: Sequence[Step], *, is_cut: bool) -> Said:
    """The text of a reply; an open one has that of its last checkpoint, without a rest, as more will be streamed."""
    text, is_open = message.text_so_far, message.generation.is_open
    before, after = list[str](), list[str]()
    said = Said(SafeString())
    for number, (begin, words, calls) in enumerate(parts_of(text, steps)):
        if said.rest:
            # What is not formatted is asked for as one text, whatever stands between.
            after.append(step_html.group(calls))
            continue
        said = Said(SafeString())
        if words:
            rendered = rendering.rendered(words, budget, key=f"{message.pk}-{number}" if number else message.pk)
            is_end = is_cut and not calls
            said = Said(rendered.html) if is_open else _moved(_said(rendered, words, is_cut=is_end), text[:begin])
        if said.rest:
            after.append(step_html.group(calls))
        elif calls:
            before += [said.html, step_html.group(calls)]
    return replace(said, before=SafeString("".join(before)), after=SafeString("".join(after)))


def _moved(said: Said, before: str) -> Said:
    """The part of a text with its rest counted from the text's beginning."""
    if not said.rest or not before:
        return said
    return replace(said, rest=replace(said.rest, begin=said.rest.begin + len(before.replace("\r\n", "\n"))))


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
