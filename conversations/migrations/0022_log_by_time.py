"""The admin's log by time."""

from typing import ClassVar

from django.db import migrations


class Migration(migrations.Migration):
    """One index, made while the site goes on."""

    atomic = False

    dependencies: ClassVar = [
        ("admin", "0003_logentry_add_action_flag_choices"),
        ("conversations", "0021_message_created"),
    ]

    operations: ClassVar = [
        # The table is Django's: its model can name no index of ours.
        migrations.RunSQL(
            [
                "DROP INDEX CONCURRENTLY IF EXISTS admin_log_time",
                "CREATE INDEX CONCURRENTLY admin_log_time ON django_admin_log (action_time, id)",
            ],
            "DROP INDEX CONCURRENTLY IF EXISTS admin_log_time",
        ),
    ]
