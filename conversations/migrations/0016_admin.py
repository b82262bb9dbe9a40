"""What staff need: permissions, and indexes for what failed and for who read a conversation."""

from typing import ClassVar

from django.db import migrations, models

from chatbot.core.schema import AddIndex


class Migration(migrations.Migration):
    """Make them while the site goes on."""

    atomic = False

    dependencies: ClassVar = [
        ("admin", "0003_logentry_add_action_flag_choices"),
        ("conversations", "0015_usage_limits"),
    ]

    operations: ClassVar = [
        migrations.AlterModelOptions(
            name="message", options={"permissions": [("read_message", "Can read what was said")]}
        ),
        migrations.AlterModelOptions(
            name="generation", options={"permissions": [("stop_generation", "Can stop a reply that is being made")]}
        ),
        AddIndex(
            model_name="generation",
            index=models.Index(
                fields=("error_code", "-message"),
                condition=~models.Q(error_code=""),
                name="generation_failed",
            ),
        ),
        # Django's log has no index by which an object's entries are found, and every reading adds one.
        migrations.RunSQL(
            [
                "DROP INDEX CONCURRENTLY IF EXISTS admin_log_object",
                "CREATE INDEX CONCURRENTLY admin_log_object ON django_admin_log (object_id, id)",
            ],
            "DROP INDEX CONCURRENTLY IF EXISTS admin_log_object",
        ),
    ]
