"""`manage.py doctor` finds what is wrong with an installation, and says what to do."""

import re
import socketserver
import threading
from collections.abc import Callable, Iterable
from email.utils import formatdate
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection
from pytest_django import Settings

from chatbot.web import probe
from conversations.management.doctor import database, proxy, site
from conversations.management.doctor.findings import Finding, Level
from tests.factories import UserFactory
from tests.kit.provider import Script, ScriptedProvider, Stall, error, reply
from tests.kit.server import ChatServer
from tests.support.findings import only, troubles


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


WELL = (
    dict.fromkeys(database.MUST_BE_ON, "on")
    | dict.fromkeys(database.MUST_BE_OFF, "off")
    | {
        "max_connections": "100",
        "log_min_error_statement": "panic",
        "log_statement": "ddl",
        "log_min_duration_statement": "-1",
    }
)


@pytest.mark.django_db
def test_a_database_as_it_should_be_is_ok() -> None:
    # What tests write need not survive a power cut.
    assert all(" is off" in trouble for trouble in troubles(database.database()))
    assert troubles(database.of_settings(WELL)) == []


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        *((name, "off", f"{name} is off") for name in database.MUST_BE_ON),
        *((name, "on", f"{name} is on") for name in database.MUST_BE_OFF),
        ("max_connections", "12", "one process may take"),
        ("log_min_error_statement", "error", "what people said"),
        ("log_statement", "mod", "what people said"),
        ("log_min_duration_statement", "250", "what people said"),
        ("log_parameter_max_length_on_error", "-1", "what people said"),
        ("auto_explain.log_min_duration", "3000", "what people said"),
    ],
)
def test_a_setting_of_the_database_that_hurts_is_found(name: str, value: str, words: str) -> None:
    only(database.of_settings(WELL | {name: value}), words)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("DELETE FROM django_migrations WHERE name = '0004_window'", "not applied: conversations.0004_window"),
        ("DROP INDEX conversation_updated", "missing or invalid indexes: conversation_updated"),
        # Made by statements of migrations, and for a column that is unique.
        ("DROP INDEX message_search", "indexes: message_search"),
        ("DROP INDEX admin_log_object", "indexes: admin_log_object"),
        ("DROP INDEX accounts_cache_expires", "indexes: accounts_cache_expires"),
        ("ALTER TABLE accounts_user DROP CONSTRAINT accounts_user_email_key", "indexes: accounts_user (email)"),
        ("ALTER TABLE accounts_accesstoken DROP CONSTRAINT access_token_digest", "indexes: access_token_digest"),
        ("SET LOCAL synchronous_commit = off", "synchronous_commit is off"),
        ("SET LOCAL jit = on", "jit is on"),
    ],
)
@pytest.mark.django_db
def test_a_fault_of_the_database_is_found(fault: str, words: str) -> None:
    execute(fault)
    assert any(words in trouble for trouble in troubles(database.database()))


@pytest.mark.django_db(transaction=True)
def test_an_index_whose_making_was_broken_off_is_found() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = 'conversation_updated'")
        (made,) = cursor.fetchone()
    for _ in range(2):
        UserFactory.create()
    execute("DROP INDEX conversation_updated")
    try:
        with pytest.raises(IntegrityError):
            execute("CREATE UNIQUE INDEX CONCURRENTLY conversation_updated ON accounts_user ((1))")
        assert any("invalid indexes: conversation_updated" in trouble for trouble in troubles(database.database()))
    finally:
        execute("DROP INDEX conversation_updated")
        execute(made)


def test_a_postgres_that_is_too_old_is_found() -> None:
    only([database.of_version(14)], "failure: database: PostgreSQL 14 is too old")
    assert troubles([database.of_version(15)]) == []


def test_a_model_that_answers_is_ok_and_was_really_asked(settings: Settings, provider: ScriptedProvider) -> None:
    settings.OPENAI_BASE_URL = provider.url
    provider.play(reply("Ok."))
    assert troubles(site.model()) == []
    (asked,) = provider.chats
    assert asked.json["max_tokens"] == 1


def test_a_model_that_takes_no_bound_on_tokens_is_asked_without(settings: Settings, provider: ScriptedProvider) -> None:
    settings.OPENAI_BASE_URL = provider.url
    provider.play(error(400, "Unsupported parameter: 'max_tokens'", code="unsupported_parameter"), reply("Ok."))
    assert troubles(site.model()) == []
    assert ["max_tokens" in asked.json for asked in provider.chats] == [True, False]


def test_a_wrong_key_is_found(settings: Settings, provider: ScriptedProvider) -> None:
    settings.OPENAI_BASE_URL = provider.url
    settings.CHAT_MODELS = ["large"]
    provider.play(error(401, "Incorrect API key provided", code="invalid_api_key"))
    only(site.model(), "did not accept this site's key")


def test_a_model_that_says_nothing_is_found(
    settings: Settings, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.OPENAI_BASE_URL = provider.url
    settings.CHAT_MODELS = ["large"]
    monkeypatch.setattr(site, "MODEL_SECONDS", 0.3)
    provider.play(Script((Stall(),)))
    only(site.model(), "nothing came within 0.3 s")


def test_that_the_demo_model_answers_is_said(settings: Settings) -> None:
    settings.OPENAI_API_KEY = settings.OPENAI_BASE_URL = ""
    only([next(site.model())], "warning: model: the small demo model answers")


def test_a_model_that_cannot_be_reached_is_found(settings: Settings, closed_port: int) -> None:
    settings.OPENAI_BASE_URL = f"http://127.0.0.1:{closed_port}/v1"
    settings.CHAT_RETRIES = 0
    settings.CHAT_MODELS = ["large"]
    only(site.model(), "failure: model: ")


@pytest.fixture
def collected(settings: Settings, tmp_path: Path) -> Path:
    """A style sheet and a script, collected; the folder that they came from."""
    settings.STATICFILES_DIRS = [tmp_path / "own"]
    settings.STATIC_ROOT = tmp_path / "collected"
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"}
    }
    (tmp_path / "own").mkdir()
    for name in ("chat.css", "menu.js"):
        (tmp_path / "own" / name).write_text(name)
    call_command("collectstatic", "--noinput", "--verbosity=0")
    return tmp_path / "own"


def test_static_files_that_are_collected_are_ok(collected: Path) -> None:
    assert troubles(site.static_files()) == []


def test_static_files_of_another_version_are_found(collected: Path) -> None:
    (collected / "menu.js").write_text("changed")
    only(site.static_files(), "static files: menu.js of another version")
    (collected / "new.js").write_text("new")
    assert len(troubles(site.static_files())) == 2


def test_a_static_file_that_the_manifest_names_and_is_not_there_is_found(collected: Path, settings: Settings) -> None:
    (served,) = Path(settings.STATIC_ROOT).glob("chat.*.css")
    served.unlink()
    only(site.static_files(), "static files: chat.css not collected")


def test_static_files_that_were_not_collected_are_found(settings: Settings, tmp_path: Path) -> None:
    settings.STATIC_ROOT = tmp_path
    only(site.static_files(), "not collected")


def seconds(findings: Iterable[Finding], words: str) -> int:
    """The number in the only trouble, which begins with these words."""
    (trouble,) = troubles(findings)
    found = re.search(words, trouble)
    assert found, trouble
    return int(found[1].replace(",", ""))


def test_a_clock_that_is_wrong_is_found() -> None:
    only([site.clock_finding(90, "the database's")], "90 s ahead")
    only([site.clock_finding(-90, "the database's")], "90 s behind")
    assert troubles([site.clock_finding(0.5, "the database's")]) == []


@pytest.mark.django_db
def test_a_clock_of_the_database_that_is_wrong_is_found() -> None:
    def late(execute: Callable[..., object], sql: str, *rest: object) -> object:
        return execute(sql.replace("clock_timestamp()", "clock_timestamp() - interval '1 hour'"), *rest)

    with connection.execute_wrapper(late):
        assert 3_590 < seconds(site.clock(), "clock: the database's is (.*) s behind") < 3_610


def test_a_clock_of_the_site_that_is_wrong_is_found(server: ChatServer) -> None:
    heard = proxy.hear(server.url, 0, probe.token())
    assert troubles(proxy.headers(server.url, heard)) == []
    heard.headers.replace_header("Date", formatdate(heard.received + 600, usegmt=True))
    # The header has whole seconds.
    assert 599 <= seconds(proxy.headers(server.url, heard), "clock: that of 127.0.0.1 is (.*) s ahead") <= 600


def test_mail_that_is_printed_is_found(settings: Settings) -> None:
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.console.EmailBackend"}}
    only(site.mailer(), "warning: mail: is printed")


class RefusesLogin(socketserver.StreamRequestHandler):
    """A mail server that knows nobody."""

    def handle(self) -> None:
        """Answer each command."""
        self.wfile.write(b"220 here\r\n")
        for line in self.rfile:
            answer = b"250-here\r\n250 AUTH PLAIN\r\n" if line.startswith(b"ehlo") else b"535 who are you\r\n"
            self.wfile.write(answer)


def test_a_mail_server_that_refuses_the_password_is_found(settings: Settings) -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), RefusesLogin) as mail_server:
        threading.Thread(target=mail_server.handle_request, daemon=True).start()
        options = {"host": "127.0.0.1", "port": mail_server.server_address[1], "username": "chat", "password": "wrong"}
        settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": options}}
        only(site.mailer(), "who are you")


def test_a_mail_server_that_is_not_there_is_found(settings: Settings, closed_port: int) -> None:
    settings.MAILERS = {
        "default": {
            "BACKEND": "django.core.mail.backends.smtp.EmailBackend",
            "OPTIONS": {"host": "127.0.0.1", "port": closed_port},
        }
    }
    only(site.mailer(), "failure: mail: ")


def test_a_collector_that_is_not_there_is_found(settings: Settings, closed_port: int) -> None:
    assert troubles(site.watching()) == []
    settings.OTEL_EXPORTER_OTLP_ENDPOINT = f"http://127.0.0.1:{closed_port}"
    only(site.watching(), "warning: watching: 127.0.0.1 cannot be reached")


def test_a_package_that_is_missing_is_found(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.OTEL_EXPORTER_OTLP_ENDPOINT = "http://127.0.0.1:4318"
    monkeypatch.setitem(site.WATCHING, "OTEL_EXPORTER_OTLP_ENDPOINT", "no_such_package")
    only(site.watching(), "no_such_package is not installed")


@pytest.mark.parametrize("dsn", ["https://sentry.example.org/1", "https://key@sentry.example.org"])
def test_a_dsn_that_is_none_is_found(settings: Settings, dsn: str) -> None:
    settings.SENTRY_DSN = dsn
    only(site.watching(), "SENTRY_DSN is not a DSN")


def test_settings_that_are_wrong_for_a_server_are_found(settings: Settings) -> None:
    settings.SECRET_KEY = "short"
    settings.DEBUG = True
    found = "\n".join(troubles(site.of_settings()))
    assert "SECRET_KEY" in found
    assert "DEBUG" in found


def test_a_check_that_breaks_keeps_no_other_from_running(settings: Settings, provider: ScriptedProvider) -> None:
    settings.OPENAI_BASE_URL = provider.url
    settings.STATIC_ROOT = None
    provider.play(reply("Ok."))
    with connection.execute_wrapper(refuse):
        found = list(site.everything())
    broken = [finding.what for finding in found if finding.level == Level.FAILURE]
    assert any(what.startswith("database: ") for what in broken)
    assert any(what.startswith("static files: ") for what in broken)
    assert any(finding.what.startswith("model: ") and finding.level == Level.OK for finding in found)


def refuse(*args: object) -> object:
    raise ConnectionRefusedError("The database is away.")
