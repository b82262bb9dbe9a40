"""A database that stops, crashes, or cuts its sessions, in the middle of replies and of posts."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.faults.cable import Cable
from tests.faults.conftest import FULL, Chance, NewSite
from tests.faults.database import Database
from tests.faults.invariants import DATABASE_AWAY, all_hold, settled
from tests.faults.person import PATIENCE, Person
from tests.faults.site import Site
from tests.faults.speech import Speech, script_for
from tests.kit.provider import ScriptedProvider

SECONDS_AWAY = (3.0, 10.0, 30.0) if FULL else (2.0,)
CUTS = 20 if FULL else 5
SECONDS_OUT_OF_REACH = 20.0 if FULL else 2.0
"""In full longer than a worker may give no sign of life."""

AFTERWARDS = 10.0 if FULL else 5.0
"""Seconds for which the replies go on."""


@pytest.mark.parametrize("away", SECONDS_AWAY)
async def test_replies_go_on_while_the_database_is_away(new_site: NewSite, chance: Chance, away: float) -> None:
    async with new_site() as site, Person(site) as person:

        async def ask_and_watch(number: int) -> None:
            turn = await person.ask(Speech(number, words=chance(number).randrange(20, 160), interval=0.05))
            await person.watch(turn)

        async def restart(end: Callable[[], None]) -> None:
            await asyncio.to_thread(site.provider.wait_for_requests, len(site.provider.chats) + 1, PATIENCE)
            await asyncio.sleep(chance(end.__name__).uniform(0, 2))
            assert site.asking, "nothing is going on"
            await asyncio.to_thread(end)
            await asyncio.sleep(away)
            await asyncio.to_thread(site.database.start)

        await asyncio.gather(*(ask_and_watch(number) for number in range(16)), restart(site.database.stop))
        assert len(site.provider.chats) == len(person.turns)
        await asyncio.gather(*(ask_and_watch(100 + number) for number in range(16)), restart(site.database.crash))
        # A database that crashes may forget a claim of the moment before: that reply is made again.
        assert len(site.provider.chats) >= len(person.turns)
        await all_hold(site, person, expected=DATABASE_AWAY)


async def test_cut_sessions_break_neither_replies_nor_posts(new_site: NewSite, chance: Chance) -> None:
    async with new_site() as site, Person(site) as person:
        asking = True

        async def keep_asking(number: int) -> None:
            conversation = "/"
            while asking:
                number += 100
                turn = await person.ask(Speech(number, words=20), conversation=conversation)
                conversation = turn.conversation
                await person.watch(turn)

        people = [asyncio.create_task(keep_asking(number)) for number in range(10)]
        moments = chance("cuts")
        for _ in range(CUTS):
            await asyncio.sleep(moments.uniform(0.1, 1.0))
            # A cut counts when there was something to cut.
            await settled(lambda: not site.database.cut(), "cuts without a session")
        asking = False
        await asyncio.gather(*people)
        await all_hold(site, person, expected=DATABASE_AWAY)


@pytest.mark.full
@pytest.mark.parametrize("fault", [Cable.break_off, Cable.fall_silent])
async def test_a_database_out_of_reach_has_no_reply_made_twice(
    database: Database, provider: ScriptedProvider, tmp_path: Path, fault: Callable[[Cable], Awaitable[None]]
) -> None:
    provider.answer(script_for)
    async with Cable(database) as cable, Site(cable, provider, tmp_path, processes=3) as site, Person(site) as person:
        worker, follower, idle = site.processes
        await person.page("/", at=idle)
        words = round((SECONDS_OUT_OF_REACH + AFTERWARDS) / 0.05)
        turns = [await person.ask(Speech(number, words=words, interval=0.05), at=worker) for number in range(6)]
        watching = [asyncio.create_task(person.watch(turn, at=worker)) for turn in turns]
        await asyncio.to_thread(site.provider.wait_for_requests, len(turns))
        watching += [asyncio.create_task(person.watch(turn, at=follower)) for turn in turns]
        await settled(lambda: [turn for turn in turns if not all(screen.text for screen in turn.screens)], "silence")
        await fault(cable)
        await asyncio.sleep(SECONDS_OUT_OF_REACH)
        # Those who ask while it is away, and those who ask a process that had nothing to do with it until now.
        watching += [asyncio.create_task(person.watch(turn, at=follower)) for turn in turns]
        await asyncio.sleep(1)
        await cable.mend()
        watching += [asyncio.create_task(person.watch(turn, at=idle)) for turn in turns]
        assert len(site.asking) == len(turns), "the replies have ended before"
        screens = await asyncio.gather(*watching)
        assert len(site.provider.chats) == len(turns)
        assert {screen.connections for screen in screens[: len(turns)]} == {1}, "a viewer had to come back"
        await all_hold(site, person, expected=DATABASE_AWAY)
