"""A provider that fails in every way, in the middle of a crowd of replies."""

import asyncio

import pytest

from tests.faults.conftest import FULL, Chance, NewSite
from tests.faults.faulty import FAULTS, FaultyModel, fault_of
from tests.faults.invariants import all_hold
from tests.faults.person import Person, Turn
from tests.faults.site import Site
from tests.faults.speech import Speech

ROUNDS = 4 if FULL else 1
MEGABYTE_IN_WORDS = 90_000
PATIENT = {"CHAT_TIMEOUT_SILENCE": "60", "CHAT_TIMEOUT_FIRST_TOKEN": "120"}
"""As a site is by itself: whatever else than a stall the provider does, the machine may be as busy as it is."""


async def test_whatever_the_provider_does_the_reply_ends_as_it_must(new_site: NewSite, chance: Chance) -> None:
    async with new_site() as site, Person(site) as person:
        model = await ask_all(site, person, chance, stalls=False)
        await try_again(site, person, model)


@pytest.mark.full
async def test_a_provider_that_stalls_is_cut_off(new_site: NewSite, chance: Chance) -> None:
    async with new_site(CHAT_TIMEOUT_SILENCE="2", CHAT_TIMEOUT_FIRST_TOKEN="10") as site, Person(site) as person:
        model = await ask_all(site, person, chance, stalls=True)
        await asyncio.gather(*(asyncio.to_thread(process.restart, **PATIENT) for process in site.processes))
        await try_again(site, person, model)


async def ask_all(site: Site, person: Person, chance: Chance, *, stalls: bool) -> FaultyModel:
    """Ask whatever makes the provider fail so, and watch; the model that did."""
    model = FaultyModel()
    site.provider.answer(model)

    async def ask_and_watch(speech: Speech) -> None:
        turn = await person.ask(speech)
        turn.outcomes = {fault_of(speech).outcome}
        await person.leave_early(turn, chance(speech.number).uniform(0, 1))
        await person.watch(turn)

    speeches = [speech(number) for number in range(ROUNDS * len(FAULTS))]
    await asyncio.gather(*(ask_and_watch(speech) for speech in speeches if fault_of(speech).stalls is stalls))
    for turn in person.turns:
        assert model.requests[turn.speech.number] == fault_of(turn.speech).requests, turn
    await all_hold(site, person)
    return model


async def try_again(site: Site, person: Person, model: FaultyModel) -> None:
    """Press Retry wherever that is offered, and watch: the provider is well now."""
    model.healed = True

    async def retry(turn: Turn) -> None:
        turn.outcomes = {"complete"}
        turn.screens.clear()
        await person.retry(turn)
        await person.watch(turn)

    await asyncio.gather(*(retry(turn) for turn in person.turns if turn.outcomes != {"complete"}))
    await all_hold(site, person)


def speech(number: int) -> Speech:
    """A short one; a megabyte where all comes in one event."""
    is_large = list(FAULTS)[number % len(FAULTS)] == "one large event"
    return Speech(number, words=MEGABYTE_IN_WORDS if is_large else 30)
