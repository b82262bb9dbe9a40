"""Contexts for models, instructions, temperatures and presets."""

from functools import lru_cache
from typing import Any

from django.conf import settings
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from accounts.models import User
from conversations.llm import model_choices
from conversations.llm import service as llm
from conversations.models import Configuration, Conversation, Preset

EXAMPLE_PRESETS = {
    "translator": (
        "Translator",
        "Translate what I write into English; if it is English, into French. Keep tone and formatting. Answer with the "
        "translation only.",
    ),
    "code-reviewer": (
        "Code reviewer",
        "You review code. Name bugs first, then what is hard to read, each with the line and a better version. Say so "
        "when nothing is wrong. No praise.",
    ),
}
"""Examples for a first preset: name in addresses -> name and instructions."""


def picker(model: str) -> dict[str, Any]:
    """Context of the choice of a model, if there is one, and a note on a chosen model that is not offered."""
    choices = model_choices.choices()
    options = options_of(tuple(choices), model) if len(choices) > 1 else ""
    missing = model if model and not model_choices.is_offered(model) else ""
    return {
        "model_options": options,
        "missing_model": missing,
        "default_model": model_choices.default_name(),
        "is_demo": llm.is_demo(),
    }


@lru_cache(maxsize=256)
def options_of(choices: tuple[str, ...], chosen: str) -> SafeString:
    """HTML options of the choice of models, the site's default first; cached, as a provider may list hundreds."""
    default, *others = choices
    first = format_html('<option value=""{}>{}</option>', "" if chosen in others else SELECTED, default)
    return first + format_html_join(
        "", "<option{}>{}</option>", ((SELECTED if name == chosen else "", name) for name in others)
    )


SELECTED = SafeString(" selected")


def new_chat(user: User, configuration: Configuration, preset: Preset | None) -> dict[str, Any]:
    """Context for beginning a new chat: its configuration and the presets."""
    return {
        **picker(configuration.model),
        **fields(configuration),
        "presets": list(Preset.objects.usable_by(user).only("name", "user_id")),
        "preset": preset,
    }


def conversation_settings(conversation: Conversation, configuration: Configuration, user: User) -> dict[str, Any]:
    """Context of a conversation's settings with these values in the fields."""
    return {
        **picker(configuration.model),
        **fields(configuration),
        "conversation": conversation,
        "presets": list(Preset.objects.usable_by(user).only("name", "user_id")),
    }


def fields(configuration: Configuration) -> dict[str, Any]:
    """Context of the fields of a configuration."""
    return {"configuration": configuration, "instructions_max_chars": settings.CHAT_INSTRUCTIONS_MAX_CHARS}


def preset_list(user: User) -> dict[str, Any]:
    """Context of the page with a person's presets and the shared ones."""
    presets = list(Preset.objects.usable_by(user))
    return {
        "own": [preset for preset in presets if preset.user_id],
        "shared": [preset for preset in presets if not preset.user_id],
        "example_presets": [{"slug": slug, "name": name} for slug, (name, _) in EXAMPLE_PRESETS.items()],
    }


def preset_page(name: str, configuration: Configuration, preset: Preset | None = None) -> dict[str, Any]:
    """Context of a preset's form, for a new one or for `preset`."""
    return {**picker(configuration.model), **fields(configuration), "preset": preset, "name": name}
