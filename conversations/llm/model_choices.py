"""Which models a person may pick: those of CHAT_MODELS or, when that is empty, those that the provider lists."""

from functools import lru_cache

from django.conf import settings

from chatbot.embedded.weights import MODEL as DEMO_MODEL
from conversations.llm import catalogue
from conversations.llm import service as llm
from conversations.models import MODEL_MAX_CHARS

CHOICES_MAX = 200
"""A provider that resells others' models lists hundreds: staff choose some of them with CHAT_MODELS."""


def choices() -> list[str]:
    """The names of the models that a person may pick, the default first; empty while the provider has not told any.

    Waits for the provider once, two seconds at most; its list is renewed in the background.
    """
    if llm.is_demo():
        return [DEMO_MODEL]
    if settings.CHAT_MODELS:
        return list(dict.fromkeys(settings.CHAT_MODELS))
    listed, default = llm.listed_models() or (), llm.default_model()
    # Of the list that was read: it may be renewed at any moment.
    return list(_chosen_from(listed, default if default != llm.OTHER_MODEL else ""))


# A page asks for each of its parts.
@lru_cache(maxsize=8)
def _chosen_from(listed: tuple[str, ...], default: str) -> tuple[str, ...]:
    for_chat = catalogue.for_chat(tuple(name for name in listed if len(name) <= MODEL_MAX_CHARS))
    default = default or next(iter(for_chat), "")
    return tuple(filter(None, [default, *sorted({*for_chat} - {default}, key=str.casefold)]))[:CHOICES_MAX]


def default_name() -> str:
    """The name of the model that answers when nobody chose one; empty while that is the provider's secret."""
    model = llm.default_model()
    if model != llm.OTHER_MODEL:
        return model
    return next(iter(catalogue.for_chat(llm.known_models() or ())), "")


def is_offered(name: str) -> bool:
    """Whether a model of this name can be asked, as far as is known. Asks nobody, for any thread."""
    if llm.is_demo():
        return name == DEMO_MODEL
    if settings.CHAT_MODELS:
        return name in settings.CHAT_MODELS
    known = llm.known_models()
    return known is None or name in known or name == llm.default_model()


def is_listed(name: str) -> bool:
    """Whether a model of this name is known to be there, be it among the choices or past their number. Asks nobody."""
    return not llm.is_demo() and not settings.CHAT_MODELS and name in (llm.known_models() or ())


def to_ask(name: str) -> str:
    """The model to ask for a reply for which `name` was chosen: that, or the default when it is not offered."""
    return name if name and is_offered(name) else llm.default_model()
