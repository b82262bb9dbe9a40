"""Everybody's messages by time, whatever their keys are."""

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    """One index."""

    dependencies: ClassVar = [("conversations", "0020_use_by_person")]

    operations: ClassVar = [
        migrations.AddIndex(
            model_name="message",
            index=models.Index(fields=["created_at", "id"], name="message_created"),
        ),
    ]
