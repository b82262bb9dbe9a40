"""Server processes that are told to end: SIGTERM, in the middle of replies."""

import asyncio
import signal
import time

import pytest

from tests.faults.conftest import FULL, Chance, NewSite
from tests.faults.faulty import half
from tests.faults.invariants import all_hold, query, settled
from tests.faults.person import PATIENCE, Person, Turn
from tests.faults.site import Process
from tests.faults.speech import Speech
from tests.kit.provider import END, Gate, Script, Text, stream

ROUNDS = 6 if FULL else 1
GRACE = 5
IN_TIME = 30
"""Seconds within which a process ends on any machine, half of those that its server would wait for its viewers."""


class Patient(Process):
    """A server process whose server lets it have the whole grace."""

    options = ("--timeout-graceful-shutdown", "60")


@pytest.mark.full
async def test_a_rolling_restart_in_mid_reply_loses_nothing(new_site: NewSite, chance: Chance) -> None:
    async with new_site() as site, Person(site) as person:

        async def ask_and_watch(number: int) -> None:
            mine = chance(number)
            await asyncio.sleep(mine.uniform(0, 2))
            turn = await person.ask(Speech(number, words=mine.randrange(10, 120), interval=0.05))
            await person.watch(turn)

        moments = chance("restarts")

        async def restart() -> None:
            await asyncio.to_thread(site.provider.wait_for_requests, len(site.provider.chats) + 1, PATIENCE)
            for process in site.processes:
                await asyncio.sleep(moments.uniform(0.2, 2))
                await asyncio.to_thread(process.stop)
                await asyncio.to_thread(process.start)

        for number in range(ROUNDS):
            await asyncio.gather(*(ask_and_watch(number * 100 + n) for n in range(20)), restart())
        assert len(site.provider.chats) > len(person.turns), "no restart hit a reply"
        await all_hold(site, person)


async def test_what_cannot_end_within_the_grace_is_handed_back_at_once(new_site: NewSite) -> None:
    async with new_site(processes=1, kind=Patient, CHAT_SHUTDOWN_GRACE=str(GRACE)) as site, Person(site) as person:
        (only,) = site.processes
        site.provider.answer(held_in_the_middle)
        short = [await person.ask(Speech(number)) for number in range(5)]
        long = [await person.ask(Speech(number)) for number in range(10, 15)]
        watching = [asyncio.create_task(person.watch(turn)) for turn in (*short, *long)]
        await settled(lambda: [turn for turn in person.turns if not all_show(turn)], "silence")
        begun = time.monotonic()
        only.process.send_signal(signal.SIGTERM)
        site.provider.gate("early rest").open()
        await asyncio.to_thread(only.process.wait, IN_TIME)
        assert time.monotonic() - begun >= GRACE
        found = await query(site, "SELECT status, draft <> '' FROM conversations_generation ORDER BY message_id")
        assert found == [("complete", False)] * len(short) + [("interrupted", True)] * len(long)
        site.provider.gate("rest").open()
        await asyncio.to_thread(only.start)
        await asyncio.gather(*watching)
        assert len(site.provider.chats) == len(short) + 2 * len(long)
        await all_hold(site, person)


def all_show(turn: Turn) -> bool:
    """Whether somebody watches the reply, and everybody who does sees some of it."""
    return bool(turn.screens) and all(screen.text for screen in turn.screens)


def held_in_the_middle(question: str) -> Script:
    """Half of the answer, and the rest when the test says so: of the first ten questions' answers at another gate."""
    speech = Speech.asked_by(question)
    gate = Gate("early rest" if speech.number < 10 else "rest")
    return stream(half(speech), gate, Text(speech.text.removeprefix(half(speech).text)), *END)
