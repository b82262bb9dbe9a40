"""What a person may set for a conversation or keep as a preset: model, instructions, temperature."""

from typing import ClassVar, NamedTuple

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

MODEL_MAX_CHARS = 200
TEMPERATURE_MAX = 2.0


class Configuration(NamedTuple):
    """The three values; each one's default leaves the choice to the site and to the provider."""

    model: str = ""
    system_prompt: str = ""
    temperature: float | None = None


class Configured(models.Model):
    """A row that carries a configuration."""

    # Defaults in the database too: processes of the version before go on while a deployment migrates.
    model = models.CharField(
        max_length=MODEL_MAX_CHARS, blank=True, default="", db_default="", help_text="Empty: the site's default."
    )
    system_prompt = models.TextField(
        "instructions", blank=True, default="", db_default="", help_text="What the model is told before everything."
    )
    temperature = models.FloatField(
        null=True,
        blank=True,
        validators=(MinValueValidator(0.0), MaxValueValidator(TEMPERATURE_MAX)),
        help_text="0 to 2; empty: the provider's default.",
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
        """The three values."""
        return Configuration(self.model, self.system_prompt, self.temperature)
