"""Where the rounds and calls of one answer are stored by the process that runs them."""

import os
import secrets
import socket
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from conversations.models import ToolCall
from conversations.replies import rounds
from conversations.replies.live import LiveReply
from conversations.replies.rounds import Counts, Round
from tools.results import Result


def new_worker() -> str:
    """A name for who makes an answer in this process, unlike any other."""
    return f"{socket.gethostname()[:60]}:{os.getpid()}:{secrets.token_hex(6)}"


class CallStore(Protocol):
    """The rows of one answer. Its methods block: none may be called in the event loop."""

    @property
    def user_id(self) -> UUID:
        """For whom the tools run."""

    @property
    def conversation_id(self) -> UUID | None:
        """The conversation of the answer, if it has one."""

    @property
    def columns(self) -> dict[str, Any]:
        """Columns that all calls of the answer have in common."""

    def allowed(self) -> list[str]:
        """Names of the tools that the person lets run without asking, as it is now."""

    def add(self, added: Round, *, draft: str, counts: Counts) -> None:
        """Store a round with its calls before any of them runs. Raises `LeaseLost`."""

    def begin(self, call: ToolCall) -> bool:
        """Mark a call as running; returns False when it may not run any more. Raises `LeaseLost`, `StopRequested`."""

    def store(self, key: UUID, result: Result) -> bool:
        """Store the result of a running call, in the caller's transaction; returns False when it was given up."""

    def fail(self, key: UUID, error: str) -> bool:
        """End a running call without a result; returns False when it has ended."""

    def done(self, key: UUID) -> ToolCall | None:
        """The call if its result is stored; None otherwise."""

    def wait(self) -> bool:
        """Let the answer wait for its person; returns False when nothing is undecided. Raises as `begin` does."""

    def read(self) -> list[ToolCall]:
        """The calls as they are stored now, in order."""


@dataclass(frozen=True, slots=True)
class ReplyStore:
    """The rows of a reply that this worker makes."""

    reply: LiveReply
    worker: str
    user_id: UUID
    conversation_id: UUID

    @property
    def columns(self) -> dict[str, Any]:
        """The reply and its owner."""
        return {"message_id": self.reply.message_id, "user_id": self.user_id}

    def allowed(self) -> list[str]:
        """Names of the tools that run in the conversation without asking. Causes a query."""
        return rounds.allowed_in(self.conversation_id)

    def add(self, added: Round, *, draft: str, counts: Counts) -> None:
        """Store the round with its reply's text and tokens so far; see `rounds.add`."""
        rounds.add(added, worker=self.worker, draft=draft, counts=counts)

    def begin(self, call: ToolCall) -> bool:
        """Mark a call as running in this worker; see `rounds.begin`."""
        return rounds.begin(call, worker=self.worker)

    def store(self, key: UUID, result: Result) -> bool:
        """Store the result of a call that this worker runs; see `rounds.store`."""
        return rounds.store(key, result.to_json(), worker=self.worker)

    def fail(self, key: UUID, error: str) -> bool:
        """End a call that this worker runs; see `rounds.fail`."""
        return rounds.fail(key, error, worker=self.worker)

    def done(self, key: UUID) -> ToolCall | None:
        """The call, if this worker ran it and its result is stored. Causes a query."""
        return rounds.done_by(key, self.worker)

    def wait(self) -> bool:
        """Let go of the reply until its person has decided; see `rounds.wait`."""
        return rounds.wait(self.reply.message_id, worker=self.worker, draft=self.reply.text)

    def read(self) -> list[ToolCall]:
        """The reply's calls, in order. Causes a query."""
        return rounds.read([self.reply.message_id]).get(self.reply.message_id, [])
