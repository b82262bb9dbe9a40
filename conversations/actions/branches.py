"""Actions on the branches of a conversation; each is a verb and one transaction.

An alternative is another message at the same place: a person's edited message, or another answer. The replaced message
stays, with all that followed it. `Conversation.current_message` is the end of the chosen branch.
"""

from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

from conversations.actions import turns
from conversations.actions.turns import NOT_ADMITTED, Turn, TurnTaken
from conversations.errors.gone import ConversationGone, MessageGone
from conversations.models import Conversation, Generation, Message, Role, paths
from conversations.replies.dispatch import Audience


def edit(message: Message, *, text: str, turn: UUID | None = None, audience: Audience = Audience.NOBODY) -> Turn:
    """Say `text` in place of a person's own message, with a pending reply; the chosen branch then ends there.

    Keys, limits and errors are those of `turns.send`.
    """
    conversation = message.conversation
    return turns.send(message.user, text=text, conversation=conversation, turn=turn, beside=message, audience=audience)


def regenerate(
    reply: Message, *, model: str = "", turn: UUID | None = None, audience: Audience = Audience.NOBODY
) -> Message:
    """Ask for another answer beside `reply`, of the named model or else of the one that is asked anyway; return it.

    `turn` becomes its key: a second call with the same key returns the answer that the first call stored. The chosen
    branch then ends with it. Limits and errors are those of `edit`.
    """
    conversation, key = reply.conversation, turn or uuid7()
    try:
        with transaction.atomic():
            full, *_ = turns.admit(reply.user, conversation)
            answer = turns.beside(reply, key)
            turns.store_reply(answer, full=full, model=model)
    except (IntegrityError, *NOT_ADMITTED) as error:
        if not (found := _find_answer(reply, key)):
            raise turns.refusal(error, conversation) from error
        answer = found
    turns.start(answer, audience=audience)
    return answer


def choose(message: Message) -> None:
    """Choose the branch through `message`, to the end at which the person was last.

    Does nothing for a message on the chosen branch. Raises `ReplyInProgress` while a reply is open, `MessageGone` and
    `ConversationGone` when they were deleted meanwhile.
    """
    conversation = message.conversation
    try:
        with transaction.atomic():
            kept = Conversation.objects.filter(pk=conversation.pk, trashed_at=None)
            if not kept.select_for_update(no_key=True).exists():
                raise ConversationGone
            if Generation.objects.open().filter(conversation=conversation).exists():
                raise turns.in_progress(conversation)
            end = paths.last_end(conversation, message.pk)
            if end is None:
                raise MessageGone
            kept.update(current_message=end)
            Message.objects.filter(pk=end).update(chosen_at=Now())
    except IntegrityError as error:
        raise turns.refusal(error, conversation) from error
    conversation.current_message_id = end


def _find_answer(reply: Message, key: UUID) -> Message | None:
    found = Message.objects.owned_by(reply.user).filter(pk=key).select_related("conversation", "generation").first()
    if found and (found.role != Role.ASSISTANT or found.parent_id != reply.parent_id):
        raise TurnTaken
    return found
