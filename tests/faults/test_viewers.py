"""Viewers come and go, in any process."""

import asyncio

from tests.faults.conftest import Chance, NewSite
from tests.faults.invariants import all_hold
from tests.faults.person import Person
from tests.faults.screen import article
from tests.faults.speech import Speech

RELOADS = 200
REPLIES = 20


async def test_reloads_at_random_moments_lose_nothing(new_site: NewSite, chance: Chance) -> None:
    async with new_site() as site, Person(site) as person:
        left_early = list[bool]()

        async def reload_often(number: int) -> None:
            moments = chance(number)
            turn = await person.ask(Speech(number, words=200))
            for _ in range(RELOADS // REPLIES):
                left_early.append(await person.leave_early(turn, moments.uniform(0, turn.speech.seconds / 10)))
                assert article(await person.page(turn.conversation), turn.reply)
            await person.watch(turn)

        await asyncio.gather(*(reload_often(number) for number in range(REPLIES)))
        assert sum(left_early) > RELOADS * 9 // 10
        await all_hold(site, person)


async def test_viewers_in_two_processes_see_the_same(new_site: NewSite) -> None:
    async with new_site() as site, Person(site) as person:
        turns = await asyncio.gather(*(person.ask(Speech(number)) for number in range(10)))
        viewers = [person.watch(turn, at=process) for turn in turns for process in site.processes * 2]
        await asyncio.gather(*viewers)
        assert all(screen.connections == 1 for turn in turns for screen in turn.screens)
        assert len(site.provider.chats) == len(turns)
        await all_hold(site, person)
