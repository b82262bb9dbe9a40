"""What the model reads as the result of a tool call."""

from conversations.models import CallState, Decision, ToolCall
from conversations.models.steps import Step
from tools.results import Result

DECLINED = "The person declined this call. It did not happen."
EXPIRED = "The person did not answer in time, so this call was not made."
UNKNOWN = "It is not known whether this call happened, and the person chose to go on without making it again."
UNKNOWN_EXPIRED = "It is not known whether this call happened. The person was asked, and did not answer in time."


def result_text(call: ToolCall | Step) -> str:
    """What the model reads as the result of an ended call."""
    match call.state:
        case CallState.DONE:
            return Result.from_json(call.result or {}).text
        case CallState.DECLINED:
            return call.error or (EXPIRED if call.decision == Decision.EXPIRED else DECLINED)
        case CallState.UNKNOWN:
            return call.error or (UNKNOWN_EXPIRED if call.decision == Decision.EXPIRED else UNKNOWN)
    return call.error
