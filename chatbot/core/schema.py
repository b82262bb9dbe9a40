"""Operations for migrations that lock nobody out for longer than a moment, and can begin anew when broken off."""

from typing import Any

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db.migrations.operations import RunSQL


class AddIndex(AddIndexConcurrently):
    """Make an index while everybody writes on; for migrations with `atomic = False`.

    What an earlier attempt has left, which serves nobody, goes first.
    """

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Make it."""
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {schema_editor.quote_name(self.index.name)}")
        super().database_forwards(app_label, schema_editor, from_state, to_state)


def add_constraint(table: str, name: str, definition: str) -> RunSQL:
    """Add a constraint, then look whether all rows keep it while everybody writes on.

    For migrations with `atomic = False`: a transaction would keep the lock of the first step for the second one.
    """
    return RunSQL(
        [
            f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}",
            f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition} NOT VALID",
            f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}",
        ],
        f"ALTER TABLE {table} DROP CONSTRAINT {name}",
    )
