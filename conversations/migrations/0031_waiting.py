"""The state of a reply that waits for its person: it counts as open, and needs no worker."""

from typing import Any, ClassVar

from django.db import migrations, models

BEFORE = ("pending", "running", "complete", "stopped", "failed", "interrupted")
OPEN = ("pending", "running", "interrupted", "waiting")
BATCH = 1_000


def listed(states: tuple[str, ...]) -> str:
    """The states as a statement has them."""
    return ", ".join(f"'{state}'" for state in states)


def knows(*states: str) -> list[str | tuple[str, Any]]:
    """Statements after which the database accepts these states and no others; no row is locked while all are read."""
    table, name = "ALTER TABLE conversations_generation", "CONSTRAINT generation_status_is_known"
    return [
        f"{table} DROP {name}",
        f"{table} ADD {name} CHECK (status IN ({listed(states)})) NOT VALID",
        f"{table} VALIDATE {name}",
    ]


def stop_waiting(apps: Any, schema_editor: Any) -> None:
    """On the way down: a reply that waits is stopped, in batches, because the version before knows no such state."""
    generations = apps.get_model("conversations", "Generation").objects.using(schema_editor.connection.alias)
    waiting = generations.filter(status="waiting").order_by("pk").values_list("pk", flat=True)
    while keys := list(waiting[:BATCH]):
        generations.filter(pk__in=keys).update(status="stopped")


def remade(name: str, columns: str, *, unique: str = "") -> list[migrations.RunSQL]:
    """Operations that make an index of open generations anew, beside the old one, which then goes."""
    made = f"CREATE {unique} INDEX CONCURRENTLY {name}_%s ON conversations_generation ({columns}) WHERE status IN (%s)"
    old_states = listed(OPEN[:-1])
    return [
        migrations.RunSQL(f"DROP INDEX CONCURRENTLY IF EXISTS {name}_new", migrations.RunSQL.noop),
        migrations.RunSQL(made % ("new", listed(OPEN)), f"DROP INDEX CONCURRENTLY IF EXISTS {name}_new"),
        migrations.RunSQL(f"DROP INDEX CONCURRENTLY IF EXISTS {name}", made.replace(f"{name}_%s", name) % old_states),
        migrations.RunSQL(
            f"ALTER INDEX IF EXISTS {name}_new RENAME TO {name}", f"ALTER INDEX IF EXISTS {name} RENAME TO {name}_new"
        ),
    ]


class Migration(migrations.Migration):
    """Let the database know the state, then count it as open in both indexes of open replies."""

    atomic = False

    dependencies: ClassVar = [("conversations", "0030_tool_calls")]

    operations: ClassVar = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(knows(*BEFORE, "waiting"), knows(*BEFORE)),
            ],
            state_operations=[
                migrations.RemoveConstraint("generation", "generation_status_is_known"),
                migrations.AlterField(
                    "generation",
                    "status",
                    models.CharField(
                        choices=[(state, state.title()) for state in (*BEFORE, "waiting")],
                        default="pending",
                        max_length=11,
                    ),
                ),
                migrations.AddConstraint(
                    "generation",
                    models.CheckConstraint(
                        condition=models.Q(status__in=[*BEFORE, "waiting"]), name="generation_status_is_known"
                    ),
                ),
            ],
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                *remade("generation_open", "status"),
                *remade("one_open_generation_per_conversation", "conversation_id", unique="UNIQUE"),
            ],
            state_operations=[
                migrations.RemoveIndex("generation", "generation_open"),
                migrations.AddIndex(
                    "generation",
                    models.Index(condition=models.Q(status__in=list(OPEN)), fields=["status"], name="generation_open"),
                ),
                migrations.RemoveConstraint("generation", "one_open_generation_per_conversation"),
                migrations.AddConstraint(
                    "generation",
                    models.UniqueConstraint(
                        condition=models.Q(status__in=list(OPEN)),
                        fields=("conversation",),
                        name="one_open_generation_per_conversation",
                    ),
                ),
            ],
        ),
        migrations.RunPython(migrations.RunPython.noop, stop_waiting),
    ]
