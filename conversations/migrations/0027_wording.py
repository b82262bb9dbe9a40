"""Words that staff read: of usage limits and of presets. The database stays as it is."""

from typing import ClassVar

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    """Change texts in forms and lists."""

    dependencies: ClassVar = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("conversations", "0026_names"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations: ClassVar = [
        migrations.AlterField(
            model_name="preset",
            name="user",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                help_text="Leave empty to share it with everybody.",
                null=True,
                on_delete=django.db.models.deletion.DB_CASCADE,
                related_name="presets",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AlterField(
            model_name="usagelimit",
            name="group",
            field=models.ForeignKey(
                blank=True,
                help_text="Applies to each of its people; of several groups, the highest. Leave both empty for everybody.",
                null=True,
                on_delete=django.db.models.deletion.DB_CASCADE,
                related_name="usage_limits",
                to="auth.group",
            ),
        ),
        migrations.AlterField(
            model_name="usagelimit",
            name="messages",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="All requests to the model count: messages, retries, regenerated replies, requests of programs. Empty: no limit. 0: no messages.",
                null=True,
            ),
        ),
        migrations.AlterField(
            model_name="usagelimit",
            name="tokens",
            field=models.PositiveBigIntegerField(
                blank=True,
                help_text="The text that the model reads and writes. A started reply is finished; the next one is refused. Empty: no limit.",
                null=True,
            ),
        ),
        migrations.AlterField(
            model_name="usagelimit",
            name="user",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                help_text="Replaces the limits of groups and of everybody for the same period.",
                null=True,
                on_delete=django.db.models.deletion.DB_CASCADE,
                related_name="usage_limits",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AlterConstraint(
            model_name="usagelimit",
            name="usage_limit_has_a_number",
            constraint=models.CheckConstraint(
                condition=models.Q(("messages__isnull", False), ("tokens__isnull", False), _connector="OR"),
                name="usage_limit_has_a_number",
                violation_error_message="Enter a number of messages, of tokens, or both.",
            ),
        ),
        migrations.AlterConstraint(
            model_name="usagelimit",
            name="one_usage_limit_per_target_and_period",
            constraint=models.UniqueConstraint(
                fields=("user", "group", "period"),
                name="one_usage_limit_per_target_and_period",
                nulls_distinct=False,
                violation_error_message="A limit for this target and period already exists.",
            ),
        ),
    ]
