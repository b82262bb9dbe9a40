"""A provider that fails in every way, in the middle of a crowd of replies."""

import asyncio

from tests.faults.conftest import FULL, Chance, NewSite
from tests.faults.faulty import FAULTS, FaultyModel, fault_of
from tests.faults.invariants import all_hold
from tests.faults.person import Person, Turn
from tests.faults.speech import Speech

ROUNDS = 4 if FULL else 1
MEGABYTE_IN_WORDS = 90_000


async def test_whatever_the_provider_does_the_reply_ends_as_it_must(new_site: NewSite, chance: Chance) -> None:
    model = FaultyModel()
    async with (
        new_site(CHAT_TIMEOUT_SILENCE="2", CHAT_TIMEOUT_FIRST_TOKEN="5") as site,
        Person(site) as person,
    ):
        site.provider.answer(model)

        async def ask_and_watch(speech: Speech) -> None:
            turn = await person.ask(speech)
            turn.outcomes = {fault_of(speech).outcome}
            await person.leave_early(turn, chance(speech.number).uniform(0, 1))
            await person.watch(turn)

        await asyncio.gather(*(ask_and_watch(speech(number)) for number in range(ROUNDS * len(FAULTS))))
        for turn in person.turns:
            assert model.requests[turn.speech.number] == fault_of(turn.speech).requests, turn
        await all_hold(site, person)
        model.healed = True
        await asyncio.gather(*(try_again(person, turn) for turn in person.turns if turn.outcomes != {"complete"}))
        await all_hold(site, person)


def speech(number: int) -> Speech:
    """A short one; a megabyte where all comes in one event."""
    is_large = list(FAULTS)[number % len(FAULTS)] == "one large event"
    return Speech(number, words=MEGABYTE_IN_WORDS if is_large else 30)


async def try_again(person: Person, turn: Turn) -> None:
    """Press Retry and watch."""
    turn.outcomes = {"complete"}
    turn.screens.clear()
    await person.retry(turn)
    await person.watch(turn)
