"""What a tool call does and how it stands, in words for people."""

import json

from conversations.models.steps import Step
from conversations.models.tool_calls import CallState, Decision
from tools import registry
from tools import text as texts

WORDS_MAX_CHARS = 200
NO_NAME = "A tool without a name"

STATES = {
    CallState.PROPOSED: "waits for the step before",
    CallState.WAITING: "needs approval",
    CallState.APPROVED: "about to run",
    CallState.RUNNING: "running",
    CallState.DONE: "done",
    CallState.FAILED: "failed",
    CallState.DECLINED: "declined",
    CallState.UNKNOWN: "may have happened",
}
EXPIRED, STOPPED = "declined, because nobody answered in time", "stopped"


def words_of(step: Step) -> str:
    """What the call does, or has done: one line of plain text. Of a tool that is gone, its name. Never raises."""
    tool = registry.get(step.tool)
    if tool is None:
        named = texts.line(step.tool.replace("_", " "), WORDS_MAX_CHARS)
        return named[:1].upper() + named[1:] or NO_NAME
    try:
        arguments = json.loads(step.arguments or "{}")
    except (ValueError, RecursionError):
        arguments = {}
    return tool.step(arguments if isinstance(arguments, dict) else {}, done=step.state == CallState.DONE)


def state_of(step: Step) -> str:
    """How the call stands or ended, in a few words, with the time that it took if that is a second or more."""
    if step.state == CallState.DECLINED and step.decision in {Decision.EXPIRED, Decision.STOPPED}:
        return EXPIRED if step.decision == Decision.EXPIRED else STOPPED
    seconds = round(step.seconds or 0)
    state = STATES[CallState(step.state)]
    return f"{state} after {seconds:,} s" if seconds else state
