"""Processes that are killed at each step of a reply that calls tools: what the tools did is counted.

A step is held by a gate: of the database before a statement, of the tool, or of the provider. When a process is killed,
it has one reply for each kind of tool at the step.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

import pytest

from tests.faults.conftest import FULL, NewSite
from tests.faults.deciding import decide
from tests.faults.invariants import (
    every_reply_is_what_was_said,
    no_turn_is_lost_or_doubled,
    nothing_is_open,
    nothing_leaks,
    query,
    settled,
    the_log_is_clean,
)
from tests.faults.person import BROKEN, RETRY_SECONDS, Broken, Person, Turn
from tests.faults.screen import Screen
from tests.faults.site import Process, Site
from tests.faults.speech import ANSWERED, Speech
from tests.faults.world import Gate, World
from tests.kit.provider import Gate as ProviderGate
from tests.kit.provider import Request, Script, calls, stream

ROUNDS, VICTIMS = (3, 3) if FULL else (1, 2)
"""Seven steps, three rounds and three victims are sixty-three processes that are killed, with three replies each."""

KINDS = ("note", "switch_on", "post")
"""A tool of each kind: atomic, idempotent, and one that nobody can take back."""

WORDS = 20

STEPS = {
    "before the round is stored": "round",
    "approved": "call running",
    "before the call": "tool before",
    "in the call": "tool after",
    "before the result is stored": "call done",
    "between rounds": "provider",
    "before the end is stored": "reply complete",
}
"""What holds a reply at each step."""

CAUGHT = {"before the call": 0, "in the call": 1, "before the result is stored": 1}
"""Steps at which a call is caught running, and how often it has acted by then."""

QUICK = {"in the call", "between rounds"}

CALLS = """
SELECT call.id::text, call.tool, call.state, call.decision, generation.status, message.tool_calls,
    (SELECT count(*) FROM conversations_preset WHERE name LIKE call.id || '%%')
FROM conversations_toolcall AS call
JOIN conversations_message AS message ON message.id = call.message_id
JOIN conversations_generation AS generation ON generation.message_id = message.id
WHERE message.id = %s::uuid
"""


@dataclass(frozen=True, slots=True)
class Called:
    """The only call of a reply, as the database has it."""

    key: str
    tool: str
    state: str
    decision: str
    reply: str
    """The state of its reply."""
    recorded: list[dict[str, str]] | None
    notes: int
    """How often it has written in the database."""


class ActingModel:
    """Calls the tool that the question's number stands for, then answers with the question's speech."""

    def __init__(self, kinds: Sequence[str]) -> None:
        self.gate = ""
        """Where it waits before it answers with the speech; empty where it does not."""
        self.named = Counter[int]()
        """How often it has named the call of each question."""
        self._kinds = kinds

    def __call__(self, request: Request) -> Script:
        """The answer to a request."""
        messages = request.json["messages"]
        speech = Speech.asked_by(next(message["content"] for message in messages if message["role"] == "user"))
        if not has_results(request):
            self.named[speech.number] += 1
            return calls((self._kinds[speech.number % len(self._kinds)], {"what": f"{ANSWERED}{speech.number}"}))
        return stream(ProviderGate(self.gate), *speech.script.steps) if self.gate else speech.script


class Glimpse(Screen):
    """What somebody sees who only waits for the end."""

    def show(self, name: str, data: str) -> None:
        """Look at nothing."""


@pytest.fixture
def world() -> Iterator[World]:
    """What is outside of the site."""
    with World() as made:
        yield made


@pytest.mark.parametrize(
    "step", [pytest.param(step, marks=[] if step in QUICK else [pytest.mark.full]) for step in STEPS]
)
async def test_what_a_killed_process_was_doing_is_done_once_or_asked_for(
    new_site: NewSite, world: World, step: str
) -> None:
    async with acting_site(new_site, world, VICTIMS + 1) as site, people(site, VICTIMS * len(KINDS)) as persons:
        model = ActingModel(KINDS)
        site.provider.answer_requests(model)
        for number in range(ROUNDS):
            victims = site.processes[:VICTIMS]
            with ExitStack() as closed:
                held = closing(site, world, model, step, number, closed)
                at = each(victims, len(KINDS))
                begin = number * len(persons)
                asked = [ask(*one) for one in zip(persons, range(begin, begin + len(persons)), at, strict=True)]
                turns = await asyncio.gather(*asked)
                watching = [asyncio.create_task(look(*one)) for one in zip(persons, turns, at, strict=True)]
                await settled(lambda: len(turns) - held(), f"replies that are not {step}")  # noqa: B023
                await asyncio.gather(*(asyncio.to_thread(victim.kill) for victim in victims))
            await asyncio.gather(*watching, *(asyncio.to_thread(victim.start) for victim in victims))
            for turn in turns:
                was_done_once_or_is_asked_for(await called(site, turn), world, step)
                assert model.named[turn.speech.number] == (2 if step == "before the round is stored" else 1)
            word = ("decline", "approve")[number % 2]
            before = {turn.reply: (await called(site, turn)) for turn in turns}
            acted = {key: world.did(one.key) for key, one in before.items()}
            await asyncio.to_thread(decide, site.processes[0].environment, word)
            await asyncio.gather(*map(look, persons, turns))
            for turn in turns:
                was = before[turn.reply]
                repeats = was.state == "unknown" and word == "approve"
                now = await called(site, turn)
                assert world.did(now.key) == acted[turn.reply] + repeats, now
                assert (now.state, now.reply) == ("done" if repeats else was.state, "complete")
                assert [one["status"] for one in now.recorded or []] == [now.state]
        await all_but_the_page_hold(site, persons)


async def test_what_was_approved_after_every_process_was_killed_is_done_once(new_site: NewSite, world: World) -> None:
    async with acting_site(new_site, world, 2) as site, people(site, 2) as persons:
        site.provider.answer_requests(ActingModel(["note_if_allowed"]))
        for number in range(2 if FULL else 1):
            asked = zip(persons, range(2 * number, 2 * number + 2), site.processes, strict=True)
            turns = await asyncio.gather(*(ask(*one) for one in asked))
            await asyncio.gather(*map(look, persons, turns))
            assert {(await called(site, turn)).state for turn in turns} == {"waiting"}
            await asyncio.gather(*(asyncio.to_thread(process.kill) for process in site.processes))
            # Nobody serves the site: the decision is another machine's.
            await asyncio.to_thread(decide, site.processes[0].environment, "approve")
            await asyncio.gather(*(asyncio.to_thread(process.start) for process in site.processes))
            if number:
                await kill_what_makes(site, persons, turns)
            await asyncio.gather(*map(look, persons, turns))
            for turn in turns:
                now = await called(site, turn)
                assert (now.state, now.decision, now.reply, now.notes) == ("done", "person", "complete", 1)
        await all_but_the_page_hold(site, persons)


async def kill_what_makes(site: Site, persons: Sequence[Person], turns: Sequence[Turn]) -> None:
    """Kill the processes again, when what was approved has just been made, and is not stored yet."""
    with Gate(site.database, "call done") as gate:
        watching = [asyncio.create_task(look(*one)) for one in zip(persons, turns, strict=True)]
        await settled(lambda: len(turns) - gate.held(), "calls that are not made")
        await asyncio.gather(*(asyncio.to_thread(process.kill) for process in site.processes))
    await asyncio.gather(*(asyncio.to_thread(process.start) for process in site.processes))
    await asyncio.gather(*watching)


def acting_site(new_site: NewSite, world: World, processes: int) -> Site:
    """A site whose tools act on the world."""
    return new_site(processes=processes, TEST_APPS="tests.faults.deeds", TEST_WORLD=world.address)


def closing(
    site: Site, world: World, model: ActingModel, step: str, number: int, closed: ExitStack
) -> Callable[[], int]:
    """Close what holds replies at this step until `closed` ends; returns what counts those that wait there."""
    kind, _, what = STEPS[step].partition(" ")
    if kind == "provider":
        model.gate = f"round {number}"
        closed.callback(go_on, site, model)
        return lambda: sum(map(has_results, site.asking))
    if kind == "tool":
        world.close(what)
        closed.callback(world.open)
        return world.held
    return closed.enter_context(Gate(site.database, STEPS[step])).held


def go_on(site: Site, model: ActingModel) -> None:
    """Let the provider answer."""
    site.provider.gate(model.gate).open()
    model.gate = ""


def has_results(request: Request) -> bool:
    """Whether the model is asked with the result of a call."""
    return bool(request.json["messages"][-1]["role"] == "tool")


def each(processes: Sequence[Process], times: int) -> list[Process]:
    """Each of the processes so many times, one after the other."""
    return [process for process in processes for _ in range(times)]


@asynccontextmanager
async def people(site: Site, count: int) -> AsyncIterator[list[Person]]:
    """So many people, because the turns and the counts of one person wait for one another."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(Person(site)) for _ in range(count)]


async def ask(person: Person, number: int, at: Process) -> Turn:
    """Ask the question of this number."""
    return await person.ask(Speech(number, words=WORDS), at=at)


async def look(person: Person, turn: Turn, at: Process | None = None) -> None:
    """Watch the reply until it has ended, or waits for a decision."""
    sql = "SELECT status IN ('pending', 'running', 'interrupted') FROM conversations_generation WHERE message_id = %s"
    while (await query(person.site, sql, turn.reply))[0][0]:
        with suppress(*BROKEN, Broken):
            await person.glance(turn, Glimpse(turn.speech), at=at)
        await asyncio.sleep(RETRY_SECONDS)


async def called(site: Site, turn: Turn) -> Called:
    """The only call of a turn's reply."""
    (row,) = await query(site, CALLS, turn.reply)
    return Called(*row)


def was_done_once_or_is_asked_for(call: Called, world: World, step: str) -> None:
    """No effect is doubled unasked, and none is lost unsaid."""
    match call.tool:
        case "note":
            assert (call.state, call.reply, call.notes) == ("done", "complete", 1), call
        case "switch_on":
            assert (call.state, call.reply) == ("done", "complete"), call
            assert world.did(call.key) == 1 + CAUGHT.get(step, 0), call
        case "post" if step in CAUGHT:
            assert (call.state, call.decision, call.reply) == ("unknown", "", "waiting"), call
            assert world.did(call.key) == CAUGHT[step], call
        case "post":
            assert (call.state, call.reply) == ("done", "complete"), call
            assert world.did(call.key) == 1, call


async def all_but_the_page_hold(site: Site, persons: Sequence[Person]) -> None:
    """Check the invariants that do not depend on how a page shows tool calls."""
    turns = [turn for person in persons for turn in person.turns]
    await nothing_is_open(site)
    await no_turn_is_lost_or_doubled(site, turns)
    await every_reply_is_what_was_said(site, turns)
    await nothing_leaks(site)
    the_log_is_clean(site)
