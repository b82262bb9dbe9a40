"""What a person can do with a conversation as a whole; each a verb, each one transaction."""

from conversations.errors import ConversationGone
from conversations.models import Conversation


def rename(conversation: Conversation, *, title: str) -> None:
    """Give the conversation a title of 1 to 255 characters. Raises `ConversationGone`."""
    if not Conversation.objects.filter(pk=conversation.pk).update(title=title):
        raise ConversationGone


def delete(conversation: Conversation) -> None:
    """Remove the conversation and all that was said in it, for ever. A reply being made ends with it."""
    conversation.delete()
