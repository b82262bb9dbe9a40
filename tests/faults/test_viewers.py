"""Viewers come and go, in any process."""

import asyncio
import re
from itertools import batched

from tests.faults.conftest import Chance, NewSite
from tests.faults.invariants import all_hold, query, settled
from tests.faults.person import SMALL, Person
from tests.faults.screen import article, visible
from tests.faults.site import Process
from tests.faults.speech import Speech, end_of, held_back
from tests.kit.provider import END, Gate, Script, Text, stream

RELOADS = 200
REPLIES = 20
LONG = 25_000
"""Words that are more than all buffers between the server and a viewer hold, and no more than a page shows at once."""

STAGES = 11
"""Parts in which the model sends those."""


class Narrow(Process):
    """A server process whose system keeps little of what a viewer does not read."""

    send_buffer = SMALL


async def test_reloads_at_random_moments_lose_nothing(new_site: NewSite, chance: Chance) -> None:
    async with new_site() as site, Person(site) as person:
        site.provider.answer(held_back)

        async def reload_often(number: int) -> None:
            moments = chance(number)
            turn = await person.ask(Speech(number, words=200))
            for _ in range(RELOADS // REPLIES):
                assert await person.leave_early(turn, moments.uniform(0, turn.speech.seconds / 10))
                assert article(await person.page(turn.conversation), turn.reply)
            site.provider.gate(end_of(number)).open()
            await person.watch(turn)

        await asyncio.gather(*(reload_often(number) for number in range(REPLIES)))
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
        site.provider.answer(in_stages)
        turn = await person.ask(Speech(0, words=LONG))
        go_on = asyncio.Event()
        slow = asyncio.create_task(person.watch_slowly(turn, go_on))
        await settled(lambda: not turn.screens or not turn.screens[0].text, "silence")
        quick = asyncio.create_task(person.watch(turn))
        await settled(lambda: len(turn.screens) < 2, "nobody else")
        shown = 0
        for number, stage in enumerate(stages(turn.speech)):
            site.provider.gate(f"stage {number}").open()
            shown += len(visible(stage))
            # The last of it may come with the end.
            await settled(lambda shown=shown: not quick.done() and len(turn.screens[1].text) < shown, "words")  # type: ignore[misc]
        await quick
        sql = "SELECT status, content FROM conversations_generation JOIN conversations_message ON id = message_id"
        assert await query(site, sql) == [("complete", turn.speech.text)]
        assert not slow.done()
        go_on.set()
        slow_screen = await slow
        assert [screen.connections for screen in turn.screens] == [1, 1]
        # What came while nobody read was not kept for later: the end has it all.
        assert len(slow_screen.text) < len(visible(turn.speech.text)) / 2
        await all_hold(site, person)


def in_stages(question: str) -> Script:
    """The answer, each part of it when the test says so but the first, which comes at once."""
    first, *rest = stages(Speech.asked_by(question))
    steps = [step for number, text in enumerate(rest, 1) for step in (Gate(f"stage {number}"), Text(text))]
    return stream(Text(first), *steps, *END)


def stages(speech: Speech) -> list[str]:
    """The answer in parts: its first words, then ends of paragraphs."""
    paragraphs = re.findall(r".+?(?:\n\n|$)", speech.text, re.DOTALL)
    size = len(paragraphs) // (STAGES - 1) + 1
    parts = [paragraphs[:1], *batched(paragraphs[1:], size)]
    return ["".join(part) for part in parts]
