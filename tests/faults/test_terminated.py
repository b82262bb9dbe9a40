"""Server processes that are told to end: SIGTERM, in the middle of replies."""

import asyncio
from random import Random

from tests.faults.conftest import FULL, NewSite
from tests.faults.invariants import all_hold, query
from tests.faults.person import Person
from tests.faults.speech import Speech

ROUNDS = 6 if FULL else 1


async def test_a_rolling_restart_in_mid_reply_loses_nothing(new_site: NewSite, chance: Random) -> None:
    async with new_site() as site, Person(site) as person:

        async def ask_and_watch(number: int) -> None:
            await asyncio.sleep(chance.uniform(0, 2))
            turn = await person.ask(Speech(number, words=chance.randrange(10, 120), interval=0.05))
            await person.watch(turn)

        async def restart() -> None:
            for process in site.processes:
                await asyncio.sleep(chance.uniform(0.2, 2))
                await asyncio.to_thread(process.stop)
                await asyncio.to_thread(process.start)

        for number in range(ROUNDS):
            await asyncio.gather(*(ask_and_watch(number * 100 + n) for n in range(20)), restart())
        await all_hold(site, person)


async def test_what_cannot_end_within_the_grace_is_handed_back_at_once(new_site: NewSite) -> None:
    async with new_site(processes=1, CHAT_SHUTDOWN_GRACE="2") as site, Person(site) as person:
        (only,) = site.processes
        short = [await person.ask(Speech(number, words=20, interval=0.05)) for number in range(5)]
        long = [await person.ask(Speech(number, words=100, interval=0.05)) for number in range(10, 15)]
        watching = [asyncio.create_task(person.watch(turn)) for turn in (*short, *long)]
        await asyncio.to_thread(site.provider.wait_for_requests, len(watching))
        await asyncio.to_thread(only.stop)
        found = await query(site, "SELECT status, draft <> '' FROM conversations_generation ORDER BY message_id")
        assert found == [("complete", False)] * len(short) + [("interrupted", True)] * len(long)
        await asyncio.to_thread(only.start)
        await asyncio.gather(*watching)
        assert len(site.provider.chats) == len(short) + 2 * len(long)
        await all_hold(site, person)
