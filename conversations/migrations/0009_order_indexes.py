from django.contrib.postgres.operations import RemoveIndexConcurrently
from django.db import migrations, models

from chatbot.core.schema import AddIndex

LISTED = models.Q(("archived_at", None), ("trashed_at", None))
PINNED = models.Q(("archived_at", None), ("trashed_at", None), ("pinned_at__isnull", False))
ARCHIVED = models.Q(("archived_at__isnull", False), ("trashed_at", None))
TRASHED = models.Q(("trashed_at__isnull", False))


class Migration(migrations.Migration):
    # Nobody who writes waits while the indexes are made.
    atomic = False

    dependencies = [
        ("conversations", "0008_order"),
    ]

    operations = [
        AddIndex("conversation", models.Index(fields=fields, name=name, condition=condition))
        for fields, name, condition in (
            (["user", "-updated_at", "-id"], "conversation_user_listed", LISTED),
            (["user", "-pinned_at", "-id"], "conversation_user_pinned", PINNED),
            (["user", "-archived_at", "-id"], "conversation_user_archived", ARCHIVED),
            (["user", "-trashed_at", "-id"], "conversation_user_trashed", TRASHED),
            (["trashed_at"], "conversation_trashed", TRASHED),
        )
    ] + [RemoveIndexConcurrently("conversation", "conversation_user_updated")]
