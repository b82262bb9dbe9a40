"""Views on presets: a person's own, and the shared ones."""

from typing import Any
from uuid import UUID

from django.core.exceptions import BadRequest
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views import View

from accounts.requests import PersonRequest
from chatbot.core.errors import UserFacingError
from conversations.actions import configuring
from conversations.forms.configurations import NOT_TEXT, PresetForm, ToolBoxes
from conversations.forms.messages import is_utf8
from conversations.models import Configuration, Preset
from conversations.pages.configurations import EXAMPLE_PRESETS, preset_list, preset_page


class PresetListView(View):
    """The list of a person's presets."""

    def get(self, request: PersonRequest) -> HttpResponse:
        """Show the person's presets and the shared ones."""
        return render(request, "conversations/presets.html", preset_list(request.user))


class PresetNewView(View):
    """The form of a new preset."""

    def get(self, request: PersonRequest) -> HttpResponse:
        """Show the form, empty or filled with an example."""
        name, instructions = EXAMPLE_PRESETS.get(request.GET.get("example", ""), ("", ""))
        context = preset_page(request.user, name, Configuration(system_prompt=instructions))
        return render(request, "conversations/preset.html", context)

    def post(self, request: PersonRequest) -> HttpResponse:
        """Store a new preset from the form."""
        return keep(request)


class PresetDetailView(View):
    """The form of a person's own preset."""

    def get(self, request: PersonRequest, pk: UUID) -> HttpResponse:
        """Show the preset in a form."""
        preset = find_preset(request, pk)
        return render(
            request, "conversations/preset.html", preset_page(request.user, preset.name, preset.configuration, preset)
        )

    def post(self, request: PersonRequest, pk: UUID) -> HttpResponse:
        """Store the changes to the preset."""
        return keep(request, find_preset(request, pk))


class PresetDeleteView(View):
    """Deletes a person's own preset."""

    def post(self, request: PersonRequest, pk: UUID) -> HttpResponse:
        """Delete the preset, and show the list."""
        configuring.delete_preset(find_preset(request, pk))
        return redirect("preset-list")


def keep(request: PersonRequest, preset: Preset | None = None) -> HttpResponse:
    """Store the form's values; an invalid form is shown again with a sentence."""
    form = PresetForm(request.POST)
    notice, status = "", 422
    if not form.is_valid() or not is_utf8(request):
        notice = form.sentence or NOT_TEXT
    else:
        values = {"name": form.cleaned_data["name"], "configuration": form.configuration}
        try:
            if preset:
                configuring.change_preset(preset, **values)
            else:
                configuring.add_preset(request.user, **values)
        except UserFacingError as error:
            notice, status = str(error), error.http_status
    if not notice:
        return redirect("preset-list")
    context = preset_page(request.user, request.POST.get("name", ""), typed_configuration(request), preset)
    return render(request, "conversations/preset.html", context | {"notice": notice}, status=status)


def find_preset(request: PersonRequest, pk: UUID) -> Preset:
    """The person's own preset. Raises `Http404` for any other, including shared ones."""
    return get_object_or_404(Preset.objects.owned_by(request.user), pk=pk)


def preset_in(request: PersonRequest) -> Preset | None:
    """The preset that the address names, own or shared. Raises `Http404` for another's, `BadRequest` for no key."""
    try:
        key = UUID(text) if (text := request.GET.get("preset")) else None
    except ValueError as error:
        raise BadRequest("This is not the key of a preset.") from error
    return get_object_or_404(Preset.objects.usable_by(request.user), pk=key) if key else None


def typed_configuration(request: PersonRequest) -> Configuration:
    """The values of a form as they were typed, to show them again."""
    model, instructions = request.POST.get("model", ""), request.POST.get("system_prompt", "")
    temperature: Any = request.POST.get("temperature", "")
    off = ToolBoxes().value_from_datadict(request.POST, {}, "tools_off")
    return Configuration(model, instructions, temperature, off or None)
