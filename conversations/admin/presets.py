"""Shared presets in the admin, which everybody may use."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from conversations.forms.configurations import SharedPresetForm
from conversations.models import Preset


@admin.register(Preset)
class PresetAdmin(admin.ModelAdmin):  # type: ignore[type-arg] # not subscriptable at run time
    """Admin of the presets that everybody may use; personal presets are not shown."""

    form = SharedPresetForm
    list_display = ("name", "model", "temperature")
    search_fields = ("name", "system_prompt")
    ordering = ("name",)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Whether an address may filter by this: by no tools, whose comparisons fail for many values."""
        return not lookup.startswith("tools_off") and super().lookup_allowed(lookup, value, request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Preset]:
        """The presets that are shared, by name."""
        return Preset.objects.shared().order_by("name")
