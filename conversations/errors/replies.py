"""How a reply can fail on this site's side, in the person's words and a program's."""

# ruff: noqa: N818 (the errors are named by what happened, as the other errors that a person reads)

from chatbot.core.errors import UserFacingError
from conversations.errors.providers import ContextTooLong

DETAIL_MAX_CHARS = 2_000


class ReplyFailed(UserFacingError):
    """Something went wrong on our side while the answer was written. Your message is saved. Please try again."""

    code = "internal"

    def __init__(self, detail: str = "") -> None:
        super().__init__()
        self.detail = detail[:DETAIL_MAX_CHARS].replace("\0", "").encode(errors="replace").decode()


class EmptyReply(UserFacingError):
    """The assistant ended without an answer. Your message is saved. Please try again."""

    code = "empty_reply"
    http_status = 502
    for_programs = "The model ended without an answer."


class CutBeforeAnswer(UserFacingError):
    """The model reached its limit before it came to an answer. Your message is saved. Try again, or ask for something
    that takes less thought."""

    code = "cut_before_answer"
    http_status = 502
    for_programs = "The model reached its limit before it came to an answer."


class MessageTooLong(UserFacingError):
    """Your message is longer than this model reads. It is saved. Shorten it, or choose another model and try again."""

    code = "message_too_long"
    http_status = 502
    for_programs = "The message is longer than the model can read."

    def __init__(self, error: ContextTooLong | None = None) -> None:
        super().__init__()
        self.detail = error.detail if error else ""
        self.upstream = error.upstream if error else None


class ServerBusy(UserFacingError):
    """This server is writing as many replies as it can at once. Your message is saved. Please try again in a moment."""

    code = "server_busy"
    http_status = 503
    for_programs = "This server has reached its limit of replies running at the same time."
    retry_seconds = 5


class ReplyTooLong(UserFacingError):
    """The answer did not end, so it was stopped at {limit:,} characters. What came is kept. Ask for a shorter one."""

    code = "reply_too_long"


class TooManyRounds(UserFacingError):
    """The assistant used its tools {limit} times in a row without coming to an end, so it was stopped. What was done is
    kept. Continue to let it go on, or say what it should do instead."""

    code = "too_many_rounds"
    http_status = 502
    for_programs = "The model called tools in too many rounds without coming to an end."


class TooManyCalls(UserFacingError):
    """The assistant asked for more than {limit} things at once, so it was stopped. Nothing of them was done. Try again,
    or ask for less at a time."""

    code = "too_many_calls"
    http_status = 502
    for_programs = "The model named too many tool calls at once."


class RepeatedCalls(UserFacingError):
    """The assistant did the same thing {limit} times with the same result, so it was stopped. What came is kept. Try
    again, or ask in other words."""

    code = "repeated_calls"
    http_status = 502
    for_programs = "The model repeated one tool call too often, with the same result."


class TooManyReplies(UserFacingError):
    """You have as many replies running at once as this site allows: {limit}. Your message is saved. Wait until one has
    ended, or stop one, then press Retry."""

    code = "too_many_replies"
    http_status = 429
    for_programs = "You have reached the limit of replies running at the same time. Retry this one."
    retry_seconds = 5


class UnfinishedImport(UserFacingError):
    """This reply was still being made when the conversation was exported."""

    code = "unfinished_import"
