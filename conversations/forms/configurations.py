"""Forms for the configuration of chats: model, instructions, temperature, presets."""

import re
from typing import Any

from django import forms
from django.conf import settings

from conversations.forms.messages import SentenceForm, is_storable
from conversations.models import (
    MODEL_MAX_CHARS,
    PRESET_NAME_MAX_CHARS,
    TEMPERATURE_MAX,
    Configuration,
    Preset,
)

TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
TOOLS_OFF_MOST = 1_000
NOT_TEXT = "The text contains invalid characters. Remove them, then save again."
TEMPERATURE = f"A temperature is a number from 0 to {TEMPERATURE_MAX:g}, or empty for the model's default."


class InstructionsField(forms.CharField):
    """Instructions: up to `CHAT_INSTRUCTIONS_MAX_CHARS` characters after stripping, line ends as line feeds."""

    default_error_messages = {"null_characters_not_allowed": NOT_TEXT}  # noqa: RUF012 (Django's way)
    widget = forms.Textarea({"dir": "auto"})

    def to_python(self, value: Any) -> str:
        """The text in the form in which it is stored. Raises ValidationError."""
        text = super().to_python((value or "").replace("\r\n", "\n").replace("\r", "\n")) or ""
        limit = settings.CHAT_INSTRUCTIONS_MAX_CHARS
        if len(text) > limit:
            raise forms.ValidationError(
                f"The instructions are too long: {len(text):,} characters, and {limit:,} are allowed.",
                code="max_length",
            )
        if not is_storable(text):
            raise forms.ValidationError(NOT_TEXT, code="surrogates")
        return text


class TemperatureField(forms.FloatField):
    """A number from 0 to 2, with a point or a comma; None for the provider's default."""

    default_error_messages = {"invalid": TEMPERATURE}  # noqa: RUF012 (Django's way)

    def __init__(self) -> None:
        super().__init__(required=False)

    def to_python(self, value: Any) -> float | None:  # type: ignore[override] # the stubs take it for a whole number
        """The number, rounded to two places, or None. Raises ValidationError."""
        number: float | None = super().to_python(value.replace(",", ".") if isinstance(value, str) else value)
        if number is not None and not 0 <= number <= TEMPERATURE_MAX:
            raise forms.ValidationError(TEMPERATURE, code="invalid")
        return None if number is None else round(number, 2)


class ToolBoxes(forms.Widget):
    """Check boxes `tools_on` for the tools that the form lists in `tools_listed`: those without a check are off."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[str]:
        """Names of the tools that are turned off."""
        if not hasattr(data, "getlist"):
            return []
        on = set(data.getlist("tools_on"))
        return [listed for listed in data.getlist("tools_listed") if listed not in on]


class ToolsOffField(forms.Field):
    """The names of the tools that are turned off, sorted; None where all are on."""

    widget = ToolBoxes

    def to_python(self, value: Any) -> list[str] | None:
        """The names in the form in which they are stored. Raises ValidationError."""
        names = sorted(set(value or ()))
        if len(names) > TOOLS_OFF_MOST or not all(TOOL_NAME.fullmatch(name) for name in names):
            raise forms.ValidationError("These are not names of tools. Reload the page, then save again.")
        return names or None


class ModelForm(SentenceForm):
    """A model's name, empty for the site's default; one that is not offered is kept, and the default is used."""

    model = forms.CharField(
        max_length=MODEL_MAX_CHARS, required=False, error_messages={"max_length": "The model's name is too long."}
    )


CONFIGURING = frozenset({"model", "system_prompt", "temperature", "tools_listed"})
"""Names of fields in a request that configures a chat."""


class ConfigurationForm(ModelForm):
    """Form for model, instructions, temperature and tools."""

    system_prompt = InstructionsField(required=False)
    temperature = TemperatureField()
    tools_off = ToolsOffField(required=False)

    @property
    def configuration(self) -> Configuration:
        """The configuration that a valid form holds."""
        return Configuration(*(self.cleaned_data[name] for name in Configuration._fields))


class PresetForm(ConfigurationForm):
    """Form for a person's own preset: a name and a configuration."""

    name = forms.CharField(
        max_length=PRESET_NAME_MAX_CHARS,
        error_messages={
            "required": "Give the preset a name.",
            "max_length": f"A name has at most {PRESET_NAME_MAX_CHARS} characters.",
            "null_characters_not_allowed": NOT_TEXT,
        },
    )


class SharedPresetForm(forms.ModelForm):  # type: ignore[type-arg] # not subscriptable at run time
    """Form in the admin for a preset that everybody may use."""

    system_prompt = InstructionsField(label="Instructions", required=False)
    temperature = TemperatureField()

    class Meta:
        model = Preset
        fields = ("name", "model", "system_prompt", "temperature")
        widgets = {"name": forms.TextInput({"dir": "auto"})}  # noqa: RUF012 (Django's way)

    def clean_name(self) -> str:
        """A name that no other shared preset has. Raises ValidationError; causes a query."""
        name: str = self.cleaned_data["name"]
        if Preset.objects.shared().filter(name=name).exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError("A shared preset with this name already exists.", code="unique")
        return name
