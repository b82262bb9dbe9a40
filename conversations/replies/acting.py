"""The tools of one answer: storing the calls that the model named, and running them.

A round is stored with its calls before anything runs. Calls that change the database run one after the other, in the
order in which the model named them; the others run beside each other in between, a few at a time.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from accounts.models import User
from conversations.errors.replies import RepeatedCalls, TooManyRounds
from conversations.models import CallState, ToolCall
from conversations.models.steps import Step
from conversations.replies import proposals, replay, rounds
from conversations.replies.offers import Offer
from conversations.replies.proposals import Said
from conversations.replies.rounds import Counts, LeaseLost, Round, StopRequested
from conversations.replies.stores import CallStore
from tools import registry, running
from tools.define import Call
from tools.ended import End
from tools.registry import ArgumentsRefused

STARTABLE = frozenset({CallState.PROPOSED, CallState.APPROVED})

Database = Callable[..., Awaitable[Any]]
"""Runs a blocking function with its arguments outside the event loop, again while the database is away."""


def _show_nobody(steps: tuple[Step, ...]) -> None:
    pass


class Acting:
    """The rounds and calls of one answer that this process makes."""

    def __init__(
        self,
        store: CallStore,
        *,
        offer: Offer,
        done: Sequence[Round] = (),
        is_continued: bool = False,
        database: Database,
        show: Callable[[tuple[Step, ...]], object] = _show_nobody,
    ) -> None:
        """`done` are the rounds that have ended; a reply that `is_continued` may go on beyond a limit that it has
        reached. `show` gets all calls so far whenever one has changed."""
        self.rounds = list(done)
        self.offer = offer
        self._store = store
        self._database = database
        self._show_steps = show
        self._may_go_on = is_continued
        self._progress: dict[UUID, str] = {}
        self._show()

    @property
    def begins_at(self) -> int:
        """Characters of the answer's text in the rounds that have ended."""
        return len(rounds.text_of(self.rounds))

    async def add(self, said: Said, *, draft: str, counts: Counts) -> None:
        """Store a round with its calls. Raises `TooManyCalls`, `LeaseLost`."""
        if self.offer.has_to_ask(said.names):
            # The person may have allowed a tool since the reply began.
            allowed = await self._database(self._store.allowed)
            self.offer = replace(self.offer, allowed=allowed)
        number = self.rounds[-1].said.number + 1 if self.rounds else 0
        added = proposals.round_of(said, number=number, offer=self.offer, columns=self._store.columns)
        await self._database(self._store.add, added, draft=draft, counts=counts)
        self.rounds.append(added)
        self._may_go_on = False
        self._show()

    async def run(self) -> bool:
        """Run the calls of the last round; True when all have ended, False when the reply waits for its person.

        Raises `LeaseLost`, `StopRequested`, and the errors by which a reply ends that would not come to an end by
        itself.
        """
        while self.rounds:
            calls = self.rounds[-1].calls
            if ready := self._ready(calls):
                await self._run(ready)
            elif all(_has_ended(call) for call in calls):
                self._check_progress()
                return True
            elif await self._wait():
                return False
        return True

    def messages(self, room: int) -> list[Any]:
        """The rounds as messages for the model, in about `room` tokens."""
        return replay.messages(self.rounds, room=room)

    def told(self, room: int) -> list[Any]:
        """The rounds in plain words, for a model that is offered no tools, in about `room` tokens."""
        return replay.told(self.rounds, room=room)

    def _check_progress(self) -> None:
        if self._may_go_on:
            return
        limit: int = settings.CHAT_TOOL_REPEATS
        if replay.same_results(self.rounds) >= limit:
            raise RepeatedCalls(limit=limit)
        # A reply that was continued beyond the limit ends when it reaches it once more.
        if len(self.rounds) % settings.CHAT_TOOL_ROUNDS == 0:
            raise TooManyRounds(limit=settings.CHAT_TOOL_ROUNDS)

    def _ready(self, calls: Sequence[ToolCall]) -> list[ToolCall]:
        """The calls that may run now."""
        is_held, ready = False, list[ToolCall]()
        for call in calls:
            tool = registry.get(call.tool)
            if call.is_undecided:
                is_held = True
            elif call.state in STARTABLE and (not is_held or (tool and tool.read_only)):
                ready.append(call)
        return ready

    async def _run(self, calls: Sequence[ToolCall]) -> None:
        """Run the calls; those of which somebody decided otherwise meanwhile do not run, and are read again."""
        have_run = True
        for group in _groups(calls):
            have_run = await self._run_together(group) and have_run
        if not have_run:
            await self._read()

    async def _run_together(self, calls: Sequence[ToolCall]) -> bool:
        """Run the calls beside each other, a few at a time; returns whether all of them ran."""
        places = asyncio.Semaphore(settings.CHAT_TOOL_CALLS)
        try:
            async with asyncio.TaskGroup() as tasks:
                runs = [tasks.create_task(self._run_in(places, call)) for call in calls]
        except ExceptionGroup as several:
            for kind in (StopRequested, LeaseLost):
                if several.subgroup(kind):
                    raise kind from None
            raise
        return all(task.result() for task in runs)

    async def _run_in(self, places: asyncio.Semaphore, call: ToolCall) -> bool:
        async with places:
            # Only what runs is marked as running: after a crash, of all else is known that it did not happen.
            has_begun = await self._database(self._store.begin, call)
            if has_begun:
                await self._run_one(call)
        return bool(has_begun)

    async def _run_one(self, call: ToolCall) -> None:
        call.state, call.started_at = CallState.RUNNING, timezone.now()
        self._show()
        tool = registry.get(call.tool)
        if tool is None:
            await self._fail(call, "This tool is no longer there.")
            return
        try:
            arguments = tool.arguments(call.arguments)
        except ArgumentsRefused as refused:
            await self._fail(call, str(refused))
            return
        given = Call(call.pk, self._store.conversation_id, partial(self._tell, call))
        store, person = partial(self._store.store, call.pk), User(pk=self._store.user_id)
        ended = await running.run(tool, user=person, arguments=arguments, call=given, store=store)
        if ended.end is End.LOST:
            raise LeaseLost
        if ended.result is None:
            await self._fail(call, ended.words)
            return
        # The database was away when the tool had run: what it did is known here only.
        if ended.end is End.UNSTORED and not await self._database(store, ended.result):
            raise LeaseLost
        self._end(call, CallState.DONE, result=ended.result.to_json())

    async def _fail(self, call: ToolCall, error: str) -> None:
        """End the call without a result, unless that was stored although the database could not say so."""
        if await self._database(self._store.fail, call.pk, error):
            self._end(call, CallState.FAILED, error=error)
        elif done := await self._database(self._store.done, call.pk):
            self._end(call, CallState.DONE, result=done.result)
        else:
            raise LeaseLost

    def _end(self, call: ToolCall, state: CallState, *, result: Any = None, error: str = "") -> None:
        call.state, call.result, call.error, call.finished_at = state, result, error, timezone.now()
        self._progress.pop(call.pk, None)
        self._show()

    async def _wait(self) -> bool:
        """Let go of the reply until its person has decided; False when they have by now."""
        if await self._database(self._store.wait):
            return True
        await self._read()
        return False

    async def _read(self) -> None:
        """Read the calls again. Raises `LeaseLost` when nothing has changed: then the reply is another's."""
        before = [(call.state, call.decision) for said in self.rounds for call in said.calls]
        calls = await self._database(self._store.read)
        for said in self.rounds:
            said.calls = [call for call in calls if call.round == said.said.number]
        if before == [(call.state, call.decision) for said in self.rounds for call in said.calls]:
            raise LeaseLost
        self._show()

    def _tell(self, call: ToolCall, words: str) -> None:
        if call.state == CallState.RUNNING:
            self._progress[call.pk] = words
            self._show()

    def _show(self) -> None:
        steps = (Step.of(call, progress=self._progress.get(call.pk, "")) for said in self.rounds for call in said.calls)
        self._show_steps(tuple(steps))


def _has_ended(call: ToolCall) -> bool:
    return call.state in {CallState.DONE, CallState.FAILED, CallState.DECLINED} or (
        call.state == CallState.UNKNOWN and bool(call.decision)
    )


def _groups(calls: Sequence[ToolCall]) -> list[list[ToolCall]]:
    """The calls in their order: one that changes the database is a group of its own, so that what follows sees it."""
    groups: list[list[ToolCall]] = []
    is_open = False
    for call in calls:
        tool = registry.get(call.tool)
        changes = bool(tool and tool.atomic and not tool.read_only)
        if is_open and not changes:
            groups[-1].append(call)
        else:
            groups.append([call])
        is_open = not changes
    return groups
