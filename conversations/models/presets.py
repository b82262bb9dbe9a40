"""Presets: configurations with a name, of one person or shared."""

from typing import ClassVar, Self

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.urls import reverse
from uuid_utils.compat import uuid7

from accounts.models import User
from conversations.models.configurations import Configured

PRESET_NAME_MAX_CHARS = 80


class PresetQuerySet(models.QuerySet["Preset"]):
    """Presets of one person, or those that staff share with everybody."""

    def owned_by(self, user: User | AnonymousUser) -> Self:
        """This person's presets; none for an anonymous user."""
        return self.filter(user_id=user.pk) if user.pk else self.none()

    def shared(self) -> Self:
        """Presets for everybody, which staff maintain."""
        return self.filter(user=None)

    def usable_by(self, user: User) -> Self:
        """This person's presets, then the shared ones, each by name."""
        usable = self.filter(models.Q(user_id=user.pk) | models.Q(user=None))
        return usable.order_by(models.F("user_id").asc(nulls_last=True), "name")


class Preset(Configured):
    """A named configuration for new chats. A chat copies it, so later changes do not affect the chat."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # The constraint's index begins with this column.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.DB_CASCADE,
        null=True,
        blank=True,
        related_name="presets",
        db_index=False,
        help_text="Leave empty to share it with everybody.",
    )
    name = models.CharField(max_length=PRESET_NAME_MAX_CHARS)

    objects: ClassVar = PresetQuerySet.as_manager()

    class Meta(Configured.Meta):
        constraints: ClassVar = [
            *Configured.Meta.constraints,
            models.UniqueConstraint(fields=("user", "name"), name="one_preset_per_name", nulls_distinct=False),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Address of the page on which its owner changes it."""
        return reverse("preset-detail", args=(self.pk,))
