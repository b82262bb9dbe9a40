"""The chosen branch of each conversation: it ends with a message of the same conversation, by default the newest."""

from typing import Any, ClassVar

from django.db import migrations

from chatbot.core.schema import add_constraint

BATCH = 1_000
CHOOSE = """
WITH batch AS (
    SELECT id FROM conversations_conversation WHERE id > %(after)s AND current_message_id IS NULL
    ORDER BY id LIMIT %(batch)s
), chosen AS (
    UPDATE conversations_conversation AS conversation SET current_message_id = (
        SELECT id FROM conversations_message WHERE conversation_id = conversation.id
        ORDER BY created_at DESC, id DESC LIMIT 1
    ) FROM batch WHERE conversation.id = batch.id
)
SELECT id FROM batch ORDER BY id DESC LIMIT 1
"""


def choose(apps: Any, schema_editor: Any) -> None:
    """Choose in batches, each a transaction of its own: who writes in a conversation waits for one batch at most."""
    place = {"after": "00000000-0000-0000-0000-000000000000", "batch": BATCH}
    with schema_editor.connection.cursor() as cursor:
        while True:
            cursor.execute(CHOOSE, place)
            if not (last := cursor.fetchone()):
                return
            place["after"] = last[0]


class Migration(migrations.Migration):
    """Add the key, checked at each statement; deleting the message leaves the choice open. Then choose."""

    atomic = False

    dependencies: ClassVar = [("conversations", "0006_branches")]

    operations: ClassVar = [
        add_constraint(
            "conversations_conversation",
            "conversation_has_its_current_message",
            # The conversation's key comes first: by it a deletion finds the row, and needs no index of its own.
            "FOREIGN KEY (id, current_message_id) REFERENCES conversations_message (conversation_id, id)"
            " ON DELETE SET NULL (current_message_id)",
        ),
        migrations.RunPython(choose, migrations.RunPython.noop),
    ]
