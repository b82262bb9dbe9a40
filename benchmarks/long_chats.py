"""Chats of 50 and of 10,000 messages: opening them, paging back, and collecting the model's window."""

import time
from collections.abc import Callable, Sequence
from datetime import timedelta

from django.utils import timezone

from benchmarks.checkpoints import prose
from benchmarks.figures import Figure, Report, percentile
from benchmarks.pages import page
from benchmarks.people import Person, sign_in
from benchmarks.site import Server, Site
from conversations.models import Conversation, Generation, Message, Role, Status
from conversations.replies import context

SHORT, LONG = 50, 10_000
"""Messages of the short and the long chat."""

QUESTION, ANSWER = 100, 500
"""Characters of a question and of an answer."""

OPENINGS = 60
ADDED_MOST = 5
"""Milliseconds that the long chat may take longer to open; fewer than anybody notices."""


def measure(site: Site, *, openings: int = OPENINGS) -> Report:
    """Measure `openings` of each request, alternating between both chats, so that disturbances affect both."""
    (person,) = sign_in(1)
    short, long = (chat(person, length) for length in (SHORT, LONG))
    places = {
        "opening it": ("", ""),
        "its first messages": (f"?before={short[-1].pk}", f"?before={long[SHORT].pk}"),
        "an address in its middle": (f"?at={short[SHORT // 2].pk}", f"?at={long[LONG // 2].pk}"),
    }
    with site.server() as server:
        found = {
            name: _in_turn(
                [_request(server, person, short[0].conversation.get_absolute_url() + queries[0]),
                 _request(server, person, long[0].conversation.get_absolute_url() + queries[1])],
                openings,
            )
            for name, queries in places.items()
        }  # fmt: skip
    found["what the model sees"] = _in_turn([_window(short[-1]), _window(long[-1])], openings)
    return Report([figure for name, times in found.items() for figure in _figures(name, *times)])


def _figures(name: str, short: Sequence[float], long: Sequence[float]) -> list[Figure]:
    added = [one - other for one, other in zip(long, short, strict=True)]
    bar = ADDED_MOST if name == "opening it" else None
    return [
        *(
            Figure(f"chat of {length:,} messages: {name}, {which}", percentile(times, share), "ms")
            for length, times in ((SHORT, short), (LONG, long))
            for which, share in (("p50", 0.5), ("p95", 0.95))
        ),
        Figure(f"chat of {LONG:,} messages: {name}, added, median", percentile(added, 0.5), "ms", most=bar),
    ]


def _in_turn(acts: Sequence[Callable[[], object]], count: int) -> list[list[float]]:
    """Milliseconds of each act, `count` times; first runs are not counted."""
    times: list[list[float]] = [[] for _ in acts]
    for number in range(count + 1):
        for act, found in zip(acts, times, strict=True):
            begin = time.perf_counter()
            act()
            if number:
                found.append((time.perf_counter() - begin) * 1_000)
    return times


def _request(server: Server, person: Person, path: str) -> Callable[[], object]:
    def get() -> None:
        if b'id="messages"' not in page(server, person, path):
            raise RuntimeError(f"{path} shows no messages")

    return get


def _window(reply: Message) -> Callable[[], object]:
    return lambda: context.window_for(reply)


def chat(person: Person, length: int) -> list[Message]:
    """The messages of a chat of this length, with formatted answers of which the model saw the last ones."""
    began = timezone.now() - timedelta(days=30)
    conversation = Conversation.objects.create(user=person.user, title=f"{length} messages", created_at=began)
    messages: list[Message] = []
    for number in range(length):
        is_answer = number % 2
        message = Message(
            conversation=conversation,
            user=person.user,
            parent=messages[-1] if messages else None,
            role=Role.ASSISTANT if is_answer else Role.USER,
            content=f"## Answer {number}\n\n- {prose(ANSWER)}" if is_answer else prose(QUESTION),
            created_at=began + timedelta(minutes=number),
        )
        messages.append(message)
    Message.objects.bulk_create(messages, batch_size=1_000)
    start = messages[max(0, length - SHORT // 2)].created_at
    Generation.objects.bulk_create(
        Generation(message=message, conversation=conversation, status=Status.COMPLETE, window_start=start)
        for message in messages[1::2]
    )
    Conversation.objects.filter(pk=conversation.pk).update(current_message=messages[-1])
    return messages
