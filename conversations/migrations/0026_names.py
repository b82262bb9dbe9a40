"""New names and help texts; the columns of `reasoning` stay `thought`, because running processes use them."""

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
                    "conversation",
                    "current_message",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        help_text="The last message of the chosen branch, which the page shows and the model sees.",
                        null=True,
                        on_delete=models.DO_NOTHING,
                        related_name="+",
                        to="conversations.message",
                    ),
                ),
                migrations.AlterField(
                    "conversation",
                    "system_prompt",
                    models.TextField(
                        blank=True,
                        db_default="",
                        default="",
                        help_text="What the model is told before the conversation.",
                        verbose_name="instructions",
                    ),
                ),
                migrations.AlterField(
                    "generation",
                    "cached_tokens",
                    models.IntegerField(
                        blank=True, help_text="Tokens of the prompt that the provider had cached.", null=True
                    ),
                ),
                migrations.AlterField(
                    "generation",
                    "continues",
                    models.BooleanField(
                        db_default=False,
                        default=False,
                        help_text="Whether it continues its earlier text, with which the draft begins.",
                    ),
                ),
                migrations.AlterField(
                    "generation",
                    "options",
                    models.JSONField(
                        blank=True,
                        help_text="Further options that a program sent for the model, such as `max_tokens`.",
                        null=True,
                    ),
                ),
                migrations.AlterField(
                    "generation",
                    "reasoning_tokens",
                    models.IntegerField(
                        blank=True, help_text="Tokens of the completion that are reasoning.", null=True
                    ),
                ),
                migrations.AlterField(
                    "generation",
                    "request_id",
                    models.CharField(
                        blank=True,
                        db_default="",
                        default="",
                        help_text="Id of the request that asked for it, as in the logs and in the request to the provider.",
                        max_length=64,
                    ),
                ),
                migrations.AlterField(
                    "generation",
                    "window_cut",
                    models.BooleanField(
                        db_default=False,
                        default=False,
                        help_text="Whether that message was too long, and only its end was seen.",
                    ),
                ),
                migrations.AlterField(
                    "generation",
                    "window_start",
                    models.DateTimeField(
                        blank=True, help_text="Time of the oldest message that the model saw.", null=True
                    ),
                ),
                migrations.AlterField(
                    "message",
                    "chosen_at",
                    models.DateTimeField(
                        blank=True,
                        editable=False,
                        help_text="When somebody last chose the branch that ends here.",
                        null=True,
                    ),
                ),
                migrations.AlterField(
                    "preset",
                    "system_prompt",
                    models.TextField(
                        blank=True,
                        db_default="",
                        default="",
                        help_text="What the model is told before the conversation.",
                        verbose_name="instructions",
                    ),
                ),
                migrations.AlterField(
                    "usagelimit",
                    "group",
                    models.ForeignKey(
                        blank=True,
                        help_text="For each member; of several groups the most generous limit counts. Neither: for everybody.",
                        null=True,
                        on_delete=models.DB_CASCADE,
                        related_name="usage_limits",
                        to="auth.group",
                    ),
                ),
                migrations.AlterField(
                    "usagepeople",
                    "previous",
                    models.DateTimeField(help_text="Empty: none within the longest range that is counted.", null=True),
                ),
            ]
        ),
        migrations.AlterModelOptions(
            "turnwindow", {"verbose_name": "person's usage", "verbose_name_plural": "usage by person"}
        ),
    ]
