"""The line above which the model no longer sees a chat."""

from collections.abc import Sequence
from dataclasses import dataclass

from conversations.models import Conversation, Generation, Message, Role, paths
from conversations.pages.branches import MESSAGES_PER_PAGE, Part


@dataclass(frozen=True, slots=True)
class WindowLine:
    """The line above the oldest message that the model saw for the newest reply."""

    message: Message
    hides: bool
    """Whether the page shows messages above the line."""
    cuts: bool
    """Whether the model saw only the end of the message below the line."""


def last_window(messages: Sequence[Message]) -> Generation | None:
    """The newest of these replies' generations that has a known window, or None."""
    generations = (message.generation for message in reversed(messages) if message.role == Role.ASSISTANT)
    return next((generation for generation in generations if generation.window_start), None)


def newest_window(conversation: Conversation, part: Part) -> Generation | None:
    """The newest generation with a known window at the end of the part's branch, or None. Causes a query."""
    newest = paths.upwards(conversation, part.branch, MESSAGES_PER_PAGE)
    known = Generation.objects.filter(pk__in=newest, window_start__isnull=False)
    return known.order_by("-message__created_at", "-message_id").only("window_start", "window_cut").first()


def window_on_page(
    messages: Sequence[Message], generation: Generation | None, *, has_older: bool
) -> tuple[WindowLine | None, bool]:
    """The line of the generation's window among these messages, oldest first; and whether it is on an older page."""
    start = generation.window_start if generation else None
    first = next((message for message in messages if start and message.created_at >= start), None)
    if generation is None or start is None or first is None:
        return None, False
    if first is messages[0] and has_older and start < first.created_at:
        return None, True
    line = WindowLine(first, hides=has_older or first is not messages[0], cuts=generation.window_cut)
    return (line if line.hides or line.cuts else None), False


def window_at_end(reply: Message) -> WindowLine | None:
    """The line that a reply which has just ended adds or moves. Causes a query only when the window may be full."""
    start, cuts = reply.generation.window_start, reply.generation.window_cut
    if start is None or (start <= reply.conversation.created_at and not cuts):
        return None
    first = reply.conversation.messages.filter(created_at=start).only("parent").first()
    if first is None:
        return None
    line = WindowLine(first, hides=first.parent_id is not None, cuts=cuts)
    return line if line.hides or line.cuts else None
