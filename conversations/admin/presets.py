"""The presets that everybody shares."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from conversations.forms.configurations import SharedPresetForm
from conversations.models import Preset


@admin.register(Preset)
class PresetAdmin(admin.ModelAdmin):  # type: ignore[type-arg] # not subscriptable at run time
    """The presets that everybody shares; a person's own are the person's."""

    form = SharedPresetForm
    list_display = ("name", "model", "temperature")
    search_fields = ("name", "system_prompt")
    ordering = ("name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Preset]:
        """Shared ones only."""
        return Preset.objects.shared().order_by("name")
