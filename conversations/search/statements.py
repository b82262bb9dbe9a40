"""The statements that search what a person's messages hold: their text, and what was asked of tools and returned."""

from dataclasses import dataclass

EXCERPT_BEFORE, EXCERPT = 120, 400
"""Characters of a text that are returned: before its hit, and in all."""

LEVEL_MAX = 5
"""The highest level of a block, 4 ** 5 days wide."""

SAID = "created_at >= %(since)s AND created_at < %(until)s"
KEYS = "ARRAY(SELECT chat_key(%(user)s, gram) FROM unnest(%(grams)s::text[]) AS gram)"
HOLDS_ALL = "(SELECT bool_and(strpos(folded, needle) > 0) FROM unnest(%(needles)s::text[]) AS needle)"


def first_call(calls: str) -> str:
    """SQL of a table with the first of these tool calls in which every term occurs: its `tool`, its text, `said`, and
    the `place` of the first term in that; empty without such a call."""
    return f"""(
        SELECT coalesce(call ->> 'name', call -> 'function' ->> 'name', '') AS tool, said,
            strpos(folded, %(first)s) AS place
        FROM jsonb_array_elements(
            CASE jsonb_typeof({calls}) WHEN 'array' THEN {calls} ELSE '[]' END
        ) WITH ORDINALITY AS each (call, number)
        CROSS JOIN LATERAL (SELECT chat_call(call) AS said OFFSET 0) AS one
        CROSS JOIN LATERAL (SELECT ' ' || chat_fold(said) AS folded OFFSET 0) AS text
        WHERE {HOLDS_ALL} ORDER BY number LIMIT 1
    )"""  # noqa: S608 (constants)


@dataclass(frozen=True, slots=True)
class Searched:
    """One of the things that messages hold, with an index of its own."""

    among: str
    """Condition of messages that may have it."""
    indexed: str
    """Condition of messages that are in the index."""
    text: str
    """The text, as in the index."""
    said: str
    """The text of which a hit shows a part."""
    tool: str
    """Name of the tool that a hit is about; empty for the message's own text."""
    looked_at: str
    """SQL that joins the `place` of the first term, and leaves those messages in which every term occurs."""

    def hits(self) -> str:
        """SQL of the columns of a hit."""
        return f"""
            SELECT conversation.id, conversation.title, message.created_at, message.id, message.role,
                substr({self.said}, greatest(place - {EXCERPT_BEFORE}, 1), {EXCERPT}), place > {EXCERPT_BEFORE} + 1,
                conversation.archived_at IS NOT NULL, conversation.trashed_at IS NOT NULL, {self.tool}
        """  # noqa: S608 (constants)

    def found(self) -> str:
        """SQL that joins the conversations, and leaves what is a hit."""
        return f"""
            JOIN conversations_conversation AS conversation ON conversation.id = message.conversation_id
            {self.looked_at} AND (%(trash)s OR conversation.trashed_at IS NULL)
        """

    def among_the_newest(self) -> str:
        """The statement that searches a person's newest messages."""
        return f"""
            {self.hits()} FROM (
                SELECT * FROM conversations_message WHERE user_id = %(user)s AND {self.among} AND {SAID}
                ORDER BY created_at DESC LIMIT %(newest)s
            ) AS message {self.found()} ORDER BY message.created_at DESC LIMIT %(most)s
        """  # noqa: S608 (constants)

    def by_index(self) -> str:
        """The statement that searches by the index: blocks of days from the newest on, wide enough to be few, until
        there is enough."""
        # `candidate` is materialized (row by row, on demand): on tables that were never analyzed, the planner would
        # otherwise repeat the index look-up for each message.
        return f"""
            WITH span AS MATERIALIZED (
                SELECT min(created_at) AS first, max(created_at) AS last FROM conversations_message
                WHERE user_id = %(user)s AND {self.among} AND {SAID}
            ), width AS MATERIALIZED (
                SELECT level, chat_block(first, level) AS first, chat_block(last, level) AS last
                FROM span, generate_series(0, {LEVEL_MAX}) AS level
                WHERE level = {LEVEL_MAX} OR chat_block(last, level) - chat_block(first, level) < %(blocks)s
                ORDER BY level LIMIT 1
            ), candidate AS MATERIALIZED (
                SELECT named.id, named.created_at
                FROM width CROSS JOIN generate_series(width.last, width.first, -1) AS block CROSS JOIN LATERAL (
                    SELECT id, created_at FROM conversations_message
                    WHERE {self.indexed} AND (chat_keys(user_id, {self.text}) || chat_days(user_id, created_at))
                        @> ({KEYS} || chat_key(%(user)s, '@' || level || ':' || block)) AND {SAID}
                    ORDER BY created_at DESC
                ) AS named
                LIMIT %(candidates)s
            )
            {self.hits()} FROM candidate
            JOIN conversations_message AS message
                ON message.id = candidate.id AND message.user_id = %(user)s AND {self.among}
            {self.found()} LIMIT %(most)s
        """  # noqa: S608 (constants)


TEXTS = Searched(
    among="true",
    indexed="content <> ''",
    text="content",
    said="message.content",
    tool="''",
    looked_at=f"""
        CROSS JOIN LATERAL (SELECT ' ' || chat_fold(message.content) AS folded OFFSET 0) AS text
        CROSS JOIN LATERAL (SELECT strpos(folded, %(first)s) AS place OFFSET 0) AS at
        WHERE place > 0 AND {HOLDS_ALL}
    """,
)
CALLS = Searched(
    among="tool_calls IS NOT NULL",
    indexed="tool_calls IS NOT NULL",
    text="chat_calls(tool_calls)",
    said="called.said",
    tool="called.tool",
    looked_at=f"CROSS JOIN LATERAL {first_call('message.tool_calls')} AS called WHERE true",
)
"""What a message recorded of its tool calls: those that have any are in an index by time, too."""
