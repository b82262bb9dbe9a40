"""Errors whose text a person may read, wherever something of a conversation is asked for.

Those with which a reply can end are stored by their codes. They are below the models: whoever has a stored reply, in
whatever process, has their sentences.
"""

from chatbot.core.errors import UserFacingError
from chatbot.core.errors import sentence_of as sentence_of
from conversations.errors import providers as providers
from conversations.errors import replies as replies


class ConversationGone(UserFacingError):
    """This conversation was deleted. What you typed stays in the box; copy it into a new chat to send it there."""

    code = "conversation_gone"
    http_status = 404
    program_code = "not_found"


class MessageGone(UserFacingError):
    """This message was deleted. Reload the page to see what is left; what you typed stays in the box."""

    code = "message_gone"
    http_status = 404
    program_code = "not_found"
