"""Removal of old conversations: speed, memory, and the delay for people who chat meanwhile."""

import asyncio
import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import uvloop
from django.db import connection

from benchmarks import machine
from benchmarks.client import Times
from benchmarks.figures import Figure, Report, disturbance, percentile
from benchmarks.people import Person, sign_in
from benchmarks.rounds import Pace, Round, direct, through
from benchmarks.site import ROOT, Server, Site
from conversations.models import Conversation
from conversations.upkeep import seeding

FEW, MANY = 50_000, 200_000
"""Messages that one run removes, in the small and the large case."""

PEOPLE = 50
OWNERS = 100
MESSAGES_EACH = 20
LONG = 12_000
"""Messages of the one long conversation, several batches."""

MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Pruned:
    """Result of one run of the command."""

    conversations: int
    messages: int
    seconds: float
    peak: int
    """Peak memory of the command's process, in bytes."""


def measure(site: Site, *, few: int = FEW, many: int = MANY, people: int = PEOPLE) -> Report:
    """Remove few and many conversations on an idle site, then many while people chat."""
    _fill(few)
    small = prune()
    _fill(many)
    large = prune()
    chatting = sign_in(people)
    with site.server() as server:
        quiet, alone, beside, meanwhile = uvloop.run(_chat(site, server, chatting, many))
    usual = percentile(quiet.milliseconds(last), 0.5)

    def added(load: Round, share: float) -> float:
        return percentile(load.milliseconds(last), share) - usual

    return Report(
        figures=[
            Figure("prune: messages removed", large.messages / large.seconds, "messages/s", least=20_000),
            Figure("prune: peak memory", large.peak / MEGABYTE, "MB"),
            Figure(f"prune: more memory for {many:,} messages than for {few:,}", (large.peak - small.peak) / MEGABYTE,
                   "MB", most=10),
            Figure("prune beside chats: messages removed", meanwhile.messages / meanwhile.seconds, "messages/s"),
            Figure("prune beside chats: replies that failed", len(beside.failures), "", most=0),
            Figure("prune beside chats: added time to the last token, p95", added(beside, 0.95), "ms", most=500),
            Figure("the same chats alone: added time to the last token, p95", added(alone, 0.95), "ms"),
        ],
        troubles=[*machine.crowding(), *disturbance(quiet.busy("others")), *dict.fromkeys(beside.failures)],
    )  # fmt: skip


def last(times: Times) -> float:
    """Seconds to the reply's end."""
    return times.last


def prune() -> Pruned:
    """Remove all old conversations, in a process of its own on the server's core."""
    command = [sys.executable, "manage.py", "prune_conversations", "--older-than=1h", "--no-keep-pinned", "--json"]
    with machine.on_cores(machine.SERVER_CORES):
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    if process.stdout is None:
        raise RuntimeError("the command has no output")
    with process.stdout as output:
        told = json.loads(output.read())
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"the command ended with {process.returncode}")
    return Pruned(told["conversations"], told["messages"], told["seconds"], usage.ru_maxrss * 1_024)


async def _chat(
    site: Site, server: Server, people: Sequence[Person], messages: int
) -> tuple[Round, Round, Round, Pruned]:
    """Direct replies; chats alone; chats beside a prune; that prune."""
    await asyncio.to_thread(_fill, messages)
    await through(site, server, people, Pace(tokens=20))
    quiet = await direct(site, len(people), Pace())
    alone = await through(site, server, people, Pace())
    pruning = asyncio.create_task(asyncio.to_thread(prune))
    beside = await through(site, server, people, Pace())
    return quiet, alone, beside, await pruning


def _fill(messages: int) -> None:
    """Store old messages, with one long conversation, in tables as after a vacuum."""
    chance = random.Random(messages)  # noqa: S311 (not a secret)
    owners = seeding.people(OWNERS, chance=chance)
    long = min(LONG, messages // 4)
    rest = messages - long
    for _ in seeding.fill(owners[:1], conversations=1, messages=long, chance=chance):
        pass
    for _ in seeding.fill(owners, conversations=rest // MESSAGES_EACH, messages=rest, chance=chance):
        pass
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    if not Conversation.objects.filter(user__in=owners).exists():
        raise RuntimeError("nothing was stored")
    connection.close()
