"""What the documents say is so."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from chatbot.core.environment import Environment

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = (ROOT / "chatbot" / "settings.py").read_text()
READ = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', SETTINGS))
EXAMPLE_TEXT = (ROOT / ".env.example").read_text()
EXAMPLE = set(re.findall(r"^([A-Z_]+)=", EXAMPLE_TEXT, re.MULTILINE))


def test_each_setting_that_is_read_is_in_the_example() -> None:
    assert len(READ) > 20
    assert READ == EXAMPLE


def test_each_setting_of_a_server_reaches_the_containers() -> None:
    passed = set(re.findall(r"^    ([A-Z_]+?)(?:_FILE)?:", (ROOT / "compose.yaml").read_text(), re.MULTILINE))
    assert passed >= READ - {"EMBEDDED_DIR"}


def test_each_variable_of_the_containers_is_in_the_example() -> None:
    asked = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "compose.yaml").read_text()))
    assert asked <= EXAMPLE | set(re.findall(r"^# ([A-Z_]+)=", EXAMPLE_TEXT, re.MULTILINE))


def test_each_file_that_the_image_takes_is_let_in() -> None:
    entries = (ROOT / ".dockerignore").read_text().split()
    let_in = {entry.removeprefix("!") for entry in entries if entry.startswith("!")}
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    taken = {name for line in copied for name in line.split()} - {"."}
    assert entries[0] == "*"
    assert "requirements.txt" in taken
    assert taken <= let_in
    for name in let_in:
        assert (ROOT / name).exists(), name


def test_each_make_target_that_the_documents_name_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        path: set(re.findall(r"(?:^\s*|`)make ([a-z-]+)", path.read_text(), re.MULTILINE))
        for path in (ROOT / ".env.example", *ROOT.glob("*.md"), *ROOT.glob("*/*.md"))
    }
    assert len(named[ROOT / "CONTRIBUTING.md"]) > 5
    for path, names in named.items():
        assert names <= targets, path


@pytest.mark.parametrize(
    ("method", "value"),
    [
        ("flag", "banana"),
        ("integer", "ten"),
        ("integer", "0"),
        ("seconds", "soon"),
        ("url", "api.example.org"),
        ("database", "mysql://localhost/chat"),
        ("mailer", "pigeon://loft"),
        ("choice", "xml"),
        ("secret", "short"),
    ],
)
def test_a_wrong_value_is_refused_with_the_variables_name(
    monkeypatch: pytest.MonkeyPatch, method: str, value: str
) -> None:
    monkeypatch.setenv("THE_SETTING", value)
    env = Environment(ROOT / "missing")
    read: dict[str, Callable[[], object]] = {
        "flag": lambda: env.flag("THE_SETTING", default=True),
        "integer": lambda: env.integer("THE_SETTING", 5, least=1),
        "seconds": lambda: env.seconds("THE_SETTING", 5),
        "url": lambda: env.url("THE_SETTING"),
        "database": lambda: env.database("THE_SETTING"),
        "mailer": lambda: env.mailer("THE_SETTING"),
        "choice": lambda: env.choice("THE_SETTING", "json", among=("json", "text")),
        "secret": lambda: env.secret("THE_SETTING", least=16),
    }
    with pytest.raises(ImproperlyConfigured, match="THE_SETTING"):
        read[method]()


def test_a_missing_key_is_asked_for() -> None:
    with pytest.raises(ImproperlyConfigured, match="MISSING is not set. Set it."):
        Environment(ROOT / "missing").required("MISSING", "Set it.")
