"""Time of a running reply's checkpoint, in chats of growing length."""

import random
import time
from collections.abc import Sequence
from itertools import pairwise
from uuid import UUID

from accounts.models import User
from benchmarks.figures import Figure, Report, percentile
from benchmarks.people import sign_in
from conversations.models import Conversation, Generation, Message, Role, Status
from conversations.replies import leases
from conversations.replies.leases import Draft

SIZES = {"10 kB": 10_000, "1 MB": 1_000_000, "10 MB": 10_000_000}
QUESTION, ANSWER = 1_000, 9_000
"""Characters of a question and an answer, 10,000 together."""

CHECKPOINTS = 300
SHORTEST_DRAFT, GROWTH = 2_000, 20
WORKER = "benchmark"
SYLLABLES = ("ba", "de", "fi", "go", "lu", "ma", "ne", "pi", "ro", "su", "ta", "ve")


def measure(*, count: int = CHECKPOINTS) -> Report:
    """Time of a checkpoint of a growing draft, in this process and on the site's database."""
    (person,) = sign_in(1)
    figures: list[Figure] = []
    for name, size in SIZES.items():
        milliseconds = _checkpoints(_running_reply(person.user, size), count)
        bar = 10 if size == max(SIZES.values()) else None
        figures += [
            Figure(f"checkpoint in a chat of {name}, p50", percentile(milliseconds, 0.5), "ms"),
            Figure(f"checkpoint in a chat of {name}, p95", percentile(milliseconds, 0.95), "ms", most=bar),
        ]
    return Report(figures)


def _checkpoints(message_id: UUID, count: int) -> list[float]:
    text = prose(SHORTEST_DRAFT + count * GROWTH)
    found: list[float] = []
    for number in range(count):
        draft = Draft(message_id, WORKER, text[: SHORTEST_DRAFT + number * GROWTH])
        begin = time.perf_counter()
        kept = leases.checkpoint([draft])
        found.append((time.perf_counter() - begin) * 1_000)
        if message_id not in kept:
            raise RuntimeError("the reply was lost")
    return found


def _running_reply(user: User, size: int) -> UUID:
    """Key of a running reply at the end of a chat of `size` characters."""
    conversation = Conversation.objects.create(user=user, title=f"{size} characters")
    lengths = [QUESTION, ANSWER] * (size // (QUESTION + ANSWER)) + [QUESTION, 0]
    messages = [
        Message(
            conversation=conversation,
            user=user,
            role=Role.ASSISTANT if number % 2 else Role.USER,
            content=prose(length),
        )
        for number, length in enumerate(lengths)
    ]
    for before, after in pairwise(messages):
        after.parent = before
    Message.objects.bulk_create(messages, batch_size=100)
    answers = messages[1::2]
    Generation.objects.bulk_create(
        Generation(message=message, conversation=conversation, status=Status.COMPLETE) for message in answers[:-1]
    )
    reply = answers[-1]
    Generation.objects.create(message=reply, conversation=conversation, status=Status.RUNNING, worker=WORKER)
    return reply.pk


def prose(length: int) -> str:
    """Text that compresses about as well as real text."""
    words: Sequence[str] = ["".join(random.choices(SYLLABLES, k=random.randint(1, 4))) for _ in range(length // 4)]  # noqa: S311 (no secret)
    return " ".join(words)[:length]
