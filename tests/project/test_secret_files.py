"""Any setting may come from a file; what cannot be read is told in a sentence that names it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from chatbot.core.environment import Environment
from tests.kit.server import ROOT


@pytest.fixture
def env() -> Environment:
    """An environment without a file of its own."""
    return Environment(Path(os.devnull))


def held(folder: Path, monkeypatch: pytest.MonkeyPatch, content: str | bytes, name: str = "THE_SETTING") -> Path:
    file = folder / name.lower()
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    monkeypatch.setenv(f"{name}_FILE", str(file))
    return file


def test_a_value_of_any_kind_is_read_from_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, env: Environment
) -> None:
    held(tmp_path, monkeypatch, "$ecret with a blank\n")
    assert env.text("THE_SETTING", "default") == "$ecret with a blank"
    assert env.required("THE_SETTING", "Set it.") == "$ecret with a blank"
    held(tmp_path, monkeypatch, "12\r\n")
    assert env.integer("THE_SETTING", 5, least=1) == 12
    held(tmp_path, monkeypatch, "postgres://chat:p%40ss@db/chat")
    found = env.database("THE_SETTING")
    assert found is not None
    assert found["PASSWORD"] == "p@ss"
    held(tmp_path, monkeypatch, "")
    assert env.text("THE_SETTING") == ""


def test_an_empty_variable_beside_the_file_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, env: Environment
) -> None:
    held(tmp_path, monkeypatch, "from the file")
    monkeypatch.setenv("THE_SETTING", "")
    assert env.text("THE_SETTING") == "from the file"
    monkeypatch.setenv("THE_SETTING_FILE", "")
    monkeypatch.setenv("THE_SETTING", "from the variable")
    assert env.text("THE_SETTING") == "from the variable"


def test_a_value_given_twice_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, env: Environment) -> None:
    held(tmp_path, monkeypatch, "from the file")
    monkeypatch.setenv("THE_SETTING", "from the variable")
    with pytest.raises(ImproperlyConfigured, match="THE_SETTING and THE_SETTING_FILE are both set"):
        env.text("THE_SETTING")


def test_a_file_that_is_missing_or_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, env: Environment
) -> None:
    monkeypatch.setenv("THE_SETTING_FILE", str(tmp_path / "missing"))
    with pytest.raises(ImproperlyConfigured, match="missing is not there. THE_SETTING_FILE names it"):
        env.text("THE_SETTING")
    monkeypatch.setenv("THE_SETTING_FILE", str(tmp_path))
    with pytest.raises(ImproperlyConfigured, match=r"cannot be read \(Is a directory\). THE_SETTING_FILE names it"):
        env.text("THE_SETTING")
    held(tmp_path, monkeypatch, b"\xff\xfe")
    with pytest.raises(ImproperlyConfigured, match="is not text in UTF-8. THE_SETTING_FILE"):
        env.text("THE_SETTING")


@pytest.mark.parametrize("kind", ["folder", "loop", "below a file", "other encoding"])
def test_a_file_of_settings_that_cannot_be_read_ends_the_start_with_one_sentence(tmp_path: Path, kind: str) -> None:
    # Root may read whatever has no right for anybody, so the file is one that nobody can read.
    file = tmp_path / ".env"
    if kind == "folder":
        file.mkdir()
    elif kind == "loop":
        file.symlink_to(file)
    elif kind == "below a file":
        file.write_text("")
        file /= "below"
    else:
        file.write_bytes("DEBUG=true\nNAME=Jörg".encode("latin-1"))
    environment = {"PATH": os.environ["PATH"], "ENV_FILE": str(file)}
    command = [sys.executable, "manage.py", "check"]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"Wrong setting: {file} ")
    assert ended.stderr.count("\n") == 1
    assert "ENV_FILE" in ended.stderr


def test_a_secret_from_a_file_reaches_the_site(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("k" * 60 + "\n")
    database = tmp_path / "password"
    database.write_text("p@ss word\n")
    environment = os.environ | {
        "ENV_FILE": os.devnull,
        "DEBUG": "true",
        "SECRET_KEY": "",
        "SECRET_KEY_FILE": str(file),
        "DATABASE_URL": "postgres://chat@db/chat",
        "DATABASE_PASSWORD_FILE": str(database),
        "DJANGO_SETTINGS_MODULE": "chatbot.settings",
    }
    shown = "from django.conf import settings as s; print(s.SECRET_KEY, s.DATABASES['default']['PASSWORD'])"
    told = subprocess.run(
        [sys.executable, "-c", shown], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert told.stdout == "k" * 60 + " p@ss word\n"
