"""ARCHITECTURE.md and docs/decisions.md name what is there."""

import re
from pathlib import Path

import pytest

ROOT = next(folder for folder in Path(__file__).parents if (folder / "manage.py").exists())
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()
ROWS = re.findall(r"^\| `([\w./-]+)/` \| \w", ARCHITECTURE, re.MULTILINE)


def folders(parent: Path) -> list[Path]:
    """Its folders, without those that git ignores and hidden ones."""
    ignored = set(re.findall(r"^(\w+)/$", (ROOT / ".gitignore").read_text(), re.MULTILINE))
    return [
        path
        for path in parent.iterdir()
        if path.is_dir() and path.name not in ignored and not path.name.startswith(".")
    ]


def test_the_architecture_is_one_page() -> None:
    assert len(ARCHITECTURE.split()) <= 1500


def test_the_table_names_each_package_and_each_folder_once() -> None:
    here = [*folders(ROOT), *folders(ROOT / "chatbot"), *folders(ROOT / "conversations")]
    assert len(here) > 25
    named = [name for name in ROWS if not name.startswith(".")]
    assert sorted(named) == sorted(str(path.relative_to(ROOT)) for path in here)


def test_each_row_names_a_folder() -> None:
    assert [name for name in ROWS if not (ROOT / name).is_dir()] == []


def test_the_app_consists_of_packages() -> None:
    app = ROOT / "conversations"
    assert {path.name for path in app.iterdir() if path.is_file()} == {
        "__init__.py",
        "apps.py",
        "checks.py",
        "urls.py",
    }
    assert [path.name for path in folders(app) if not (path / "__init__.py").exists()] == []


@pytest.mark.parametrize("document", ["ARCHITECTURE.md", "docs/decisions.md"])
def test_each_path_that_the_document_names_exists(document: str) -> None:
    text = (ROOT / document).read_text()
    paths = set(re.findall(r"`([\w.-]+/[\w./-]*|[\w-]+\.(?:py|md|toml|html|js|css))`", text))
    linked = set(re.findall(r"\]\(([^)#:]+)\)", text))
    modules = {
        path.name
        for app in ("accounts", "chatbot", "conversations", "tasks", "tools")
        for path in (ROOT / app).rglob("*.py")
    }
    assert paths
    assert [path for path in paths if not (ROOT / path).exists() and path not in modules] == []
    assert [path for path in linked if not (ROOT / document).parent.joinpath(path).exists()] == []
