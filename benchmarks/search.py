"""Searches among a million messages, for a person with a tenth of them and for one with few."""

import random
import time
from collections.abc import Sequence
from uuid import UUID

from django.db import connection

from accounts.models import User
from benchmarks.checkpoints import SYLLABLES
from benchmarks.figures import Figure, Report, percentile
from benchmarks.people import sign_in
from conversations.pages.found import search_context

MESSAGES, PEOPLE = 1_000_000, 300
SHARE = 10
"""One message in `SHARE` belongs to the first person."""

PER_CONVERSATION = 20
SENTENCES, WORDS = 5_000, 4_000
ROUNDS = 20
STORED = 200
CHINESE = "我们在北京大学学习计算机科学然后去上海工作和生活"
INDEX = "message_search"

QUERIES = {
    "a word of every second message": "ba",
    "a frequent word": "{word1}",
    "a rare word": "{word3000}",
    "a part of words": "{part}",
    "four words": "{word1} {word10} {word100} {word500}",
    "a word of the older half only": "olden",
    "a word that is nowhere": "zyzzyva",
    "two Chinese characters": "北京",
    "one Chinese character": "海",
    "a sign": "🎉",
}

FILL = """
INSERT INTO conversations_conversation (id, user_id, title, created_at, updated_at, model, system_prompt)
SELECT overlay(md5(made.number::text) PLACING '7' FROM 13)::uuid,
    (%(people)s::uuid[])[
        CASE WHEN made.number %% %(share)s = 0 THEN 1 ELSE 2 + made.number %% (cardinality(%(people)s) - 1) END],
    left(sentence.said, 60), now() - made.number * interval '20 seconds',
    now() - made.number * interval '20 seconds', '', ''
FROM generate_series(1, %(messages)s / %(each)s) AS made (number)
JOIN sentence ON sentence.number = made.number * 7919 %% %(sentences)s;

INSERT INTO conversations_message (id, conversation_id, user_id, role, content, created_at)
SELECT gen_random_uuid(), conversation.id, conversation.user_id, CASE turn %% 2 WHEN 0 THEN 'user' ELSE 'assistant' END,
    one.said || ' ' || two.said || ' ' || three.said
        || CASE WHEN conversation.created_at < %(half)s THEN ' olden' ELSE '' END
        || CASE WHEN picked.first = 17 AND picked.second < 50 THEN ' 🎉' ELSE '' END,
    conversation.created_at + turn * interval '1 second'
FROM (SELECT id, user_id, created_at, turn, floor(random() * %(sentences)s)::int AS first,
        floor(random() * %(sentences)s)::int AS second, floor(random() * %(sentences)s)::int AS third
    FROM conversations_conversation, generate_series(0, %(each)s - 1) AS turn ORDER BY created_at) AS picked
JOIN conversations_conversation AS conversation ON conversation.id = picked.id
JOIN sentence AS one ON one.number = picked.first
JOIN sentence AS two ON two.number = picked.second
JOIN sentence AS three ON three.number = picked.third;
"""


def measure(*, messages: int = MESSAGES, rounds: int = ROUNDS) -> Report:
    """Time of a search in this process, from the query to the marked passages; size of the index."""
    people = [person.user for person in sign_in(PEOPLE)]
    words = vocabulary()
    index = definition()
    execute(f"DROP INDEX {INDEX}")
    fill(people, words, messages)
    without = storing(people[1], words)
    begun = time.perf_counter()
    execute(index)
    built = time.perf_counter() - begun
    execute("VACUUM ANALYZE conversations_message")
    figures: list[Figure] = []
    worst = 0.0
    for name, query in QUERIES.items():
        text = query.format(
            part=words[40][1:] + words[41][:-1], **{f"word{n}": words[n] for n in (1, 10, 100, 500, 3000)}
        )
        for who, user in (
            ("100,000 messages" if messages == MESSAGES else "many messages", people[0]),
            ("few", people[1]),
        ):
            times = [timed(user, text) for _ in range(rounds)]
            figures.append(Figure(f"search by one with {who}: {name}, p95", percentile(times, 0.95), "ms"))
            worst = max(worst, percentile(times, 0.95))
    figures.append(Figure("search: the slowest of these, p95", worst, "ms", most=100))
    # New rows wait in the index's pending list, as on a site.
    stored = storing(people[1], words)
    figures += [
        Figure("search: with that much new in the index", percentile([timed(people[1], "zyzzyva")], 0.5), "ms"),
        Figure("storing a reply of 2 kB without the index, p50", percentile(without, 0.5), "ms"),
        Figure("storing a reply of 2 kB with the index, p50", percentile(stored, 0.5), "ms"),
        Figure("storing a reply of 2 kB with the index, p95", percentile(stored, 0.95), "ms"),
        Figure("storing a reply of 2 kB with the index, worst", max(stored), "ms"),
        Figure("messages with their other indexes", size("conversations_message", without=INDEX), "MB"),
        Figure("index of what was said", size(INDEX), "MB"),
        Figure("building that index", built, "s"),
    ]
    return Report(figures)


def vocabulary() -> list[str]:
    """Invented words, all different, the same in each run."""
    chance = random.Random(7)  # noqa: S311 (nothing secret)
    found: dict[str, None] = {}
    while len(found) < WORDS:
        found["".join(chance.choices(SYLLABLES, k=chance.randint(2, 5)))] = None
    return list(found)


def sentences(words: Sequence[str]) -> list[str]:
    """Sentences of these words, few of which are frequent; every twentieth is in Chinese."""
    chance = random.Random(8)  # noqa: S311 (nothing secret)
    made: list[str] = []
    for number in range(SENTENCES):
        if number % 20:
            made.append(" ".join(words[int(len(words) * chance.random() ** 4)] for _ in range(12)) + ".")
        else:
            made.append("".join(chance.sample(CHINESE, 12)) + "北京。" * (number % 40 == 0))
    return made


def fill(people: Sequence[User], words: Sequence[str], messages: int) -> None:
    """Store the conversations and messages to search."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE sentence (number int, said text)")
        with cursor.copy("COPY sentence FROM STDIN") as copy:
            for row in enumerate(sentences(words)):
                copy.write_row(row)
        keys: list[UUID] = [user.pk for user in people]
        counts = {"messages": messages, "each": PER_CONVERSATION, "sentences": SENTENCES, "share": SHARE}
        cursor.execute("SELECT now() - %s * interval '10 seconds'", [messages // PER_CONVERSATION])
        (half,) = cursor.fetchone()
        for statement in FILL.split(";\n")[:2]:
            cursor.execute(statement, counts | {"people": keys, "half": half})
        cursor.execute("ANALYZE conversations_conversation")


def timed(user: User, query: str) -> float:
    """Milliseconds that one search takes."""
    begun = time.perf_counter()
    search_context(user, query)
    return (time.perf_counter() - begun) * 1_000


def storing(user: User, words: Sequence[str]) -> list[float]:
    """Milliseconds of writing replies of 2 kB as at the end of a reply, each committed."""
    chance = random.Random(9)  # noqa: S311 (nothing secret)
    times: list[float] = []
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM conversations_message WHERE user_id = %s LIMIT %s", [user.pk, STORED])
        for (key,) in cursor.fetchall():
            text = " ".join(chance.choices(words, k=290))
            begun = time.perf_counter()
            cursor.execute("UPDATE conversations_message SET content = %s WHERE id = %s", [text, key])
            times.append((time.perf_counter() - begun) * 1_000)
    return times


def definition() -> str:
    """The SQL statement that creates the index."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = %s", [INDEX])
        return str(cursor.fetchone()[0])


def size(name: str, *, without: str = "") -> float:
    """Megabytes of a table or an index, with everything that belongs to it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_total_relation_size(%s::regclass)", [name])
        whole = float(cursor.fetchone()[0])
        if without:
            cursor.execute("SELECT pg_total_relation_size(%s::regclass)", [without])
            whole -= float(cursor.fetchone()[0])
    return whole / 1_000_000


def execute(sql: str) -> None:
    """Run one SQL statement without a result."""
    with connection.cursor() as cursor:
        cursor.execute(sql)
