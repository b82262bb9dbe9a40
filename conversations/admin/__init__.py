"""Staff's view of what people do here.

That something exists is one permission, what was said in it another. What was said is shown in three places only, the
transcript, the search and the export, and each of these writes down first who reads what: see `readings`.
"""

from conversations.admin import conversations, feedback, generations, limits, log, messages, people, presets

__all__ = ["conversations", "feedback", "generations", "limits", "log", "messages", "people", "presets"]
