"""The configuration of a conversation or a preset: model, instructions, temperature."""

from typing import ClassVar, NamedTuple

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

MODEL_MAX_CHARS = 200
TEMPERATURE_MAX = 2.0


class Configuration(NamedTuple):
    """Model, instructions, temperature and tools; a default leaves the choice to the site or the provider."""

    model: str = ""
    system_prompt: str = ""
    temperature: float | None = None
    tools_off: list[str] | None = None
    """Names of the tools that are turned off; None where all are on."""


class Configured(models.Model):
    """A row that holds a configuration."""

    # Defaults in the database too: processes of the last version keep inserting during a deployment.
    model = models.CharField(
        max_length=MODEL_MAX_CHARS, blank=True, default="", db_default="", help_text="Empty: the site's default."
    )
    system_prompt = models.TextField(
        "instructions",
        blank=True,
        default="",
        db_default="",
        help_text="What the model is told before the conversation.",
    )
    temperature = models.FloatField(
        null=True,
        blank=True,
        validators=(MinValueValidator(0.0), MaxValueValidator(TEMPERATURE_MAX)),
        help_text="0 to 2; empty: the provider's default.",
    )
    tools_off = models.JSONField(
        "tools turned off", null=True, blank=True, help_text="Names of the tools that the assistant does not get here."
    )

    class Meta:
        abstract = True
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(temperature__isnull=True) | models.Q(temperature__range=(0.0, TEMPERATURE_MAX)),
                name="%(class)s_temperature_is_in_range",
            ),
        ]

    @property
    def configuration(self) -> Configuration:
        """Model, instructions, temperature and tools as one value."""
        return Configuration(self.model, self.system_prompt, self.temperature, self.tools_off)
