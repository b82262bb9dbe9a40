"""What the sentence of a failure depends on: with the code, all that is stored of why a reply failed."""

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    """Add a column that processes of the version before leave empty; they go on writing sentences, which stay."""

    dependencies: ClassVar = [("conversations", "0027_wording")]

    operations: ClassVar = [
        migrations.AddField(
            "generation",
            "error_params",
            models.JSONField(blank=True, help_text="What the sentence of the error depends on.", null=True),
        ),
        migrations.AlterField(
            "generation",
            "error",
            models.TextField(
                blank=True, help_text="The sentence itself, of a reply that was stored or imported with one."
            ),
        ),
    ]
