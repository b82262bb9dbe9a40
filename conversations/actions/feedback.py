"""Actions on feedback; each is a verb and one transaction."""

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from conversations.errors.gone import ConversationGone
from conversations.models import Conversation, Feedback, Message


def rate(message: Message, *, rating: str, comment: str | None = None) -> Feedback:
    """Store the person's rating of the answer, `up` or `down`; None as `comment` keeps the earlier comment.

    Raises `ConversationGone` when the answer was deleted meanwhile.
    """
    values = {"rating": rating, "user_id": message.user_id, "updated_at": timezone.now()}
    if comment is not None:
        values["comment"] = comment
    try:
        # The foreign key is checked when the transaction ends.
        with transaction.atomic():
            _touch(message)
            kept, _ = Feedback.objects.update_or_create(message_id=message.pk, defaults=values)
    except IntegrityError as error:
        raise ConversationGone from error
    return kept


@transaction.atomic
def take_back(message: Message) -> None:
    """Delete the rating and its comment; does nothing without one. Raises `ConversationGone`."""
    _touch(message)
    Feedback.objects.filter(message_id=message.pk).delete()


def _touch(message: Message) -> None:
    """Write the conversation's row unchanged, so that a prune that has archived it notices the change."""
    conversations = Conversation.objects.filter(pk=message.conversation_id)
    if not conversations.update(updated_at=F("updated_at")):
        raise ConversationGone
