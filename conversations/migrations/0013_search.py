"""What a search needs: how text is folded and cut into pieces, and the indexes of these pieces by person."""

from typing import ClassVar

from django.db import migrations

# Small letters without accents, in one form however they were typed; white space as plain spaces. What it does not know
# of the script stays as it is. Independent of the database's locale but for small letters.
# Their bodies are bound to what they name when they are made: an index is built with no search path.
FOLD = r"""
CREATE OR REPLACE FUNCTION chat_fold(said text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT COST 200
    RETURN CASE WHEN octet_length(said) = length(said)
        THEN replace(replace(replace(lower(said), E'\n', ' '), E'\r', ' '), E'\t', ' ')
        ELSE translate(lower(normalize(regexp_replace(normalize(said, NFKD), '[\u0300-\u036f]+', '', 'g'), NFC)),
            E'ς\n\r\t', 'σ   ') END
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

# A piece as a person's: the halves of it are hashes of both, so that a person's pieces lie together in an index, and how
# many messages of others hold a piece costs nothing. What else has the same hash is told apart when a hit is looked at.
KEY = """
CREATE OR REPLACE FUNCTION chat_key(owner uuid, piece text) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
    RETURN (hashtext(owner::text COLLATE "C")::bigint << 32) | (hashtext(piece COLLATE "C")::bigint & 4294967295)
"""
KEYS = """
CREATE OR REPLACE FUNCTION chat_keys(owner uuid, said text) RETURNS bigint[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT COST 5000
    RETURN ARRAY(SELECT hash | (hashtext(piece COLLATE "C")::bigint & 4294967295)
    FROM (SELECT hashtext(owner::text COLLATE "C")::bigint << 32 AS hash OFFSET 0) AS person,
        unnest(chat_grams(said)) AS piece)
"""

# The number of the block of 4 ** level days in which something was said; and the keys of all its blocks.
BLOCK = """
CREATE OR REPLACE FUNCTION chat_block(at timestamptz, level int) RETURNS int
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
    RETURN ((at AT TIME ZONE 'UTC')::date - date '1970-01-01') >> (2 * level)
"""
LEVELS = 6
DAYS = """
CREATE OR REPLACE FUNCTION chat_days(owner uuid, at timestamptz) RETURNS bigint[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT COST 100
    RETURN ARRAY[{keys}]
""".format(keys=", ".join(f"chat_key(owner, '@{level}:' || chat_block(at, {level})::text)" for level in range(LEVELS)))

INDEXES = (
    (
        "message_search",
        "conversations_message",
        "(chat_keys(user_id, content) || chat_days(user_id, created_at))",
        "WHERE content <> ''",
    ),
    ("conversation_search", "conversations_conversation", "chat_keys(user_id, title)", ""),
)


class Migration(migrations.Migration):
    """Make them while the site goes on."""

    atomic = False

    dependencies: ClassVar = [("conversations", "0012_single_foreign_keys")]

    operations: ClassVar = [
        migrations.RunSQL(FOLD, "DROP FUNCTION chat_fold"),
        migrations.RunSQL(GRAMS.format(dense=f"'[{DENSE}]+'", sparse=f"'[^{DENSE}]+'"), "DROP FUNCTION chat_grams"),
        migrations.RunSQL(KEY, "DROP FUNCTION chat_key"),
        migrations.RunSQL(KEYS, "DROP FUNCTION chat_keys"),
        migrations.RunSQL(BLOCK, "DROP FUNCTION chat_block"),
        migrations.RunSQL(DAYS, "DROP FUNCTION chat_days"),
        *(
            migrations.RunSQL(
                [
                    # A build that was broken off leaves an index that serves nobody.
                    f"DROP INDEX CONCURRENTLY IF EXISTS {name}",
                    f"""
                    CREATE INDEX CONCURRENTLY {name} ON {table}
                    USING gin ({pieces})
                    WITH (fastupdate = on, gin_pending_list_limit = 1024) {condition}
                    """,
                    # Statistics would cut the text of thousands of rows into pieces, and nothing reads them.
                    f"ALTER INDEX {name} ALTER COLUMN 1 SET STATISTICS 0",
                ],
                f"DROP INDEX CONCURRENTLY IF EXISTS {name}",
            )
            for name, table, pieces, condition in INDEXES
        ),
    ]
