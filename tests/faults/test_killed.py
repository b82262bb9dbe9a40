"""Server processes that are killed: `kill -9`, at random moments."""

import asyncio
from random import Random

from tests.faults.conftest import FULL, NewSite
from tests.faults.invariants import all_hold
from tests.faults.person import Person, Turn
from tests.faults.site import Process
from tests.faults.speech import Speech

ROUNDS, KILLS_PER_ROUND = (5, 4) if FULL else (1, 2)
REPLIES_PER_KILL = 5
MOMENTS = 4.0
"""Seconds within which the processes of a round are killed."""


async def test_the_replies_of_a_killed_process_are_made_by_another(new_site: NewSite, chance: Random) -> None:
    async with new_site(processes=KILLS_PER_ROUND + 1) as site, Person(site) as person:
        for kills in range(ROUNDS):
            victims = site.processes[:KILLS_PER_ROUND]
            asked = [
                ask_and_watch(person, kills * 100 + number, chance, victim)
                for number, victim in enumerate(victims * REPLIES_PER_KILL)
            ]
            await asyncio.gather(*asked, *(kill(victim, chance) for victim in victims))
            await asyncio.gather(*(asyncio.to_thread(victim.start) for victim in victims))
        await all_hold(site, person)


async def ask_and_watch(person: Person, number: int, chance: Random, at: Process) -> Turn:
    """Ask at a random moment, and watch the reply wherever it is made."""
    await asyncio.sleep(chance.uniform(0, MOMENTS / 2))
    turn = await person.ask(Speech(number, words=50, interval=0.05), at=at)
    await person.watch(turn, at=at)
    return turn


async def kill(victim: Process, chance: Random) -> None:
    """Kill it at a random moment."""
    await asyncio.sleep(chance.uniform(0.2, MOMENTS))
    await asyncio.to_thread(victim.kill)
