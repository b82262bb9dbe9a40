"""The site below a path of its own: `/chat`, by FORCE_SCRIPT_NAME or by the server's `--root-path`."""

from typing import Any

from django.conf import settings
from django.contrib.staticfiles.storage import StaticFilesStorage
from django.urls import get_script_prefix, set_script_prefix
from servestatic.storage import CompressedManifestStaticFilesStorage


def settle(scope: Any) -> None:
    """Let a request's path begin with the site's own, whether its proxy has cut that off or not.

    Whatever is rendered for the request from here on has its addresses below that path.
    """
    prefix = prefix_of(scope)
    set_script_prefix(f"{prefix}/")
    if not prefix:
        return
    path = scope["path"]
    if path == prefix:
        path += "/"
    # A probe that asks the process itself knows nothing of the path.
    scope["path"] = path if path.startswith(f"{prefix}/") else prefix + path
    scope["root_path"] = prefix


def below(scope: Any) -> str:
    """The path of a request within the site: what it is without the site's own."""
    path: str = scope["path"]
    return path.removeprefix(prefix_of(scope))


def prefix_of(scope: Any) -> str:
    """The site's own path, such as `/chat`; empty when it has none."""
    return str(settings.FORCE_SCRIPT_NAME or scope.get("root_path") or "").rstrip("/")


class BelowPath:
    """Static files whose addresses are below the path that the request found the site at.

    Django takes STATIC_URL as it is at the first look, when no request may have come yet.
    """

    def url(self, name: str | None, *args: Any) -> str:
        """The file's address."""
        address: str = super().url(name, *args)  # type: ignore[misc] # that of the storage beside it
        prefix = get_script_prefix()
        return address if address.startswith(prefix) else prefix.rstrip("/") + address


class PlainFiles(BelowPath, StaticFilesStorage):
    """Static files as they are."""


class HashedFiles(BelowPath, CompressedManifestStaticFilesStorage):  # type: ignore[misc] # it has no types
    """Static files hashed and compressed, for production."""

    support_js_module_import_aggregation = True
    """Scripts name what they `import()` by hash too."""
