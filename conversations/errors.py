"""Errors whose text a person may read."""

import inspect
from typing import ClassVar


class UserFacingError(Exception):
    """Something went wrong. Nothing you wrote is lost. Please try again."""

    # The docstring of each subclass is the sentence that the person reads: what happened, what is safe, what to do.
    # `{names}` in it are filled from the keyword parameters of the constructor.

    code: ClassVar[str] = "error"
    """A stable name in snake_case, for storage and for programs."""

    http_status: ClassVar[int] = 500
    """The status of an answer that consists of this error."""

    def __init__(self, **parameters: object) -> None:
        sentence = " ".join((inspect.getdoc(type(self)) or "").split())
        super().__init__(sentence.format_map(parameters) if parameters else sentence)


class ConversationGone(UserFacingError):
    """This conversation was deleted. What you typed stays in the box; copy it into a new chat to send it there."""

    code = "conversation_gone"
    http_status = 404


class MessageGone(UserFacingError):
    """This message was deleted. Reload the page to see what is left; what you typed stays in the box."""

    code = "message_gone"
    http_status = 404
