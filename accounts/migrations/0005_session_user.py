"""An index by which a person's sessions are found."""

from typing import ClassVar

from django.db import migrations


class Migration(migrations.Migration):
    """Made while the site writes sessions."""

    atomic = False

    dependencies: ClassVar = [("accounts", "0004_stamp")]

    operations: ClassVar = [
        migrations.RunSQL(
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS django_session_user ON django_session (user_id) "
            "WHERE user_id IS NOT NULL",
            "DROP INDEX CONCURRENTLY IF EXISTS django_session_user",
        )
    ]
