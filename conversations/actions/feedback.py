"""What a person can say about an answer; each a verb, each one transaction."""

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from conversations.errors import ConversationGone
from conversations.models import Conversation, Feedback, Message


def rate(message: Message, *, rating: str, comment: str | None = None) -> Feedback:
    """Keep the person's rating of the answer, `up` or `down`; the word that went with it stays without a `comment`.

    Raises `ConversationGone` when the answer was deleted meanwhile.
    """
    values = {"rating": rating, "user_id": message.user_id, "updated_at": timezone.now()}
    if comment is not None:
        values["comment"] = comment
    try:
        # The database looks for the message when the transaction ends.
        with transaction.atomic():
            _touch(message)
            kept, _ = Feedback.objects.update_or_create(message_id=message.pk, defaults=values)
    except IntegrityError as error:
        raise ConversationGone from error
    return kept


@transaction.atomic
def take_back(message: Message) -> None:
    """Forget the rating and its word; does nothing when there is none. Raises `ConversationGone`."""
    _touch(message)
    Feedback.objects.filter(message_id=message.pk).delete()


def _touch(message: Message) -> None:
    """Write the conversation's row as it is: a prune that has archived it sees that it is another one now."""
    conversations = Conversation.objects.filter(pk=message.conversation_id)
    if not conversations.update(updated_at=F("updated_at")):
        raise ConversationGone
