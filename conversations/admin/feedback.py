"""Feedback in the admin: ratings of answers; comments are in the transcript, beside the answer."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from accounts.staff_lists.dates import moment
from accounts.staff_lists.keyset import KeysetAdmin, Order
from conversations.admin.filters import CommentFilter, RatingFilter
from conversations.admin.links import conversation_link, transcript_link
from conversations.models import Feedback


@admin.register(Feedback)
class FeedbackAdmin(KeysetAdmin):
    """Admin of feedback, newest first."""

    order = Order("updated_at")
    time = "updated_at"
    columns = ("rating", "updated_at", "user__email", "message__conversation_id")
    date_hierarchy = "updated_at"
    list_display = ("given", "rating", "has_comment", "user", "conversation_link")
    list_select_related = ("user", "message")
    list_filter = (RatingFilter, CommentFilter)
    fields = readonly_fields = ("rating", "in_transcript", "user", "created_at", "updated_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Feedback]:
        """The rows, each annotated with whether it has a comment; the comment itself is not read."""
        rows: QuerySet[Feedback] = super().get_queryset(request)
        return rows.annotate(with_comment=~Q(comment=""))

    @admin.display
    def given(self, feedback: Feedback) -> str:
        """When the feedback was last changed."""
        return moment(feedback.updated_at)

    @admin.display(description="comment", boolean=True)
    def has_comment(self, feedback: Feedback) -> bool:
        """Whether the person added a comment."""
        return bool(vars(feedback)["with_comment"])

    @admin.display(description="conversation")
    def conversation_link(self, feedback: Feedback) -> SafeString:
        """Link to the conversation's transcript."""
        return conversation_link(feedback.message.conversation_id)

    @admin.display(description="answer and comment")
    def in_transcript(self, feedback: Feedback) -> SafeString:
        """Link to the answer and comment in the transcript."""
        return transcript_link(feedback.message)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """False: feedback is removed with its message only."""
        return False
