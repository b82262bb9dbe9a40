"""Stop, and the same turn sent again, at random moments, from any process."""

import asyncio

from uuid_utils.compat import uuid7

from tests.faults.conftest import FULL, Chance, NewSite
from tests.faults.faulty import half
from tests.faults.invariants import all_hold, query, settled
from tests.faults.person import Person
from tests.faults.screen import body, visible, visible_text
from tests.faults.site import Process
from tests.faults.speech import Speech, held_back
from tests.faults.test_terminated import held_in_the_middle

STOPS, TURNS = (80, 20) if FULL else (30, 10)


async def test_stop_works_at_any_moment_from_any_process(new_site: NewSite, chance: Chance) -> None:
    async with new_site() as site, Person(site) as person:
        # No reply ends by itself.
        site.provider.answer(held_back)

        async def stop_some_time(number: int) -> None:
            # A third of them before the first word.
            speech = Speech(number, words=40, interval=0.05, first=1.0)
            turn = await person.ask(speech)
            watching = asyncio.create_task(person.watch(turn))
            await asyncio.sleep(chance(number).uniform(0, speech.seconds))
            await person.stop(turn)
            screen = await watching
            assert visible_text(body(screen.end)).startswith(screen.text)

        await asyncio.gather(*(stop_some_time(number) for number in range(STOPS)))
        ((stopped,),) = await query(site, "SELECT count(*) FROM conversations_generation WHERE status = 'stopped'")
        assert stopped == STOPS
        await all_hold(site, person)


async def test_a_stop_keeps_exactly_what_was_shown(new_site: NewSite) -> None:
    async with new_site() as site, Person(site) as person:
        site.provider.answer(held_in_the_middle)

        async def stop_in_the_middle(number: int, worker: Process, at: Process) -> None:
            turn = await person.ask(Speech(number), at=worker)
            watching = asyncio.create_task(person.watch(turn, at=worker))
            shown = half(turn.speech).text
            await settled(lambda: not turn.screens or turn.screens[0].text != visible(shown), "words")
            await person.stop(turn, at=at)
            screen = await watching
            assert visible_text(body(screen.end)) == screen.text == visible(shown)
            sql = "SELECT content FROM conversations_message WHERE id = %s"
            assert await query(site, sql, turn.reply) == [(shown,)]

        pairs = [(worker, at) for worker in site.processes for at in site.processes]
        await asyncio.gather(*(stop_in_the_middle(number, *pair) for number, pair in enumerate(pairs, 10)))
        site.provider.gate("rest").open()
        await all_hold(site, person)


async def test_a_stop_before_anybody_watches_ends_the_reply(new_site: NewSite) -> None:
    async with new_site() as site, Person(site) as person:
        turns = await asyncio.gather(*(person.ask(Speech(number)) for number in range(4)))
        await asyncio.gather(*(person.stop(turn) for turn in turns))
        await asyncio.gather(*(person.watch(turn) for turn in turns))
        await all_hold(site, person)


async def test_four_identical_posts_at_once_are_one_turn(new_site: NewSite) -> None:
    async with new_site() as site, Person(site) as person:

        async def send_four_times(number: int, conversation: str) -> str:
            key = str(uuid7())
            posts = [
                person.ask(Speech(number, words=20), conversation=conversation, key=key, at=process)
                for process in site.processes * 2
            ]
            turns = await asyncio.gather(*posts)
            assert len({(turn.reply, turn.conversation) for turn in turns}) == 1
            await asyncio.gather(*(person.watch(turn) for turn in turns))
            return turns[0].conversation

        for number in range(0, TURNS, 5):
            begun = await asyncio.gather(*(send_four_times(number + n, "/") for n in range(4)))
            await send_four_times(number + 4, begun[0])
        assert len(site.provider.chats) == len(person.turns)
        await all_hold(site, person)
