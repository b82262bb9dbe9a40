"""A conversation as Markdown: first the chosen branch, then the messages of other branches."""

from collections.abc import Iterator, Sequence
from datetime import datetime, tzinfo
from itertools import batched
from uuid import UUID

from django.utils.formats import date_format

from conversations.models import Conversation, Message, Role, Status
from conversations.models.steps import parts_of, steps_of
from conversations.transfer import markdown_steps
from conversations.transfer.documents import generation_of

MESSAGES_AT_A_TIME = 100
SPEAKERS = {Role.USER.value: "You", Role.ASSISTANT.value: "Assistant", Role.SYSTEM.value: "System"}

Skeleton = Sequence[tuple[UUID, UUID | None]]
"""Key and parent of each message, oldest first; nothing else of a conversation is held in memory."""


def paragraphs(conversation: Conversation, zone: tzinfo) -> Iterator[str]:
    """The blocks of the text, each to be followed by an empty line; times are in the given zone."""
    skeleton = list(conversation.messages.oldest_first().values_list("pk", "parent_id"))
    path, branches = split(skeleton, conversation.current_message_id)
    parents = dict(skeleton)
    numbers: dict[UUID | None, int] = {}
    yield f"# {' '.join(conversation.title.split())}"
    yield f"*Started {moment(conversation.created_at, zone)}. All times are {zone}.*"
    if instructions := conversation.system_prompt.strip():
        yield f"## Instructions\n\n{instructions}"
    for number, chain in enumerate((path, *branches)):
        if number:
            after = parents[chain[0]]
            place = f"after message {numbers[after]}" if after in numbers else "from the beginning"
            yield f"---\n\n# Branch {number}, {place}"
        for batch in batched(chain, MESSAGES_AT_A_TIME):
            found = Message.objects.select_related("generation").in_bulk(batch)
            for message in (found[key] for key in batch if key in found):
                numbers[message.pk] = len(numbers) + 1
                yield from message_paragraphs(message, numbers[message.pk], zone)


def message_paragraphs(message: Message, number: int, zone: tzinfo) -> Iterator[str]:
    """A message's author and time, its text with the tool calls in it, and a note when it did not end normally."""
    generation = generation_of(message)
    model = f" ({generation.model})" if generation and generation.model else ""
    yield f"## {number}. {SPEAKERS[message.role]}{model}"
    yield f"*{moment(message.created_at, zone)}*"
    for _, text, steps in parts_of(message.text_so_far, steps_of(message)):
        if said := text.strip():
            yield said
        yield from markdown_steps.paragraphs(steps)
    if generation and generation.is_waiting:
        yield "*This reply waited for your decision.*"
    elif generation and generation.is_open:
        yield "*This reply was in progress.*"
    elif generation and generation.status == Status.STOPPED:
        yield "*You stopped this reply.*"
    elif generation and generation.status == Status.FAILED and generation.sentence:
        yield f"*{generation.sentence}*"
    elif generation and generation.is_cut:
        yield "*This reply reached the model's length limit.*"


def split(skeleton: Skeleton, current: UUID | None) -> tuple[list[UUID], list[list[UUID]]]:
    """The path from the first message to `current`, and each other branch from where it leaves an earlier one.

    Without `current`: the path to the newest message.
    """
    current = current or (skeleton[-1][0] if skeleton else None)
    parents = dict(skeleton)
    newest_child = {parent: key for key, parent in skeleton if parent}
    path, seen = list[UUID](), set[UUID]()
    while current in parents and current not in seen:
        path.append(current)
        seen.add(current)
        current = parents[current]
    path.reverse()
    branches: list[list[UUID]] = []
    for key, _ in skeleton:
        chain, place = list[UUID](), key
        while place not in seen:
            seen.add(place)
            chain.append(place)
            place = newest_child.get(place, place)
        if chain:
            branches.append(chain)
    return path, branches


def moment(time: datetime, zone: tzinfo) -> str:
    """Day and time in words, in the given zone."""
    return date_format(time.astimezone(zone), "j F Y, H:i")
