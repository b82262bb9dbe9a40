"""Generations in the admin: how replies were made; drafts and reasoning are in the transcript."""

from typing import Any

from django.contrib import admin
from django.db.models import Prefetch, prefetch_related_objects
from django.http import HttpRequest
from django.utils.safestring import SafeString

from accounts.staff_lists.dates import moment
from accounts.staff_lists.keyset import KeysetAdmin
from conversations.admin.filters import ErrorFilter, ModelFilter, StatusFilter
from conversations.admin.links import conversation_link, transcript_link
from conversations.models import Generation, Message


@admin.register(Generation)
class GenerationAdmin(KeysetAdmin):
    """Admin of generations, newest first by key: model, tokens, times, errors."""

    time = "message__created_at"
    person = "message__user"
    columns = (
        "status",
        "model",
        "error_code",
        "prompt_tokens",
        "completion_tokens",
        "started_at",
        "first_token_at",
        "finished_at",
        "conversation_id",
    )
    # Through the message, because its conversation has an index.
    lookups = ("message__conversation__id__exact",)
    list_display = (
        "asked_at",
        "user",
        "status",
        "model",
        "error_code",
        "tokens",
        "first_token",
        "duration",
        "conversation_link",
    )
    list_select_related = ()
    list_filter = (StatusFilter, ErrorFilter, ModelFilter)
    fields = readonly_fields = (
        "in_transcript",
        "asked_at",
        "user",
        "status",
        "model",
        "error_code",
        "person_read",
        "finish_reason",
        "prompt_tokens",
        "completion_tokens",
        "first_token",
        "duration",
        "worker",
        "request_id",
        "heartbeat_at",
        "stop_requested_at",
        "started_at",
        "first_token_at",
        "finished_at",
        "window_start",
        "window_cut",
    )

    def prepared(self, rows: list[Any]) -> list[Any]:
        """The rows, each with its message. Causes a query.

        Not joined: both tables are in the order of keys, and PostgreSQL would merge them from the first row on, however
        far back the page begins.
        """
        messages = Message.objects.select_related("user").only("created_at", "conversation_id", "user__email")
        prefetch_related_objects(rows, Prefetch("message", messages))
        return rows

    @admin.display(description="asked")
    def asked_at(self, generation: Generation) -> str:
        """Time of the person's request."""
        return moment(generation.message.created_at)

    @admin.display
    def user(self, generation: Generation) -> str:
        """The person who asked, by e-mail address."""
        return str(generation.message.user)

    @admin.display
    def tokens(self, generation: Generation) -> str:
        """Tokens that the model read and wrote."""
        read, written = generation.prompt_tokens, generation.completion_tokens
        return f"{read or 0:,} + {written or 0:,}" if read or written else "-"

    @admin.display(description="first token")
    def first_token(self, generation: Generation) -> str:
        """Seconds from the start to the first token."""
        return seconds(generation.started_at, generation.first_token_at)

    @admin.display
    def duration(self, generation: Generation) -> str:
        """Seconds from the start to the end."""
        return seconds(generation.started_at, generation.finished_at)

    @admin.display(description="the person read")
    def person_read(self, generation: Generation) -> str:
        """Why it failed, in the person's words."""
        return generation.sentence or "-"

    @admin.display(description="conversation")
    def conversation_link(self, generation: Generation) -> SafeString:
        """Link to the conversation's transcript."""
        return conversation_link(generation.conversation_id)

    @admin.display(description="what it says")
    def in_transcript(self, generation: Generation) -> SafeString:
        """Link to the reply in the transcript."""
        return transcript_link(generation.message)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """False: generations are removed with their message only."""
        return False


def seconds(begin: Any, end: Any) -> str:
    """The time between two moments, `1.25 s`; a dash when one is unknown."""
    return f"{(end - begin).total_seconds():.2f} s" if begin and end else "-"
