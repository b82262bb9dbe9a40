"""What a person can say about an answer; each a verb, each one transaction."""

from django.db import IntegrityError
from django.utils import timezone

from conversations.errors import ConversationGone
from conversations.models import Feedback, Message


def rate(message: Message, *, rating: str, comment: str | None = None) -> Feedback:
    """Keep the person's rating of the answer, `up` or `down`; the word that went with it stays without a `comment`.

    Raises `ConversationGone` when the answer was deleted meanwhile.
    """
    values = {"rating": rating, "user_id": message.user_id, "updated_at": timezone.now()}
    if comment is not None:
        values["comment"] = comment
    try:
        kept, _ = Feedback.objects.update_or_create(message_id=message.pk, defaults=values)
    except IntegrityError as error:
        raise ConversationGone from error
    return kept


def take_back(message: Message) -> None:
    """Forget the rating and its word; does nothing when there is none."""
    Feedback.objects.filter(message_id=message.pk).delete()
