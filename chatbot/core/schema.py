"""Operations for migrations that block nobody for longer than a moment, and can be repeated when interrupted."""

from typing import Any

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db.migrations.operations import RunSQL


class AddIndex(AddIndexConcurrently):
    """Create an index without blocking writes; for migrations with `atomic = False`.

    Drops an invalid index of an interrupted attempt first.
    """

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Create the index in the database."""
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {schema_editor.quote_name(self.index.name)}")
        super().database_forwards(app_label, schema_editor, from_state, to_state)


def add_constraint(table: str, name: str, definition: str) -> RunSQL:
    """An operation that adds a constraint, then validates all rows without blocking writes.

    For migrations with `atomic = False`: a transaction would keep the lock of the first step during the second one.
    """
    return RunSQL(
        [
            f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}",
            f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition} NOT VALID",
            f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}",
        ],
        f"ALTER TABLE {table} DROP CONSTRAINT {name}",
    )
