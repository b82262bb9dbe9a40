"""Imports: one conversation after the other, each in its own transaction and with its own result."""

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import IO, Any
from uuid import UUID

from django.db import DatabaseError, IntegrityError, transaction

from accounts.models import User
from chatbot.core.threads import DATABASE_AWAY
from conversations.models import Conversation, Status
from conversations.transfer import checking, staging
from conversations.transfer.checking import Refused
from conversations.transfer.documents import FORMAT, VERSION
from conversations.transfer.reading import BrokenFile, Events, TooMuch
from conversations.upkeep import locks

logger = logging.getLogger(__name__)

LOCK = 1_129_270_864
"""First half of the number of an import's lock; the second half comes from the person's key."""

TITLE_SHOWN = 200

NOT_OURS = "This file is not an export of Chatbot. Choose a JSON file that was made with Export."
NEWER = "This file was written by a newer version of Chatbot. This server cannot read it yet."
EMPTY = "There are no conversations in this file."
BUSY = "Another import of yours is still running. Wait until it has ended, then import this file again."
AWAY = "The database is not available. Import the file again later for the conversations that are not listed here."
CUT = "The rest of the file could not be read. The conversations listed above were processed."
REFUSED_BY_DATABASE = "The database did not accept it."


class Outcome(StrEnum):
    """What the import did with a conversation."""

    IMPORTED = "imported"
    HERE = "here"
    TRASHED = "trashed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Result:
    """Result for one conversation of the file, or, with number 0, for the file as a whole."""

    number: int
    title: str
    outcome: Outcome
    reason: str = ""
    key: UUID | None = None


class UnusableFile(Exception):
    """The file holds nothing to import; the text says why, as a sentence."""


def run(user: User, file: IO[bytes], tell: Callable[[Result], None], go_on: Callable[[], bool]) -> None:
    """Import the file for the person; calls `tell` with each result, and stops when `go_on` returns False.

    Blocks until it is done; what was imported stays, whatever happens.
    """
    with suppress(*DATABASE_AWAY):
        try:
            with locks.alone(lock_of(user)) as is_alone:
                if not is_alone:
                    raise UnusableFile(BUSY)
                for result in Import(user, file).results():
                    tell(result)
                    if not go_on():
                        return
                staging.drop()
        except UnusableFile as error:
            tell(Result(0, "", Outcome.FAILED, str(error)))
        except DATABASE_AWAY as error:
            logger.warning("An import ended early: %s", error)
            tell(Result(0, "", Outcome.FAILED, AWAY))
            raise


def lock_of(user: User) -> int:
    """Number of the lock under which one import of the person runs at a time."""
    return LOCK << 32 | user.pk.int & 0xFFFF_FFFF


HEAD_FIELDS = frozenset({"format", "version"})
FIELDS = frozenset(
    (
        *("id", "title", "created_at", "updated_at", "pinned_at", "archived_at", "trashed_at"),
        *("model", "system_prompt", "temperature", "tools_off", "current_message", "owner"),
    )
)
"""Fields of a conversation that are read, besides its messages."""


class Import:
    """One file that is being imported for one person."""

    def __init__(self, user: User, file: IO[bytes]) -> None:
        self._user = user
        self._events = Events(file)
        self._number = 0
        self._is_cut = False

    def results(self) -> Iterator[Result]:
        """Import one conversation per result. Raises `UnusableFile`."""
        try:
            self._read_head()
        except (BrokenFile, TooMuch) as error:
            raise UnusableFile(NOT_OURS) from error
        while not self._is_cut:
            try:
                kind, _ = next(self._events)
            except BrokenFile as error:
                self._number += 1
                yield self._failed({}, str(error))
                self._resume()
                continue
            if kind == "end_array":
                break
            yield self._next(kind)
        if self._is_cut:
            yield Result(0, "", Outcome.FAILED, CUT)
        if not self._number:
            raise UnusableFile(EMPTY)

    def _read_head(self) -> None:
        """Read up to the first conversation. Raises `UnusableFile`."""
        head: dict[str, Any] = {}
        if next(self._events)[0] != "start_map":
            raise UnusableFile(NOT_OURS)
        for kind, name in self._events:
            if kind == "end_map":
                break
            if name == "conversations":
                version = head.get("version")
                if head.get("format") != FORMAT or not isinstance(version, int):
                    raise UnusableFile(NOT_OURS)
                if version != VERSION:
                    raise UnusableFile(NEWER)
                if next(self._events)[0] == "start_array":
                    return
                break
            value = self._events.value()
            # Other fields are not kept: their values may be endless.
            if name in HEAD_FIELDS:
                head[name] = value
        raise UnusableFile(NOT_OURS)

    def _next(self, kind: str) -> Result:
        """Import the conversation that begins with an event of this kind."""
        self._number += 1
        depth = self._events.depth - kind.startswith("start_")
        fields: dict[str, Any] = {}
        try:
            if kind != "start_map":
                raise Refused("It is not an object.")
            with transaction.atomic():
                return self._store(fields)
        except BrokenFile as error:
            self._resume()
            return self._failed(fields, str(error))
        except (Refused, TooMuch) as error:
            reason = str(error)
        except DATABASE_AWAY:
            raise
        except DatabaseError as error:
            logger.warning("A conversation was not imported: %s", type(error.__cause__ or error).__name__)
            reason = REFUSED_BY_DATABASE
        try:
            self._events.skip_to(depth)
        except BrokenFile:
            self._resume()
        return self._failed(fields, reason)

    def _resume(self) -> None:
        self._is_cut = not self._events.resume()

    def _failed(self, fields: dict[str, Any], reason: str) -> Result:
        return Result(self._number, shown_title(fields), Outcome.FAILED, reason)

    def _store(self, fields: dict[str, Any]) -> Result:
        """Read the conversation into `fields` and store it, unless it exists. Raises `Refused`."""
        here: Conversation | None = None
        count = 0
        for kind, name in self._events:
            if kind == "end_map":
                break
            if name != "messages":
                value = self._events.value()
                if name in FIELDS:
                    fields[name] = value
                continue
            here = here or self._find(fields)
            count = self._skip_messages() if here else self._gather(count)
        checked = self._columns(fields)
        if here := here or self._find(fields):
            is_trashed = here.trashed_at is not None
            outcome = Outcome.TRASHED if is_trashed else Outcome.HERE
            return Result(self._number, checked["title"], outcome, key=None if is_trashed else here.pk)
        if not count:
            raise Refused("It has no messages.")
        staging.check()
        return Result(self._number, checked["title"], Outcome.IMPORTED, key=self._insert(checked).pk)

    def _find(self, fields: dict[str, Any]) -> Conversation | None:
        """The person's own conversation with this key, or with the key derived from it."""
        if "id" not in fields:
            return None
        key = checking.key(fields["id"], "Its “id”")
        keys = (key, staging.derived(self._user, key))
        found: Conversation | None = Conversation.objects.owned_by(self._user).filter(pk__in=keys).first()
        if found:
            return found
        thrown_away = Conversation.objects.thrown_away_by(self._user).filter(pk__in=keys)
        # A conversation past its days in the trash counts as deleted.
        thrown_away.past_trash_days().delete()
        in_trash: Conversation | None = thrown_away.first()
        return in_trash

    def _skip_messages(self) -> int:
        depth = self._events.depth
        next(self._events)
        self._events.skip_to(depth)
        return 1

    def _gather(self, count: int) -> int:
        """Put the following messages into the staging table; returns their number together with the `count` before."""
        if next(self._events)[0] != "start_array":
            raise Refused("Its “messages” are not a list.")
        rows = (self._message(value, number) for number, value in enumerate(self._events.values(), count + 1))
        return staging.gather(rows, begin=count + 1) - 1

    def _insert(self, checked: dict[str, Any]) -> Conversation:
        """Store the conversation under its own keys, or under derived keys if any of those is in use, by whomever."""
        try:
            with transaction.atomic():
                return self._insert_as(checked, derive=False)
        except IntegrityError:
            with transaction.atomic():
                return self._insert_as(checked, derive=True)

    def _message(self, value: Any, number: int) -> dict[str, Any]:
        """The columns of one message and its generation. Raises `Refused`."""
        columns = checking.message(value, number)
        if columns.get("status") in (Status.FAILED, Status.STOPPED) and columns["started_at"] is None:
            # Only a reply that was refused on this site has no start and counts on the dashboard.
            columns["started_at"] = columns["created_at"]
        return columns

    def _columns(self, fields: dict[str, Any]) -> dict[str, Any]:
        """The columns of the conversation, without its owner. Raises `Refused`."""
        return checking.conversation(fields)

    def _insert_as(self, checked: dict[str, Any], *, derive: bool) -> Conversation:
        key = staging.derived(self._user, checked["id"]) if derive else checked["id"]
        current = checked["current_message_id"]
        conversation = Conversation(**checked | {"id": key, "user": self._user, "current_message_id": None})
        conversation.save(force_insert=True)
        staging.insert(conversation, current=current, derive=derive)
        return conversation


def shown_title(fields: dict[str, Any]) -> str:
    """A title to show for a conversation whose fields are not checked yet."""
    title = fields.get("title")
    return " ".join(title.split())[:TITLE_SHOWN] if isinstance(title, str) else ""
