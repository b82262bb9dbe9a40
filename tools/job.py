"""One call that is to be made: its tool, for whom, with what, and where its result goes."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection, connections, transaction

from accounts.backends import AccountBackend
from accounts.models import User
from chatbot.core import sql
from tools import registry
from tools.define import Call
from tools.ended import End, Ended
from tools.failures import NotAllowed, failed
from tools.results import Result
from tools.tool import Tool

logger = logging.getLogger(__name__)

type Store = Callable[[Result], bool]
"""Stores a result in the running transaction; returns False if it must not be stored any more."""

BOUND = """
SELECT set_config('statement_timeout', %(limit)s, true),
       set_config('idle_in_transaction_session_timeout', %(limit)s, true)
"""
"""SQL that has the database end the running transaction, with its locks, where its tool hangs."""

BOUND_AND_READ_ONLY = f"{BOUND.rstrip()}, set_config('transaction_read_only', 'on', true)"


class Lost(Exception):
    """The result of a call must not be stored any more."""


@dataclass(frozen=True, slots=True)
class Job:
    """One call that is to be made."""

    tool: Tool
    user: User
    arguments: Mapping[str, Any]
    call: Call
    store: Store

    def person(self) -> User:
        """The person as the database has them now, who may use the tool now. Raises `NotAllowed`. Causes queries."""
        person = AccountBackend().get_user(self.user.pk)
        if person is None:
            raise NotAllowed("The tool was not run: the person's account is closed.")
        if not self.tool.may_be_used_by(person):
            raise NotAllowed("The tool was not run: the person does not have the permission that it needs.")
        if registry.policy_of(self.tool) == "never":
            raise NotAllowed("The tool was not run: an administrator has turned it off.")
        return person

    def keywords(self, person: User) -> dict[str, Any]:
        """All arguments of the function."""
        given = {"user": person, "call": self.call}
        return {**self.arguments, **{name: given[name] for name in self.tool.schema.given}}

    def value(self) -> Any:
        """What a synchronous tool returns. Raises what it raises, or `NotAllowed`."""
        return self.tool.function(**self.keywords(self.person()))

    def stored(self, result: Result) -> None:
        """Store the result in the running transaction. Raises `Lost`, or an error of the database."""
        if connection.closed_in_transaction or connection.needs_rollback:
            raise DatabaseError("The tool has broken the transaction in which it ran.")
        if not self.store(result):
            raise Lost

    def stored_by_itself(self, result: Result) -> Ended:
        """How a call ends whose tool has returned, with the result stored in a transaction of its own."""
        happened = not self.tool.read_only
        try:
            with transaction.atomic():
                self.stored(result)
        except Lost:
            return lost(may_have_happened=happened)
        except Exception as error:  # Whatever `store` raises, the tool has run.
            ended = failed(self.tool, error, may_have_happened=happened)
            return Ended(End.UNSTORED, result.text, result, ended.detail, may_have_happened=happened)
        return Ended.done(result)


def lost(*, may_have_happened: bool) -> Ended:
    """The end of a call whose result nobody wants any more."""
    return Ended(End.LOST, "The call was given up.", may_have_happened=may_have_happened)


def bind_transaction(*, read_only: bool) -> None:
    """Bound the running transaction by the time that a tool may take. Causes a query."""
    milliseconds = str(int(settings.CHAT_TOOL_SECONDS * 1000) + 1)
    sql.run(BOUND_AND_READ_ONLY if read_only else BOUND, {"limit": milliseconds})


def give_back() -> None:
    """Give the thread's connections to the database back, in whatever state a tool has left them."""
    for each in connections.all(initialized_only=True):
        try:
            each.close()
        except Exception as error:  # The result of the call must not depend on it.
            logger.warning("A connection could not be closed: %s", error)
