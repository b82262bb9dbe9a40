"""On the way down: the sentences of failures, which the version before reads from their rows."""

from itertools import batched
from typing import Any, ClassVar

from django.db import migrations

from conversations.errors.table import sentence_of

ROWS_AT_A_TIME = 1_000


def store(apps: Any, schema_editor: Any) -> None:
    """Write the sentence of each failure that has only a code."""
    generations = apps.get_model("conversations", "Generation").objects.using(schema_editor.connection.alias)
    failed = generations.filter(error="").exclude(error_code="")
    for some in batched(failed.only("error_code", "error_params").iterator(), ROWS_AT_A_TIME):
        for generation in some:
            generation.error = sentence_of(generation.error_code, generation.error_params)
        failed.bulk_update(some, ["error"])


class Migration(migrations.Migration):
    """Nothing on the way up: rows keep the sentences that they have."""

    # Each batch by itself, so that no reply waits for all of them.
    atomic = False

    dependencies: ClassVar = [("conversations", "0028_error_params")]

    operations: ClassVar = [migrations.RunPython(migrations.RunPython.noop, store)]
