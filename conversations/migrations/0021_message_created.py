"""Everybody's messages by time, whatever their keys are."""

from typing import ClassVar

from django.db import migrations, models

from chatbot.core.schema import AddIndex


class Migration(migrations.Migration):
    """Make it while the site goes on."""

    atomic = False

    dependencies: ClassVar = [("conversations", "0020_use_by_person")]

    operations: ClassVar = [
        AddIndex(
            model_name="message",
            index=models.Index(fields=["created_at", "id"], name="message_created"),
        ),
    ]
