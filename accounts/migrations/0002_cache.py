"""The table of the cache that counts sign-in attempts, as Django's database cache expects it."""

from typing import ClassVar

from django.db import migrations


class Migration(migrations.Migration):
    """Make the table; going back drops it with its counts."""

    dependencies: ClassVar = [("accounts", "0001_initial")]

    operations: ClassVar = [
        migrations.RunSQL(
            [
                "CREATE TABLE accounts_cache (cache_key varchar(255) PRIMARY KEY, value text NOT NULL, "
                "expires timestamp with time zone NOT NULL)",
                "CREATE INDEX accounts_cache_expires ON accounts_cache (expires)",
            ],
            ["DROP TABLE accounts_cache"],
        )
    ]
