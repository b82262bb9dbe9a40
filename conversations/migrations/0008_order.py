from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("conversations", "0007_current_message"),
    ]

    operations = [
        migrations.AddField(
            model_name="conversation",
            name=name,
            field=models.DateTimeField(blank=True, editable=False, null=True),
        )
        for name in ("pinned_at", "archived_at", "trashed_at")
    ]
