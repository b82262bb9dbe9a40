"""Viewers come and go, in any process."""

import asyncio
from itertools import batched

from tests.faults.conftest import Chance, NewSite
from tests.faults.invariants import all_hold, query, settled
from tests.faults.person import SMALL, Person
from tests.faults.screen import article
from tests.faults.site import Process
from tests.faults.speech import Speech
from tests.provider import END, Gate, Script, Text, Wait, stream

RELOADS = 200
REPLIES = 20
LONG = 40_000
"""Words that are more than all buffers between the server and a viewer hold."""

AT_ONCE = 40
"""Paragraphs that the model sends at once of those."""


class Narrow(Process):
    """A server process whose system keeps little of what a viewer does not read."""

    send_buffer = SMALL


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


async def test_a_viewer_who_stops_reading_slows_nobody(new_site: NewSite) -> None:
    async with new_site(processes=1, kind=Narrow) as site, Person(site) as person:
        site.provider.answer(held_then_at_once)
        turn = await person.ask(Speech(0, words=LONG))
        go_on = asyncio.Event()
        slow = asyncio.create_task(person.watch_slowly(turn, go_on))
        quick = asyncio.create_task(person.watch(turn))
        await settled(lambda: len(turn.screens) < 2 or not all(screen.text for screen in turn.screens), "silence")
        site.provider.gate("rest").open()
        quick_screen = await quick
        stored = await query(
            site,
            "SELECT status, length(content) FROM conversations_generation"
            " JOIN conversations_message ON id = message_id",
        )
        assert stored == [("complete", len(turn.speech.text))]
        assert not slow.done()
        go_on.set()
        slow_screen = await slow
        assert [screen.connections for screen in turn.screens] == [1, 1]
        # What came while nobody read was not kept for later: it is in the next thing that the viewer is sent.
        assert slow_screen.events < quick_screen.events / 2
        await all_hold(site, person)


def held_then_at_once(question: str) -> Script:
    """The first paragraph; all others, some at a time, when the test says so."""
    paragraphs = [f"{text}\n\n" for text in Speech.asked_by(question).text.split("\n\n")]
    paragraphs[-1] = paragraphs[-1].rstrip()
    rest = ["".join(part) for part in batched(paragraphs[1:], AT_ONCE)]
    steps = [step for text in rest for step in (Wait(0.01), Text(text))]
    return stream(Text(paragraphs[0]), Gate("rest"), *steps, *END)
