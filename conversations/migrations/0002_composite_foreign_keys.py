"""What one row may not say about another: foreign keys over two columns, which Django's models cannot express."""

from typing import ClassVar

from django.db import migrations

from chatbot.core.schema import add_constraint

KEYS = (
    # A message is its conversation's owner's.
    ("conversations_message", "message_has_its_conversations_user", "(conversation_id, user_id)",
     "conversations_conversation (id, user_id)"),
    # A message answers one of the same conversation.
    ("conversations_message", "message_has_a_parent_in_its_conversation", "(parent_id, conversation_id)",
     "conversations_message (id, conversation_id)"),
    # A generation is in its message's conversation.
    ("conversations_generation", "generation_has_its_messages_conversation", "(message_id, conversation_id)",
     "conversations_message (id, conversation_id)"),
)  # fmt: skip


class Migration(migrations.Migration):
    """Add the keys, checked at each statement; deleting what they point at deletes the row."""

    atomic = False

    dependencies: ClassVar = [("conversations", "0001_initial")]

    operations: ClassVar = [
        add_constraint(table, name, f"FOREIGN KEY {columns} REFERENCES {target} ON DELETE CASCADE")
        for table, name, columns, target in KEYS
    ]
