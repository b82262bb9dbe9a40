"""What a search needs: how text is folded and cut into pieces, and the indexes of these pieces by person."""

from typing import ClassVar

from django.db import ProgrammingError, connection, migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

# Small letters without accents, in one form however they were typed; white space as plain spaces. What it does not know
# of the script stays as it is. Independent of the database's locale but for small letters.
# Their bodies are bound to what they name when they are made: an index is built with no search path.
FOLD = r"""
CREATE OR REPLACE FUNCTION chat_fold(said text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT COST 200
    RETURN translate(
        CASE WHEN octet_length(said) = length(said) THEN lower(said)
        ELSE lower(normalize(regexp_replace(normalize(said, NFKD), '[\u0300-\u036f]+', '', 'g'), NFC)) END,
        E'ς\n\r\t', 'σ   ')
"""

# Of folded text: every three characters that follow each other. Scripts without spaces, and signs such as emoji, are
# looked for by one or two: of them every one, and every two.
GRAMS = r"""
CREATE OR REPLACE FUNCTION chat_grams(said text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT COST 5000
    RETURN (SELECT string_to_array(
        regexp_replace(sparse, '(...)', E'\\1\x01', 'g')
        || E'\x01' || regexp_replace(substr(sparse, 2), '(...)', E'\\1\x01', 'g')
        || E'\x01' || regexp_replace(substr(sparse, 3), '(...)', E'\\1\x01', 'g')
        || CASE WHEN dense = '' THEN '' ELSE
            E'\x01' || regexp_replace(dense, '(.)', E'\\1\x01', 'g')
            || E'\x01' || regexp_replace(dense, '(..)', E'\\1\x01', 'g')
            || E'\x01' || regexp_replace(substr(dense, 2), '(..)', E'\\1\x01', 'g') END,
        E'\x01')
    FROM (
        SELECT ' ' || CASE WHEN plain THEN folded ELSE regexp_replace(folded, {dense}, ' ', 'g') END AS sparse,
            CASE WHEN plain THEN '' ELSE regexp_replace(folded, {sparse}, ' ', 'g') END AS dense
        FROM (SELECT folded, octet_length(folded) = length(folded) AS plain
            FROM (SELECT chat_fold(said) AS folded OFFSET 0) AS once OFFSET 0) AS twice
        OFFSET 0) AS parts)
"""
DENSE = r"\u2190-\u2bff\u2e80-\ua4cf\uac00-\ud7ff\uf900-\ufaff\ufe30-\uffef\U0001f000-\U0003ffff"

INDEXES = (
    ("message_search", "conversations_message", "content", "WHERE content <> ''"),
    ("conversation_search", "conversations_conversation", "title", ""),
)


def create_extension(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Let an index hold a person's key beside pieces of text."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("CREATE EXTENSION IF NOT EXISTS btree_gin")
    except ProgrammingError as error:
        raise ProgrammingError(
            "The search needs PostgreSQL's extension btree_gin, and this role may not create it. Run"
            " CREATE EXTENSION btree_gin; in this database as a superuser or as its owner, then migrate again."
        ) from error


class Migration(migrations.Migration):
    """Make them while the site goes on."""

    atomic = False

    dependencies: ClassVar = [("conversations", "0012_single_foreign_keys")]

    operations: ClassVar = [
        migrations.RunPython(create_extension, migrations.RunPython.noop),
        migrations.RunSQL(FOLD, "DROP FUNCTION chat_fold"),
        migrations.RunSQL(GRAMS.format(dense=f"'[{DENSE}]+'", sparse=f"'[^{DENSE}]+'"), "DROP FUNCTION chat_grams"),
        *(
            migrations.RunSQL(
                [
                    # A build that was broken off leaves an index that serves nobody.
                    f"DROP INDEX CONCURRENTLY IF EXISTS {name}",
                    f"""
                    CREATE INDEX CONCURRENTLY {name} ON {table}
                    USING gin (user_id, (chat_grams({column}) COLLATE "C"))
                    WITH (fastupdate = on, gin_pending_list_limit = 1024) {condition}
                    """,
                    # Statistics would cut the text of thousands of rows into pieces, and nothing reads them.
                    f"ALTER INDEX {name} ALTER COLUMN 2 SET STATISTICS 0",
                ],
                f"DROP INDEX CONCURRENTLY {name}",
            )
            for name, table, column, condition in INDEXES
        ),
    ]
