"""Models of conversations, messages and replies. Every check of ownership starts at a queryset's `owned_by`."""

from conversations.models.configurations import MODEL_MAX_CHARS, TEMPERATURE_MAX, Configuration
from conversations.models.conversations import TITLE_MAX_CHARS, Conversation, ConversationQuerySet, trash_expiry
from conversations.models.feedback import COMMENT_MAX_CHARS, Feedback, Rating
from conversations.models.generations import (
    CUT,
    HEARTBEAT_TIMEOUT,
    NO_WORKER,
    OPEN,
    TEXT_SO_FAR,
    UNCLAIMED,
    UNDER_WAY,
    Generation,
    GenerationQuerySet,
    Status,
    has_no_worker,
    listed,
)
from conversations.models.messages import Message, MessageQuerySet, Role
from conversations.models.presets import PRESET_NAME_MAX_CHARS, Preset, PresetQuerySet
from conversations.models.tool_calls import (
    UNDECIDED_SQL,
    CallOrigin,
    CallState,
    Decision,
    ReplyRound,
    ToolCall,
)
from conversations.models.turn_windows import TODAY, PersonUsage, Tally, TurnWindow, counted
from conversations.models.usage import Grain, Measure, Usage, UsageLatency, UsageMark, UsagePeople, UsagePresence
from conversations.models.usage_limits import Period, UsageLimit

__all__ = [
    "COMMENT_MAX_CHARS",
    "CUT",
    "CallOrigin",
    "CallState",
    "HEARTBEAT_TIMEOUT",
    "MODEL_MAX_CHARS",
    "NO_WORKER",
    "OPEN",
    "PRESET_NAME_MAX_CHARS",
    "TEMPERATURE_MAX",
    "TEXT_SO_FAR",
    "TITLE_MAX_CHARS",
    "Configuration",
    "Conversation",
    "ConversationQuerySet",
    "Decision",
    "Feedback",
    "Generation",
    "GenerationQuerySet",
    "Grain",
    "Measure",
    "Message",
    "MessageQuerySet",
    "Period",
    "Preset",
    "PresetQuerySet",
    "Rating",
    "ReplyRound",
    "Role",
    "Status",
    "TODAY",
    "Tally",
    "ToolCall",
    "TurnWindow",
    "Usage",
    "UsageLatency",
    "UsageLimit",
    "UsageMark",
    "UsagePeople",
    "UsagePresence",
    "PersonUsage",
    "UNCLAIMED",
    "UNDECIDED_SQL",
    "UNDER_WAY",
    "counted",
    "has_no_worker",
    "listed",
    "trash_expiry",
]
