"""Server processes that are killed: `kill -9`, at random moments."""

import asyncio
from random import Random

from tests.faults.conftest import FULL, Chance, NewSite
from tests.faults.invariants import all_hold
from tests.faults.person import PATIENCE, Person, Turn
from tests.faults.site import Process, Site
from tests.faults.speech import Speech, end_of, held_back

ROUNDS, KILLS_PER_ROUND = (5, 4) if FULL else (1, 1)
REPLIES_PER_KILL = 5
WORDS = 80
MOMENTS = 3.0
"""Seconds within which the processes of a round are killed; no reply ends before, so a kill hits the first."""


async def test_the_replies_of_a_killed_process_are_made_by_another(new_site: NewSite, chance: Chance) -> None:
    async with new_site(processes=KILLS_PER_ROUND + 1) as site, Person(site) as person:
        site.provider.answer(held_back)
        for number_of_round in range(ROUNDS):
            victims = site.processes[:KILLS_PER_ROUND]
            first = number_of_round * 100
            asked = [
                ask_and_watch(person, number, chance(number), victim)
                for number, victim in enumerate(victims * REPLIES_PER_KILL, first)
            ]
            moments = [chance(f"kill {first + n}").uniform(0, MOMENTS) for n in range(KILLS_PER_ROUND)]
            await asyncio.gather(*asked, kill(site, victims, moments, range(first, first + len(asked))))
            await asyncio.gather(*(asyncio.to_thread(victim.start) for victim in victims))
        assert len(site.provider.chats) > len(person.turns), "no kill hit a reply"
        await all_hold(site, person)


async def ask_and_watch(person: Person, number: int, moments: Random, at: Process) -> Turn:
    """Ask at a random moment, and watch the reply wherever it is made."""
    await asyncio.sleep(moments.uniform(0, MOMENTS * 2 / 3))
    turn = await person.ask(Speech(number, words=WORDS, interval=0.05), at=at)
    await person.watch(turn, at=at)
    return turn


async def kill(site: Site, victims: list[Process], moments: list[float], numbers: range) -> None:
    """Kill each, so many seconds after the first reply of this round has begun; then let its replies end."""
    await asyncio.to_thread(site.provider.wait_for_requests, len(site.provider.chats) + 1, PATIENCE)

    async def kill_one(victim: Process, moment: float) -> None:
        await asyncio.sleep(moment)
        await asyncio.to_thread(victim.kill)

    await asyncio.gather(*map(kill_one, victims, moments))
    for number in numbers:
        site.provider.gate(end_of(number)).open()
