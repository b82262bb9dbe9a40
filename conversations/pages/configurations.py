"""Contexts for models, instructions, temperatures and presets."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from accounts.models import User
from conversations.llm import model_choices
from conversations.llm import service as llm
from conversations.models import Configuration, Conversation, Preset
from conversations.replies import offers
from tools import registry

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
        "no_tools": "" if llm.is_demo() else no_tools(model),
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
        "tools_note": no_tools(configuration.model),
        "presets": list(Preset.objects.usable_by(user).only("name", "user_id")),
        "preset": preset,
    }


def conversation_settings(conversation: Conversation, configuration: Configuration, user: User) -> dict[str, Any]:
    """Context of a conversation's settings with these values in the fields."""
    return {
        **picker(configuration.model),
        **fields(configuration),
        **tools(user, configuration),
        "conversation": conversation,
        "presets": list(Preset.objects.usable_by(user).only("name", "user_id")),
    }


def fields(configuration: Configuration) -> dict[str, Any]:
    """Context of the fields of a configuration."""
    return {"configuration": configuration, "instructions_max_chars": settings.CHAT_INSTRUCTIONS_MAX_CHARS}


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """A tool that a person can turn off."""

    name: str
    title: str
    description: str
    is_on: bool
    asks: bool
    """Whether the person is asked before each call."""


def tools(user: User, configuration: Configuration) -> dict[str, Any]:
    """Context of the choice of tools, and why the model gets none. Causes queries if the site has tools."""
    offered = registry.offered_to(user)
    policies = registry.policies(offered) if offered else {}
    off = set(configuration.tools_off or ())
    return {
        "tools": [
            ToolChoice(
                tool.name,
                tool.title,
                tool.summary,
                tool.name not in off,
                policies[tool.name] == "ask",
            )
            for tool in offered
        ],
        "tools_note": no_tools(configuration.model),
    }


def no_tools(model: str) -> str:
    """Why the model of a chat gets no tools, as a sentence; empty if it does, and where the site has none."""
    if not settings.CHAT_TOOLS or not registry.all_tools():
        return ""
    if llm.is_demo():
        return "The demo model is too small to use tools, so it does not get any."
    if not offers.fits({"tools": [tool.for_model() for tool in registry.all_tools()]}):
        return "The model's context window is too small for tools. Whoever runs this site can enlarge it."
    if not llm.takes_tools(model_choices.to_ask(model)):
        return "This model cannot use tools: its provider refused them. They are offered to it again within an hour."
    return ""


def preset_list(user: User) -> dict[str, Any]:
    """Context of the page with a person's presets and the shared ones."""
    presets = list(Preset.objects.usable_by(user))
    return {
        "own": [preset for preset in presets if preset.user_id],
        "shared": [preset for preset in presets if not preset.user_id],
        "example_presets": [{"slug": slug, "name": name} for slug, (name, _) in EXAMPLE_PRESETS.items()],
    }


def preset_page(user: User, name: str, configuration: Configuration, preset: Preset | None = None) -> dict[str, Any]:
    """Context of a preset's form, for a new one or for `preset`."""
    return {
        **picker(configuration.model),
        **fields(configuration),
        **tools(user, configuration),
        "preset": preset,
        "name": name,
    }
