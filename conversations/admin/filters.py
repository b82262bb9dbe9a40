"""Filters of the admin's lists; none reads a whole table to find its choices."""

import re
from typing import Any, ClassVar

from django.conf import settings
from django.db.models import BooleanField, QuerySet
from django.db.models.expressions import RawSQL
from django.http import HttpRequest

from accounts.staff_lists.filters import BoundedFilter, Choices, ColumnFilter
from chatbot.core import sql
from conversations.models import CallOrigin, CallState, Rating, Role, Status
from tools import registry

RECENT = 2_000
"""Number of newest replies whose models are offered as choices."""

TOOLS_MAX = 300
"""Names of tools in calls that are looked at for choices."""

TOOL_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class RowFilter(BoundedFilter):
    """Filters conversations by rows that refer to them, looked up one conversation at a time."""

    condition: ClassVar[str]
    """SQL with one placeholder for the chosen value; its `OFFSET` makes the planner evaluate it per conversation."""

    def passed(self, rows: QuerySet[Any], chosen: str) -> QuerySet[Any]:
        """The conversations for which the condition holds."""
        return rows.filter(RawSQL(self.condition, (chosen,), BooleanField()))  # noqa: S611 (a constant)


class StateFilter(BoundedFilter):
    """Filters conversations by state: pinned, archived or in the trash."""

    title, parameter_name = "place", "state"
    fixed = (("pinned", "Pinned"), ("archived", "Archived"), ("trash", "In the trash"))
    columns: ClassVar = {"pinned": "pinned_at", "archived": "archived_at", "trash": "trashed_at"}

    def passed(self, rows: QuerySet[Any], chosen: str) -> QuerySet[Any]:
        """The conversations in the chosen state."""
        return rows.filter(**{f"{self.columns[chosen]}__isnull": False})


LAST_REPLY = """EXISTS (
    SELECT FROM conversations_generation AS made
    WHERE made.message_id = conversations_conversation.current_message_id AND made.{} = %s OFFSET 0
)"""


class LastStatusFilter(RowFilter):
    """Filters conversations by the status of the last reply."""

    title, parameter_name, fixed = "last reply", "last_status", Status.choices
    condition = LAST_REPLY.format("status")


class LastModelFilter(RowFilter):
    """Filters conversations by the model of the last reply."""

    title, parameter_name = "model", "last_model"
    condition = LAST_REPLY.format("model")

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Models that the site offers, and those used recently."""
        return models()


class LastErrorFilter(RowFilter):
    """Filters conversations by the last reply's error code."""

    title, parameter_name = "error", "last_error"
    condition = LAST_REPLY.format("error_code")

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Error codes that occurred so far."""
        return error_codes()


class AnyFeedbackFilter(RowFilter):
    """Filters conversations by the rating of any answer in them."""

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
    """Filters conversations by their least number of messages; counting stops at that number."""

    title, parameter_name, looks = "messages", "size", 5_000
    fixed = tuple((str(least), f"{least:,} or more") for least in (10, 50, 200, 1_000))
    condition = """EXISTS (
        SELECT FROM conversations_message AS said
        WHERE said.conversation_id = conversations_conversation.id OFFSET %s
    )"""

    def passed(self, rows: QuerySet[Any], chosen: str) -> QuerySet[Any]:
        """The conversations with at least the chosen number of messages."""
        return rows.filter(RawSQL(self.condition, (int(chosen) - 1,), BooleanField()))  # noqa: S611 (a constant)


class RoleFilter(ColumnFilter):
    """Filters messages by their author's role."""

    title, parameter_name, fixed = "role", "role", Role.choices


class StatusFilter(ColumnFilter):
    """Filters generations by their status."""

    title, parameter_name, fixed = "status", "status", Status.choices


class ModelFilter(ColumnFilter):
    """Filters generations by their model."""

    title, parameter_name = "model", "model"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Models that the site offers, and those used recently."""
        return models()


class ErrorFilter(ColumnFilter):
    """Filters generations by error code, with an index of failed ones."""

    title, parameter_name, looks = "error", "error_code", None

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Error codes that occurred so far."""
        return error_codes()


class RatingFilter(ColumnFilter):
    """Filters feedback by its rating: up or down."""

    title, parameter_name, fixed = "rating", "rating", Rating.choices


class ToolFilter(ColumnFilter):
    """Filters tool calls by their tool, with an index."""

    title, parameter_name, looks = "tool", "tool", None

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Tools that the site has, and those that it had."""
        return tools()


class CallStateFilter(ColumnFilter):
    """Filters tool calls by their state."""

    title, parameter_name, fixed = "state", "state", CallState.choices


class OriginFilter(ColumnFilter):
    """Filters tool calls by the door through which they came."""

    title, parameter_name, fixed = "origin", "origin", CallOrigin.choices


class CommentFilter(BoundedFilter):
    """Filters feedback by whether it has a comment."""

    title, parameter_name = "comment", "comment"
    fixed = (("yes", "With a comment"), ("no", "Without one"))

    def passed(self, rows: QuerySet[Any], chosen: str) -> QuerySet[Any]:
        """Feedback with a comment, or feedback without one."""
        return rows.filter(comment="") if chosen == "no" else rows.exclude(comment="")


def models() -> list[tuple[str, str]]:
    """Names of the models that the site is set to offer, and of those that made the newest replies. Causes a query."""
    used = sql.column(
        f"""
        SELECT DISTINCT model FROM (
            SELECT model FROM conversations_generation ORDER BY message_id DESC LIMIT {RECENT}
        ) AS recent WHERE model <> ''
        """  # noqa: S608 (a constant)
    )
    return [(name, name) for name in sorted({*settings.CHAT_MODELS, *used})]


def tools() -> list[tuple[str, str]]:
    """Names of the site's tools, and of those that were called, each found by one step in the index. Causes a query."""
    used: list[str] = sql.column(
        f"""
        WITH RECURSIVE named (tool) AS (
            SELECT (SELECT min(tool) FROM conversations_toolcall)
            UNION ALL
            SELECT (SELECT min(tool) FROM conversations_toolcall WHERE tool > named.tool)
            FROM named WHERE named.tool IS NOT NULL
        )
        SELECT tool FROM named WHERE tool IS NOT NULL LIMIT {TOOLS_MAX}
        """  # noqa: S608 (a constant)
    )
    known = {tool.name for tool in registry.all_tools()}
    return [(name, name) for name in sorted(known.union(filter(is_tool_name, used)))]


def is_tool_name(name: str) -> bool:
    """Whether a tool may have this name. Models also make names up, which may say anything: no list shows those."""
    return bool(TOOL_NAME.fullmatch(name))


def error_codes() -> list[tuple[str, str]]:
    """Error codes that occurred so far, each found by one step in the index. Causes a query."""
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
