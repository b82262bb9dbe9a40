"""The tools of one reply: what the model is offered, the calls that it named, and running them.

A round is stored with its calls before anything runs. Calls that change the database run one after the other, in the
order in which the model named them; the others run beside them, a few at a time.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from accounts.models import User
from conversations.errors.replies import RepeatedCalls, TooManyCalls, TooManyRounds
from conversations.models import CallState, Decision, ReplyRound, ToolCall
from conversations.models.steps import Step
from conversations.replies import context, replay, rounds
from conversations.replies.live import LiveReply
from conversations.replies.rounds import Counts, Round
from tools import registry, running
from tools import text as texts
from tools.define import Call
from tools.ended import End
from tools.registry import ArgumentsRefused, Tool

logger = logging.getLogger(__name__)

CALLS_MOST = 100
"""Calls that a model may name in one round."""

ID_MAX_CHARS = 200

OWN = frozenset({"id", "type", "function"})
"""Fields of a call that it has in every provider's answer."""

STARTABLE = frozenset({CallState.PROPOSED, CallState.APPROVED})

type Policy = Literal["never", "ask", "allow"]

Database = Callable[..., Awaitable[Any]]
"""Runs a blocking function with its arguments outside the event loop, again while the database is away."""


class LeaseLost(Exception):
    """The reply is no longer this worker's: another one makes it, or it was deleted."""


@dataclass(frozen=True, slots=True)
class Offer:
    """The tools that the model may call in a reply, and what may run without asking."""

    tools: Mapping[str, Tool]
    policies: Mapping[str, Policy]
    allowed: Collection[str] = ()
    """Tools that the person allowed for the whole conversation."""

    def options(self) -> dict[str, Any]:
        """The field of the request to the model, if any tool is offered."""
        return {"tools": [tool.for_model() for tool in self.tools.values()]} if self.tools else {}


NO_OFFER = Offer({}, {})


@dataclass(frozen=True, slots=True)
class Said:
    """What the model said in a round that ended with calls."""

    text: str
    place: int
    """Characters of the reply's text at its end."""
    reasoning: str
    items: Mapping[str, Any]
    calls: Sequence[Mapping[str, Any]]
    """The calls in OpenAI's form."""


def offer_to(user_id: UUID, *, off: Collection[str], allowed: Collection[str]) -> Offer:
    """What the model is offered in a reply for this person. Causes queries if the site has tools."""
    if not settings.CHAT_TOOLS or not registry.all_tools():
        return NO_OFFER
    tools = registry.offered_to(User.objects.get(pk=user_id), without=off)
    offer = Offer({tool.name: tool for tool in tools}, registry.policies(tools) if tools else {}, allowed)
    return offer if fits(offer.options()) else NO_OFFER


def fits(offered: Mapping[str, Any]) -> bool:
    """Whether the tools leave half of the model's window for what is said."""
    return context.tokens_of_json(offered) <= context.available() // 2


class Acting:
    """The rounds and calls of one reply that this process makes."""

    def __init__(
        self,
        reply: LiveReply,
        *,
        worker: str,
        user_id: UUID,
        conversation_id: UUID,
        offer: Offer,
        done: Sequence[Round] = (),
        database: Database,
    ) -> None:
        self.rounds = list(done)
        self.offer = offer
        self._reply = reply
        self._worker = worker
        self._user_id = user_id
        self._conversation_id = conversation_id
        self._database = database
        self._progress: dict[UUID, str] = {}
        self._show()

    @property
    def begins_at(self) -> int:
        """Characters of the reply's text in the rounds that have ended."""
        return len(rounds.text_of(self.rounds))

    async def add(self, said: Said, *, draft: str, counts: Counts) -> None:
        """Store a round with its calls. Raises `TooManyCalls`, `TooManyRounds`, `LeaseLost`."""
        if len(said.calls) > CALLS_MOST:
            raise TooManyCalls(limit=CALLS_MOST)
        number = self.rounds[-1].said.number + 1 if self.rounds else 0
        message_id = self._reply.message_id
        row = ReplyRound(
            message_id=message_id,
            user_id=self._user_id,
            number=number,
            text=said.text,
            reasoning=said.reasoning,
            items=texts.storable_json(dict(said.items)) or None,
        )
        added = Round(row)
        for position, named in enumerate(said.calls):
            added.calls.append(self._call(named, number, position, said.place, added.calls))
        if not await self._database(rounds.add, added, worker=self._worker, draft=draft, counts=counts):
            raise LeaseLost
        self.rounds.append(added)
        self._show()

    async def run(self) -> bool:
        """Run the calls of the last round; True when all have ended, False when the reply waits for its person.

        Raises `LeaseLost`, and the errors by which a reply ends that would not come to an end by itself.
        """
        while self.rounds:
            calls = self.rounds[-1].calls
            if ready := await self._ready(calls):
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

    def _check_progress(self) -> None:
        limit: int = settings.CHAT_TOOL_REPEATS
        if replay.same_results(self.rounds) >= limit:
            raise RepeatedCalls(limit=limit)
        if len(self.rounds) >= settings.CHAT_TOOL_ROUNDS:
            raise TooManyRounds(limit=settings.CHAT_TOOL_ROUNDS)

    def _call(
        self, named: Mapping[str, Any], number: int, position: int, place: int, before: Sequence[ToolCall]
    ) -> ToolCall:
        """The row of a call that the model named: what can be known of it without its person is decided here."""
        function = named.get("function") or named.get("custom") or {}
        call = ToolCall(
            message_id=self._reply.message_id,
            user_id=self._user_id,
            round=number,
            position=position,
            place=place,
            provider_id=_other_id(str(named.get("id") or ""), before),
            tool=texts.storable(str(function.get("name") or ""))[:200],
            arguments=texts.storable(str(function.get("arguments") or "")),
            extra=texts.storable_json({name: value for name, value in named.items() if name not in OWN}) or None,
        )
        tool = self.offer.tools.get(call.tool)
        if error := self._refusal(tool, call):
            call.state, call.error, call.finished_at = CallState.FAILED, error, timezone.now()
            return call
        is_asked = self.offer.policies.get(call.tool) == "ask" and call.tool not in self.offer.allowed
        is_held = any(earlier.is_undecided for earlier in before) and not (tool and tool.read_only)
        if is_asked:
            call.state = CallState.WAITING
        elif is_held:
            call.state = CallState.PROPOSED
        else:
            is_always = self.offer.policies.get(call.tool) == "ask"
            call.state, call.decided_at = CallState.APPROVED, timezone.now()
            call.decision = Decision.ALWAYS if is_always else Decision.POLICY
        return call

    def _refusal(self, tool: Tool | None, call: ToolCall) -> str:
        """Why the call cannot be made, in words for the model; empty if it can."""
        if tool is None:
            names = ", ".join(self.offer.tools) or "none"
            return f"There is no tool {call.tool!r} here. The tools are: {names}."
        try:
            tool.arguments(call.arguments)
        except ArgumentsRefused as refused:
            return str(refused)
        return ""

    async def _ready(self, calls: Sequence[ToolCall]) -> list[ToolCall]:
        """The calls that may run now; those that only waited for others are approved first."""
        is_held, ready = False, list[ToolCall]()
        for call in calls:
            tool = registry.get(call.tool)
            if call.is_undecided:
                is_held = True
            elif call.state in STARTABLE and (not is_held or (tool and tool.read_only)):
                ready.append(call)
        if proposed := [call for call in ready if call.state == CallState.PROPOSED]:
            await self._database(rounds.approve, proposed)
        return ready

    async def _run(self, calls: Sequence[ToolCall]) -> None:
        keys = [call.pk for call in calls]
        begun = await self._database(rounds.begin, keys, message_id=self._reply.message_id, worker=self._worker)
        if not begun:
            # Somebody else decided otherwise meanwhile, or has the reply now.
            await self._read()
            return
        user = await self._database(User.objects.get, pk=self._user_id)
        now = timezone.now()
        in_order, beside = list[ToolCall](), list[ToolCall]()
        for call in calls:
            if call.pk in begun:
                call.state, call.started_at = CallState.RUNNING, now
                tool = registry.get(call.tool)
                (in_order if tool and tool.atomic and not tool.read_only else beside).append(call)
        self._show()
        places = asyncio.Semaphore(settings.CHAT_TOOL_CALLS)
        try:
            async with asyncio.TaskGroup() as tasks:
                for call in beside:
                    tasks.create_task(self._run_beside(call, user, places))
                if in_order:
                    tasks.create_task(self._run_in_order(in_order, user, places))
        except* LeaseLost:
            raise LeaseLost from None

    async def _run_in_order(self, calls: Sequence[ToolCall], user: User, places: asyncio.Semaphore) -> None:
        for call in calls:
            await self._run_beside(call, user, places)

    async def _run_beside(self, call: ToolCall, user: User, places: asyncio.Semaphore) -> None:
        async with places:
            await self._run_one(call, user)

    async def _run_one(self, call: ToolCall, user: User) -> None:
        tool = registry.get(call.tool)
        if tool is None:
            await self._fail(call, "This tool is no longer there.")
            return
        given = Call(call.pk, self._conversation_id, partial(self._tell, asyncio.get_running_loop(), call))
        store = partial(_store, call.pk, worker=self._worker)
        try:
            arguments = tool.arguments(call.arguments)
        except ArgumentsRefused as refused:
            await self._fail(call, str(refused))
            return
        ended = await running.run(tool, user=user, arguments=arguments, call=given, store=store)
        if ended.end is End.LOST:
            raise LeaseLost
        if ended.result is None:
            await self._fail(call, ended.words)
            return
        # The database was away when the tool had run: what it did is known here only.
        if ended.end is End.UNSTORED and not await self._database(store, ended.result):
            raise LeaseLost
        call.state, call.result, call.finished_at = CallState.DONE, ended.result.to_json(), timezone.now()
        self._progress.pop(call.pk, None)
        self._show()

    async def _fail(self, call: ToolCall, error: str) -> None:
        if not await self._database(rounds.fail, call.pk, error, worker=self._worker):
            raise LeaseLost
        call.state, call.error, call.finished_at = CallState.FAILED, error, timezone.now()
        self._progress.pop(call.pk, None)
        self._show()

    async def _wait(self) -> bool:
        """Let go of the reply until its person has decided; False when they have by now."""
        message_id = self._reply.message_id
        if await self._database(rounds.wait, message_id, worker=self._worker, draft=self._reply.text):
            return True
        await self._read()
        return False

    async def _read(self) -> None:
        """Read the calls again. Raises `LeaseLost` when nothing has changed: then the reply is another's."""
        before = [(call.state, call.decision) for said in self.rounds for call in said.calls]
        found = await self._database(rounds.read, [self._reply.message_id])
        calls = found.get(self._reply.message_id, [])
        for said in self.rounds:
            said.calls = [call for call in calls if call.round == said.said.number]
        if before == [(call.state, call.decision) for said in self.rounds for call in said.calls]:
            raise LeaseLost
        self._show()

    def _tell(self, loop: asyncio.AbstractEventLoop, call: ToolCall, words: str) -> None:
        def show() -> None:
            if call.state == CallState.RUNNING:
                self._progress[call.pk] = words
                self._show()

        loop.call_soon_threadsafe(show)

    def _show(self) -> None:
        steps = (Step.of(call, progress=self._progress.get(call.pk, "")) for said in self.rounds for call in said.calls)
        self._reply.show_steps(tuple(steps))


def _store(key: UUID, result: Any, *, worker: str) -> bool:
    return rounds.store(key, result.to_json(), worker=worker)


def _has_ended(call: ToolCall) -> bool:
    return call.state in {CallState.DONE, CallState.FAILED, CallState.DECLINED} or (
        call.state == CallState.UNKNOWN and bool(call.decision)
    )


def _other_id(key: str, before: Sequence[ToolCall]) -> str:
    """The provider's id of a call, or another one if an earlier call of the round has it."""
    key = texts.storable(key)[:ID_MAX_CHARS]
    taken = {call.provider_id for call in before}
    return key if key and key not in taken else f"call_{len(before)}{key}"[:ID_MAX_CHARS]
