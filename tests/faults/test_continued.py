"""Answers that were cut at the model's limit go on; whatever breaks meanwhile, they keep what they had, once."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.faults.conftest import FULL, Chance, NewSite
from tests.faults.faulty import FAULTS, CutModel, Fault, fault_of, half
from tests.faults.invariants import DATABASE_AWAY, all_hold
from tests.faults.person import PATIENCE, Person, Turn
from tests.faults.screen import article, visible, visible_text
from tests.faults.site import Process, Site
from tests.faults.speech import Rest, Speech, end_of

ROUNDS = 4 if FULL else 1
REPLIES = 8
SECONDS_AWAY = 10.0 if FULL else 2.0
MOMENTS = 1.5
"""Seconds within which something breaks: more than lie between two checkpoints."""


@pytest.mark.parametrize("end", [Process.kill, pytest.param(Process.stop, marks=pytest.mark.full)])
async def test_another_process_goes_on_from_what_was_saved(
    new_site: NewSite, chance: Chance, end: Callable[[Process], None]
) -> None:
    async with new_site() as site, Person(site) as person:
        ask_a_well_model(site).holds = True
        for number_of_round in range(ROUNDS):
            turns = await asyncio.gather(*(cut(person, number_of_round * 100 + n, words=150) for n in range(REPLIES)))
            victim = site.processes[number_of_round % 2]
            await asyncio.gather(
                *(go_on(person, turn, at=victim) for turn in turns),
                some_time(site, turns, chance(number_of_round).uniform(0, MOMENTS), lambda: end(victim)),  # noqa: B023
            )
            await asyncio.to_thread(victim.start)
        assert len(site.provider.chats) > 2 * len(person.turns), "nothing was broken"
        await all_hold(site, person)


@pytest.mark.full
async def test_replies_go_on_while_the_database_is_away(new_site: NewSite, chance: Chance) -> None:
    async with new_site() as site, Person(site) as person:
        ask_a_well_model(site).holds = True

        async def away(turns: list[Turn], end: Callable[[], None]) -> None:
            moment = chance(end.__name__).uniform(0, MOMENTS)
            broken = some_time(site, turns, moment, end, then=lambda: asyncio.sleep(SECONDS_AWAY))
            watched = asyncio.gather(*(go_on(person, turn) for turn in turns))
            await broken
            await asyncio.to_thread(site.database.start)
            await watched

        await away([await cut(person, number) for number in range(REPLIES)], site.database.stop)
        assert len(site.provider.chats) == 2 * len(person.turns)
        await away([await cut(person, 100 + number) for number in range(REPLIES)], site.database.crash)
        await all_hold(site, person, expected=DATABASE_AWAY)


async def test_what_a_failing_provider_added_is_kept_and_goes_on(new_site: NewSite, chance: Chance) -> None:
    async with new_site() as site, Person(site) as person:
        model = ask_a_well_model(site)
        model.healed = False

        async def ask_and_go_on(number: int, fault: Fault) -> None:
            turn = await cut(person, number)
            turn.outcomes = {fault.outcome}
            await person.resume(turn)
            await person.leave_early(turn, chance(number).uniform(0, 1))
            await person.watch(turn)

        numbered = [(number, fault) for number, fault in enumerate(FAULTS.values()) if not fault.stalls]
        await asyncio.gather(*(ask_and_go_on(number, fault) for number, fault in numbered))
        for turn in person.turns:
            assert model.requests[turn.speech.number] == fault_of(turn.speech).requests, turn
        await all_hold(site, person)
        for turn in person.turns:
            before = turn.had
            await person.remember(turn)
            if turn.outcomes == {"provider_broke_off"}:
                assert turn.had == before + half(Rest(turn.speech, before)).text
        model.healed = True
        await asyncio.gather(*(go_on(person, turn) for turn in person.turns if turn.outcomes != {"complete"}))
        await all_hold(site, person)


def ask_a_well_model(site: Site) -> CutModel:
    """A model that cuts its answers, and goes on with them for whoever sends what was said."""
    model = CutModel()
    model.healed = True
    site.provider.answer_requests(model.of_request)
    return model


async def cut(person: Person, number: int, *, words: int = 80) -> Turn:
    """Ask for an answer, which is cut in the middle."""
    turn = await person.ask(Speech(number, words=words, interval=0.05))
    await person.watch(turn)
    turn.screens.clear()
    await person.remember(turn)
    return turn


async def go_on(person: Person, turn: Turn, *, at: Process | None = None) -> None:
    """Press Continue and watch, and look at the page meanwhile: it never shows less than it did."""
    turn.screens.clear()
    turn.outcomes = {"complete"}
    await person.resume(turn, at=at)
    watching = asyncio.create_task(person.watch(turn, at=at))
    shown = visible_text(article(await person.page(turn.conversation), turn.reply))
    assert visible(turn.had) in shown, turn
    await watching


async def some_time(
    site: Site,
    turns: list[Turn],
    seconds: float,
    end: Callable[[], None],
    *,
    then: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """So long after the next question has come to the provider, let something end, and only then these answers."""
    await asyncio.to_thread(site.provider.wait_for_requests, len(site.provider.chats) + 1, PATIENCE)
    await asyncio.sleep(seconds)
    assert site.asking, "nothing is going on"
    await asyncio.to_thread(end)
    for turn in turns:
        site.provider.gate(end_of(turn.speech.number)).open()
    if then:
        await then()
