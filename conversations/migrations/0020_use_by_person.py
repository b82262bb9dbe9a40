from typing import ClassVar

from django.db import migrations


class Migration(migrations.Migration):
    """Name people's use so that its permission is not taken for the dashboard's."""

    dependencies: ClassVar = [("conversations", "0019_usage_of_all_models")]

    operations: ClassVar = [
        migrations.AlterModelOptions(
            name="turnwindow",
            options={"verbose_name": "person's use", "verbose_name_plural": "use by person"},
        )
    ]
