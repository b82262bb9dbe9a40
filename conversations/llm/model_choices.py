"""The models that a person may choose: those of CHAT_MODELS, or those that the provider lists when it is empty."""

from functools import lru_cache

from django.conf import settings

from chatbot.embedded.weights import MODEL as DEMO_MODEL
from conversations.llm import catalogue
from conversations.llm import service as llm
from conversations.models import MODEL_MAX_CHARS

CHOICES_MAX = 200
"""Most models offered. Providers that resell models list hundreds: operators choose among them with CHAT_MODELS."""


def choices() -> list[str]:
    """Names of the models that a person may choose, the default first; empty while the provider's list is unknown.

    Waits for the provider once, two seconds at most; its list is refreshed in the background.
    """
    if llm.is_demo():
        return [DEMO_MODEL]
    if settings.CHAT_MODELS:
        return list(dict.fromkeys(settings.CHAT_MODELS))
    listed, default = llm.listed_models() or (), llm.default_model()
    # Use the list that was read: it may be replaced at any moment.
    return list(_chosen_from(listed, default if default != llm.OTHER_MODEL else ""))


# Cached because several parts of a page ask for it.
@lru_cache(maxsize=8)
def _chosen_from(listed: tuple[str, ...], default: str) -> tuple[str, ...]:
    for_chat = catalogue.for_chat(tuple(name for name in listed if len(name) <= MODEL_MAX_CHARS))
    default = default or next(iter(for_chat), "")
    return tuple(filter(None, [default, *sorted({*for_chat} - {default}, key=str.casefold)]))[:CHOICES_MAX]


def default_name() -> str:
    """Name of the model that answers when none was chosen; empty while the provider's list is unknown."""
    model = llm.default_model()
    if model != llm.OTHER_MODEL:
        return model
    return next(iter(catalogue.for_chat(llm.known_models() or ())), "")


def is_offered(name: str) -> bool:
    """Whether this model can be asked, as far as is known. Sends no request and is safe in any thread."""
    if llm.is_demo():
        return name == DEMO_MODEL
    if settings.CHAT_MODELS:
        return name in settings.CHAT_MODELS
    known = llm.known_models()
    return known is None or name in known or name == llm.default_model()


def is_listed(name: str) -> bool:
    """Whether the provider's cached list has this model, even beyond `CHOICES_MAX`. Sends no request."""
    return not llm.is_demo() and not settings.CHAT_MODELS and name in (llm.known_models() or ())


def to_ask(name: str) -> str:
    """The model to ask for a reply: `name` when it is offered, else the default."""
    return name if name and is_offered(name) else llm.default_model()
