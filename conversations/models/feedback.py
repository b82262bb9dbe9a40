"""A person's feedback on an answer."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from conversations.models.messages import Message

COMMENT_MAX_CHARS = 1_000


class Rating(models.TextChoices):
    """The rating of an answer: thumb up or down."""

    UP = "up"
    DOWN = "down"


class Feedback(models.Model):
    """A person's rating of an answer in their conversation, with a comment."""

    message = models.OneToOneField(Message, models.DB_CASCADE, primary_key=True, related_name="feedback")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.DB_CASCADE, related_name="+")
    rating = models.CharField(max_length=4, choices=Rating)
    comment = models.CharField(max_length=COMMENT_MAX_CHARS, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name_plural = "feedback"
        indexes: ClassVar = [models.Index(fields=("-updated_at",), name="feedback_updated")]
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(rating__in=Rating.values), name="feedback_rating_is_known"),
        ]

    def __str__(self) -> str:
        return f"thumb {self.rating} for message {self.pk}"
