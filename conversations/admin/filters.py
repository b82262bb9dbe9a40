"""What the lists can be filtered by. None of it reads a table to know its choices."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar

from django.conf import settings
from django.contrib import admin
from django.db.models import BooleanField, QuerySet
from django.db.models.expressions import RawSQL
from django.http import HttpRequest

from chatbot.core import sql
from conversations.models import Rating, Role, Status

Choices = Iterable[tuple[str, str]]

RECENT = 2_000
"""The newest replies, whose models are offered."""


class BoundedFilter(admin.SimpleListFilter, ABC):
    """One choice of several."""

    looks: ClassVar[int | None] = 20_000
    """How many rows a page looks through at most, where no index finds those that pass; None where one does."""

    fixed: ClassVar[Choices] = ()

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """What can be chosen."""
        return self.fixed

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any] | None:
        """The rows that pass; None when nothing is chosen, none for what cannot be chosen."""
        if not (chosen := self.value()):
            return None
        return self.passed(queryset, chosen) if chosen in dict(self.lookup_choices) else queryset.none()

    @abstractmethod
    def passed(self, rows: QuerySet[Any], chosen: str) -> QuerySet[Any]:
        """The rows that pass."""


class ColumnFilter(BoundedFilter):
    """By a column of the list's own rows."""

    def passed(self, rows: QuerySet[Any], chosen: str) -> QuerySet[Any]:
        """Those that have the value."""
        return rows.filter(**{str(self.parameter_name): chosen})


class RowFilter(BoundedFilter):
    """By rows that hang from a conversation; looked up for one conversation after the other, never all at once."""

    condition: ClassVar[str]
    """SQL with one place for the chosen value; its `OFFSET` keeps it a question about one conversation."""

    def passed(self, rows: QuerySet[Any], chosen: str) -> QuerySet[Any]:
        """The conversations of which it is so."""
        return rows.filter(RawSQL(self.condition, (chosen,), BooleanField()))  # noqa: S611 (a constant)


class StateFilter(BoundedFilter):
    """Where a conversation is."""

    title, parameter_name = "place", "state"
    fixed = (("pinned", "Pinned"), ("archived", "Archived"), ("trash", "In the trash"))
    columns: ClassVar = {"pinned": "pinned_at", "archived": "archived_at", "trash": "trashed_at"}

    def passed(self, rows: QuerySet[Any], chosen: str) -> QuerySet[Any]:
        """Those that are there."""
        return rows.filter(**{f"{self.columns[chosen]}__isnull": False})


LAST_REPLY = """EXISTS (
    SELECT FROM conversations_generation AS made
    WHERE made.message_id = conversations_conversation.current_message_id AND made.{} = %s OFFSET 0
)"""


class LastStatusFilter(RowFilter):
    """How the last reply ended."""

    title, parameter_name, fixed = "last reply", "last_status", Status.choices
    condition = LAST_REPLY.format("status")


class LastModelFilter(RowFilter):
    """Which model gave the last reply."""

    title, parameter_name = "model", "last_model"
    condition = LAST_REPLY.format("model")

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """What the site offers, and what was used of late."""
        return models()


class LastErrorFilter(RowFilter):
    """Why the last reply failed."""

    title, parameter_name = "error", "last_error"
    condition = LAST_REPLY.format("error_code")

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """What has gone wrong so far."""
        return error_codes()


class AnyFeedbackFilter(RowFilter):
    """What the person thinks of any answer in the conversation."""

    title, parameter_name, looks = "feedback", "feedback", 5_000
    fixed = ((Rating.UP.value, "A thumb up"), (Rating.DOWN.value, "A thumb down"))
    condition = """EXISTS (
        SELECT FROM conversations_message AS said CROSS JOIN LATERAL (
            SELECT FROM conversations_feedback AS given
            WHERE given.message_id = said.id AND given.rating = %s OFFSET 0
        ) AS rated
        WHERE said.conversation_id = conversations_conversation.id OFFSET 0
    )"""


class SizeFilter(BoundedFilter):
    """How many messages a conversation has at least; a longer one is not counted further."""

    title, parameter_name, looks = "messages", "size", 5_000
    fixed = tuple((str(least), f"{least:,} or more") for least in (10, 50, 200, 1_000))
    condition = """EXISTS (
        SELECT FROM conversations_message AS said
        WHERE said.conversation_id = conversations_conversation.id OFFSET %s
    )"""

    def passed(self, rows: QuerySet[Any], chosen: str) -> QuerySet[Any]:
        """Those that have as many."""
        return rows.filter(RawSQL(self.condition, (int(chosen) - 1,), BooleanField()))  # noqa: S611 (a constant)


class RoleFilter(ColumnFilter):
    """Who said a message."""

    title, parameter_name, fixed = "role", "role", Role.choices


class StatusFilter(ColumnFilter):
    """How a reply ended."""

    title, parameter_name, fixed = "status", "status", Status.choices


class ModelFilter(ColumnFilter):
    """Which model gave a reply."""

    title, parameter_name = "model", "model"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """What the site offers, and what was used of late."""
        return models()


class ErrorFilter(ColumnFilter):
    """Why a reply failed; by an index of those that did."""

    title, parameter_name, looks = "error", "error_code", None

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """What has gone wrong so far."""
        return error_codes()


class RatingFilter(ColumnFilter):
    """A thumb up or down."""

    title, parameter_name, fixed = "rating", "rating", Rating.choices


class CommentFilter(BoundedFilter):
    """Whether the person added a word."""

    title, parameter_name = "comment", "comment"
    fixed = (("yes", "With a comment"), ("no", "Without one"))

    def passed(self, rows: QuerySet[Any], chosen: str) -> QuerySet[Any]:
        """Those that have one, or those that have none."""
        return rows.filter(comment="") if chosen == "no" else rows.exclude(comment="")


def models() -> list[tuple[str, str]]:
    """The names of models that the site is set to offer, and of those that gave the newest replies. Causes a query."""
    used = sql.column(
        f"""
        SELECT DISTINCT model FROM (
            SELECT model FROM conversations_generation ORDER BY message_id DESC LIMIT {RECENT}
        ) AS recent WHERE model <> ''
        """  # noqa: S608 (a constant)
    )
    return [(name, name) for name in sorted({*settings.CHAT_MODELS, *used})]


def error_codes() -> list[tuple[str, str]]:
    """The codes of what has gone wrong so far, each found by one step in the index. Causes a query."""
    used = sql.column(
        """
        WITH RECURSIVE code (name) AS (
            SELECT (SELECT min(error_code) FROM conversations_generation WHERE error_code <> '')
            UNION ALL
            SELECT (
                SELECT min(error_code) FROM conversations_generation WHERE error_code <> '' AND error_code > code.name
            ) FROM code WHERE code.name IS NOT NULL
        )
        SELECT name FROM code WHERE name IS NOT NULL LIMIT 100
        """
    )
    return [(code, code.replace("_", " ")) for code in used]
