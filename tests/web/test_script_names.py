"""Scripts that scripts load: they exist, and are loaded by the names that they get where files are collected."""

import re
from pathlib import Path
from shutil import copytree

from django.contrib.staticfiles.storage import StaticFilesStorage
from pytest_django import Settings

from chatbot.core.paths import HashedFiles

SCRIPTS = Path("static/js")
LOADER = (SCRIPTS / "first-use.js").read_text()


def test_what_is_loaded_on_first_use_exists_under_the_name_of_its_use() -> None:
    loaded = re.findall(r'"?([a-z-]+)"?: \(\) => import\("\./([a-z-]+)\.js"\)', LOADER)
    assert len(loaded) == LOADER.count('import("')
    assert all(use == name and (SCRIPTS / f"{name}.js").is_file() for use, name in loaded)


def test_collected_scripts_are_loaded_by_their_hashed_names(tmp_path: Path, settings: Settings) -> None:
    settings.STATIC_ROOT = tmp_path
    copytree(SCRIPTS, tmp_path / "js")
    plain = StaticFilesStorage(location=tmp_path)
    files = HashedFiles(location=tmp_path, base_url="/static/")
    list(files.post_process({f"js/{path.name}": (plain, f"js/{path.name}") for path in SCRIPTS.iterdir()}))
    text = (tmp_path / files.stored_name("js/first-use.js")).read_text()
    names = re.findall(r'import\("\./(.+?)"\)', text)
    assert len(names) == LOADER.count('import("')
    for name in names:
        assert re.fullmatch(r"[a-z-]+\.[0-9a-f]{12}\.js", name)
        assert (tmp_path / "js" / name).is_file()
    # For a page that outlives its version of the site.
    assert "import(`./${name}.js?" in text
