"""The Django app of tools."""

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class ToolsConfig(AppConfig):
    """The app of what the model can do: its tools, and running one call of them."""

    name = "tools"

    def ready(self) -> None:
        """Register the check of tools, and import the modules in which apps have theirs."""
        from tools import checks, registry  # noqa: F401 (importing registers)

        autodiscover_modules(registry.MODULE)
