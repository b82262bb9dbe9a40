"""Conversations in the admin: to be found and read, never written."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from conversations.configuration_forms import SharedPresetForm
from conversations.models import Conversation, Feedback, Generation, Message, Preset

EXCERPT_CHARS = 100


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg] # not subscriptable at run time
    """Shows rows; what people and models said is changed by nobody."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody adds."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody changes."""
        return False


@admin.register(Conversation)
class ConversationAdmin(ReadOnlyAdmin):
    """Conversations; deleting one deletes all that was said in it."""

    list_display = ("title", "user", "created_at", "updated_at")
    list_select_related = ("user",)
    search_fields = ("title", "user__email")
    date_hierarchy = "updated_at"
    ordering = ("-updated_at",)
    fields = readonly_fields = (
        "id",
        "user",
        "title",
        "model",
        "system_prompt",
        "temperature",
        "created_at",
        "updated_at",
        "messages",
    )

    @admin.display
    def messages(self, conversation: Conversation) -> str:
        """A link to what was said."""
        address = reverse("admin:conversations_message_changelist")
        count = conversation.messages.count()
        return format_html('<a href="{}?conversation__id__exact={}">{}</a>', address, conversation.pk, count)

    def get_deleted_objects(
        self, objs: Sequence[Conversation] | QuerySet[Conversation], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """What goes with the conversations: counted, not listed, and needing no permission of its own."""
        counts = {"conversations": len(objs), "messages": Message.objects.filter(conversation__in=objs).count()}
        return [str(conversation) for conversation in objs], counts, set(), []


@admin.register(Message)
class MessageAdmin(ReadOnlyAdmin):
    """Messages, newest first by key, whose order is time's."""

    list_display = ("excerpt", "role", "feedback", "user", "conversation", "created_at")
    list_select_related = ("user", "conversation", "feedback")
    list_filter = ("role",)
    search_fields = ("content", "user__email", "conversation__title")
    ordering = ("-id",)
    fields = readonly_fields = (
        "id",
        "conversation",
        "user",
        "parent",
        "role",
        "content",
        "feedback",
        "tool_calls",
        "created_at",
    )

    @admin.display(description="content")
    def excerpt(self, message: Message) -> str:
        """The message's first characters."""
        return message.content[:EXCERPT_CHARS] or "(no text)"

    @admin.display
    def feedback(self, message: Message) -> str:
        """What the person thinks of it."""
        return str(getattr(message, "feedback", ""))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Messages go with their conversation only."""
        return False


@admin.register(Generation)
class GenerationAdmin(ReadOnlyAdmin):
    """How replies were made: model, tokens, times, errors."""

    list_display = (
        "message_id",
        "status",
        "model",
        "error_code",
        "prompt_tokens",
        "completion_tokens",
        "started_at",
        "finished_at",
    )
    list_filter = ("status", "model", "error_code")
    search_fields = ("message__user__email", "error_code", "error_detail")
    ordering = ("-message_id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Generation]:
        """All generations with the rows that the page names."""
        queryset: QuerySet[Generation] = super().get_queryset(request)
        return queryset.select_related("message", "conversation")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Generations go with their message only."""
        return False


@admin.register(Feedback)
class FeedbackAdmin(ReadOnlyAdmin):
    """What people think of the answers, newest first."""

    list_display = ("rating", "comment", "excerpt", "user", "updated_at")
    list_select_related = ("message", "user")
    list_filter = ("rating",)
    date_hierarchy = "updated_at"
    search_fields = ("comment", "user__email")
    ordering = ("-updated_at",)
    fields = readonly_fields = ("rating", "comment", "answer", "user", "created_at", "updated_at")

    @admin.display(description="answer")
    def excerpt(self, feedback: Feedback) -> str:
        """The answer's first characters."""
        return feedback.message.content[:EXCERPT_CHARS]

    @admin.display
    def answer(self, feedback: Feedback) -> str:
        """The whole answer, as a link to its message."""
        address = reverse("admin:conversations_message_change", args=(feedback.pk,))
        return format_html('<a href="{}">{}</a>', address, feedback.message.content)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Feedback goes with its message only."""
        return False


@admin.register(Preset)
class PresetAdmin(admin.ModelAdmin):  # type: ignore[type-arg] # not subscriptable at run time
    """The presets that everybody shares; a person's own are the person's."""

    form = SharedPresetForm
    list_display = ("name", "model", "temperature")
    search_fields = ("name", "system_prompt")
    ordering = ("name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Preset]:
        """Shared ones only."""
        return Preset.objects.shared().order_by("name")


# Registers what follows the page of a person.
from conversations import admin_limits  # noqa: E402, F401
