"""The chosen branch of each conversation: it ends with a message of the same conversation, by default the newest."""

from typing import ClassVar

from django.db import migrations


class Migration(migrations.Migration):
    """Add the key, checked at each statement; deleting the message leaves the choice open. Then choose."""

    dependencies: ClassVar = [("conversations", "0006_branches")]

    operations: ClassVar = [
        migrations.RunSQL(
            # The conversation's key comes first: by it a deletion finds the row, and needs no index of its own.
            """
            ALTER TABLE conversations_conversation ADD CONSTRAINT conversation_has_its_current_message
            FOREIGN KEY (id, current_message_id) REFERENCES conversations_message (conversation_id, id)
            ON DELETE SET NULL (current_message_id)
            """,
            "ALTER TABLE conversations_conversation DROP CONSTRAINT conversation_has_its_current_message",
        ),
        migrations.RunSQL(
            """
            UPDATE conversations_conversation AS conversation SET current_message_id = (
                SELECT id FROM conversations_message WHERE conversation_id = conversation.id
                ORDER BY created_at DESC, id DESC LIMIT 1
            )
            """,
            migrations.RunSQL.noop,
        ),
    ]
