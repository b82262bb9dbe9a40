"""Errors about what was deleted meanwhile."""

from chatbot.core.errors import UserFacingError


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
