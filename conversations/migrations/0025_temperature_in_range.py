"""That every temperature is in range, which the database has checked only for new rows so far."""

from typing import ClassVar

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    """Look at all rows while the site goes on; where that was done, nothing happens."""

    dependencies: ClassVar = [("conversations", "0024_finish_reason")]

    operations: ClassVar = [ValidateConstraint("conversation", "conversation_temperature_is_in_range")]
