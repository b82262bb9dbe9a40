"""The site below a path of its own: `/chat`, by FORCE_SCRIPT_NAME or by the server's `--root-path`."""

from typing import Any

from django.conf import settings
from django.contrib.staticfiles.storage import StaticFilesStorage
from django.urls import get_script_prefix, set_script_prefix
from servestatic.storage import CompressedManifestStaticFilesStorage


def settle(scope: Any) -> None:
    """Make a request's path begin with the site's own, whether its proxy has removed that or not.

    Addresses rendered for the request then lie below that path.
    """
    prefix = prefix_of(scope)
    set_script_prefix(f"{prefix}/")
    if not prefix:
        return
    path = scope["path"]
    if path == prefix:
        path += "/"
    # A probe that asks the process directly does not know the path.
    scope["path"] = path if path.startswith(f"{prefix}/") else prefix + path
    scope["root_path"] = prefix


def below(scope: Any) -> str:
    """The path of a request within the site, without the site's own path."""
    path: str = scope["path"]
    return path.removeprefix(prefix_of(scope))


def prefix_of(scope: Any) -> str:
    """The site's own path, such as `/chat`; empty when it has none."""
    return str(settings.FORCE_SCRIPT_NAME or scope.get("root_path") or "").rstrip("/")


class BelowPath:
    """Static files whose addresses lie below the site's path as the request found it.

    Django reads STATIC_URL once, when no request may have come yet.
    """

    def url(self, name: str | None, *args: Any) -> str:
        """Address of the static file, below the site's path."""
        address: str = super().url(name, *args)  # type: ignore[misc] # that of the storage beside it
        prefix = get_script_prefix()
        return address if address.startswith(prefix) else prefix.rstrip("/") + address


class PlainFiles(BelowPath, StaticFilesStorage):
    """Static files with their plain names."""


class HashedFiles(BelowPath, CompressedManifestStaticFilesStorage):  # type: ignore[misc] # it has no types
    """Static files hashed and compressed, for production."""

    support_js_module_import_aggregation = True
    """Scripts name what they `import()` by hash too."""
