"""The admin for staff: what people do on this site.

One permission shows that a conversation exists, another one its text. Text is shown in four places only, the
transcript, the page of a tool call, the search and the export, and each of these writes to the audit log first: see
`readings`.
"""

from conversations.admin import conversations, feedback, generations, limits, log, messages, people, presets, tool_calls

__all__ = ["conversations", "feedback", "generations", "limits", "log", "messages", "people", "presets", "tool_calls"]
