"""Times of all models together are counted, not added up for each look."""

from typing import ClassVar

from django.db import migrations, models

ADD_UP = """
INSERT INTO conversations_usagelatency (grain, began_at, model, measure, bucket, replies)
SELECT grain, began_at, NULL, measure, bucket, sum(replies) FROM conversations_usagelatency
GROUP BY grain, began_at, measure, bucket
"""


class Migration(migrations.Migration):
    """Add the rows without a model."""

    dependencies: ClassVar = [("conversations", "0018_usage_by_unit")]

    operations: ClassVar = [
        migrations.RemoveConstraint("usagelatency", "usage_latency_is_counted_once"),
        migrations.AlterField(
            "usagelatency",
            "model",
            models.CharField(help_text="Null: all models together.", max_length=200, null=True),
        ),
        migrations.AddConstraint(
            "usagelatency",
            models.UniqueConstraint(
                fields=("grain", "began_at", "model", "measure", "bucket"),
                name="usage_latency_is_counted_once",
                nulls_distinct=False,
            ),
        ),
        migrations.RunSQL(ADD_UP, "DELETE FROM conversations_usagelatency WHERE model IS NULL"),
    ]
