"""New names: `reasoning` for the fields whose columns stay `thought`, which running processes use; usage by person."""

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    """Change what Django knows, and nothing in the database."""

    dependencies: ClassVar = [("conversations", "0025_temperature_in_range")]

    operations: ClassVar = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RenameField("generation", "thought", "reasoning"),
                migrations.AlterField(
                    "generation",
                    "reasoning",
                    models.TextField(
                        blank=True,
                        db_column="thought",
                        db_default="",
                        default="",
                        help_text="The model's reasoning before its answer.",
                    ),
                ),
                migrations.RenameField("generation", "thought_seconds", "reasoning_seconds"),
                migrations.AlterField(
                    "generation",
                    "reasoning_seconds",
                    models.FloatField(
                        blank=True,
                        db_column="thought_seconds",
                        help_text="How long the reasoning took.",
                        null=True,
                    ),
                ),
                migrations.AlterField(
                    "generation",
                    "reasoning_tokens",
                    models.IntegerField(blank=True, help_text="Of the completion, the reasoning.", null=True),
                ),
            ]
        ),
        migrations.AlterModelOptions(
            "turnwindow", {"verbose_name": "person's usage", "verbose_name_plural": "usage by person"}
        ),
    ]
