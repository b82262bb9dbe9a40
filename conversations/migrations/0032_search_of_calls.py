"""What was asked of tools and what they returned is found by a search: its text, and indexes of messages that have it."""

from typing import ClassVar

from django.db import migrations, models

from chatbot.core.schema import AddIndex

# Of one recorded call, in the form of this site or of OpenAI's API: the tool, the values of its arguments, its result,
# and why it failed.
CALL = """
CREATE OR REPLACE FUNCTION chat_call(call jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT COST 500
    RETURN coalesce(call ->> 'name', call -> 'function' ->> 'name', '')
        || coalesce(E'\\n' || (
            SELECT string_agg(value #>> '{}', E'\\n')
            FROM jsonb_path_query(coalesce(call -> 'arguments', call -> 'function' -> 'arguments'), 'strict $.**') AS value
            WHERE jsonb_typeof(value) IN ('string', 'number')), '')
        || coalesce(E'\\n' || CASE jsonb_typeof(call -> 'result')
            WHEN 'string' THEN call ->> 'result' ELSE call -> 'result' ->> 'text' END, '')
        || coalesce(E'\\n' || nullif(call ->> 'error', ''), '')
"""

# A message's calls together; whatever else it holds has no text.
ALL = """
CREATE OR REPLACE FUNCTION chat_call(call jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT COST 500
    RETURN coalesce(call ->> 'name', call -> 'function' ->> 'name', '')
        || coalesce(E'\\n' || (
            SELECT string_agg(value #>> '{}', E'\\n')
            FROM jsonb_path_query(coalesce(call -> 'arguments', call -> 'function' -> 'arguments'), 'strict $.**') AS value
            WHERE jsonb_typeof(value) IN ('string', 'number')), '')
        || coalesce(E'\\n' || CASE jsonb_typeof(call -> 'result')
            WHEN 'string' THEN call ->> 'result' ELSE call -> 'result' ->> 'text' END, '')
        || coalesce(E'\\n' || nullif(call ->> 'error', ''), '')
"""

# A message's calls, one row each; whatever else it holds has none.
EACH = """
CREATE OR REPLACE FUNCTION chat_each_call(calls jsonb) RETURNS SETOF jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT ROWS 3
    RETURN jsonb_array_elements(CASE jsonb_typeof(calls) WHEN 'array' THEN calls ELSE '[]' END)
"""
ALL = """
CREATE OR REPLACE FUNCTION chat_calls(calls jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT COST 2000
    RETURN (SELECT coalesce(string_agg(chat_call(call), E'\\n'), '')
        FROM jsonb_array_elements(CASE jsonb_typeof(calls) WHEN 'array' THEN calls ELSE '[]' END) AS call)
"""
SEARCH = "message_calls_search"


class Migration(migrations.Migration):
    """Make them while the site goes on. Both indexes have messages with calls only: any other costs them nothing."""

    atomic = False

    dependencies: ClassVar = [("conversations", "0031_waiting")]

    operations: ClassVar = [
        migrations.RunSQL(CALL, "DROP FUNCTION chat_call"),
        migrations.RunSQL(ALL, "DROP FUNCTION chat_calls"),
        migrations.RunSQL(
            [
                # A build that was broken off leaves an index that serves nobody.
                f"DROP INDEX CONCURRENTLY IF EXISTS {SEARCH}",
                f"""
                CREATE INDEX CONCURRENTLY {SEARCH} ON conversations_message
                USING gin ((chat_keys(user_id, chat_calls(tool_calls)) || chat_days(user_id, created_at)))
                WITH (fastupdate = on, gin_pending_list_limit = 1024) WHERE tool_calls IS NOT NULL
                """,
                # Statistics would cut the text of thousands of rows into pieces, and nothing reads them.
                f"ALTER INDEX {SEARCH} ALTER COLUMN 1 SET STATISTICS 0",
            ],
            f"DROP INDEX CONCURRENTLY IF EXISTS {SEARCH}",
        ),
        AddIndex(
            model_name="message",
            index=models.Index(
                fields=["user", "-created_at"],
                name="message_user_with_calls",
                condition=models.Q(tool_calls__isnull=False),
            ),
        ),
        AddIndex(
            model_name="toolcall",
            index=models.Index(fields=["created_at", "id"], name="tool_call_created"),
        ),
    ]
