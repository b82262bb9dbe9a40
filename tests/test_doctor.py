"""`manage.py doctor` finds what is wrong with an installation, and says what to do."""

import io
import socket
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection
from pytest_django import Settings

from chatbot import probe
from conversations.management.doctor import proxy, site
from conversations.management.doctor.findings import Finding, Level
from tests.provider import ScriptedProvider, reply
from tests.proxy import Fault, FaultyProxy
from tests.server import ChatServer

PAUSE = 1.0


def troubles(findings: Iterable[Finding]) -> list[str]:
    """What is not as it should be; for each there is something to do."""
    bad = [finding for finding in findings if finding.level != Level.OK]
    assert all(finding.advice for finding in bad)
    return [f"{finding.level}: {finding.what}" for finding in bad]


def only(findings: Iterable[Finding], words: str) -> None:
    (trouble,) = troubles(findings)
    assert words in trouble


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


# --- What this machine can see ----------------------------------------------------------------------------------------


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


WELL = dict.fromkeys(site.MUST_BE_ON, "on") | {"max_connections": "100", "log_min_error_statement": "panic"}


@pytest.mark.django_db
def test_a_database_as_it_should_be_is_ok() -> None:
    # What tests write need not survive a power cut.
    assert all(" is off" in trouble for trouble in troubles(site.database()))
    assert troubles(site.of_database_settings(WELL)) == []


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        *((name, "off", f"{name} is off") for name in site.MUST_BE_ON),
        ("max_connections", "12", "one process may take"),
        ("log_min_error_statement", "error", "what people said"),
    ],
)
def test_a_setting_of_the_database_that_hurts_is_found(name: str, value: str, words: str) -> None:
    only(site.of_database_settings(WELL | {name: value}), words)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("DELETE FROM django_migrations WHERE name = '0004_window'", "not applied: conversations.0004_window"),
        ("DROP INDEX conversation_updated", "missing or invalid indexes: conversation_updated"),
        ("SET LOCAL synchronous_commit = off", "synchronous_commit is off"),
    ],
)
@pytest.mark.django_db
def test_a_fault_of_the_database_is_found(fault: str, words: str) -> None:
    execute(fault)
    assert any(words in trouble for trouble in troubles(site.database()))


def test_a_model_that_answers_is_ok_and_was_really_asked(settings: Settings, provider: ScriptedProvider) -> None:
    settings.OPENAI_BASE_URL = provider.url
    provider.play(reply("Ok."))
    assert troubles(site.model()) == []
    assert len(provider.chats) == 1


def test_a_model_that_cannot_be_reached_is_found(settings: Settings) -> None:
    settings.OPENAI_BASE_URL = f"http://127.0.0.1:{closed_port()}/v1"
    settings.CHAT_RETRIES = 0
    settings.CHAT_MODELS = ["large"]
    only(site.model(), "failure: model: ")


def test_static_files_that_were_not_collected_are_found(settings: Settings, tmp_path: Path) -> None:
    settings.STATIC_ROOT = tmp_path
    only(site.static_files(), "is not collected")


def test_a_clock_that_is_wrong_is_found() -> None:
    only([site.clock_finding(90, "the database's")], "90 s ahead")
    only([site.clock_finding(-90, "the database's")], "90 s behind")
    assert troubles([site.clock_finding(0.5, "the database's")]) == []


def test_a_mail_server_that_is_not_there_is_found(settings: Settings) -> None:
    settings.MAILERS = {
        "default": {
            "BACKEND": "django.core.mail.backends.smtp.EmailBackend",
            "OPTIONS": {"host": "127.0.0.1", "port": closed_port()},
        }
    }
    only(site.mailer(), "failure: mail: ")


def test_a_collector_that_is_not_there_is_found(settings: Settings) -> None:
    assert troubles(site.watching()) == []
    settings.OTEL_EXPORTER_OTLP_ENDPOINT = f"http://127.0.0.1:{closed_port()}"
    only(site.watching(), "warning: watching: 127.0.0.1 cannot be reached")


def test_settings_that_are_wrong_for_a_server_are_found(settings: Settings) -> None:
    settings.SECRET_KEY = "short"
    settings.DEBUG = True
    found = "\n".join(troubles(site.of_settings()))
    assert "SECRET_KEY" in found
    assert "DEBUG" in found


def test_a_check_that_breaks_keeps_no_other_from_running(settings: Settings, provider: ScriptedProvider) -> None:
    settings.OPENAI_BASE_URL = provider.url
    settings.STATICFILES_DIRS = ["/missing"]
    provider.play(reply("Ok."))
    with connection.execute_wrapper(refuse):
        found = list(site.everything())
    broken = [finding.what for finding in found if finding.level == Level.FAILURE]
    assert any(what.startswith("database: ") for what in broken)
    assert any(what.startswith("static files: ") for what in broken)
    assert any(finding.what.startswith("model: ") and finding.level == Level.OK for finding in found)


def refuse(*args: object) -> object:
    raise ConnectionRefusedError("The database is away.")


# --- The way to the site ----------------------------------------------------------------------------------------------


def test_a_proxy_that_does_everything_right_is_ok(server: ChatServer) -> None:
    with FaultyProxy(server.url, Fault()) as found:
        assert troubles(proxy.everything(found.url, pause=PAUSE)) == []


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(buffers=True), "events are held back"),
        (Fault(caches=True), "keeps answers"),
        (Fault(answers={"Age": "3"}), "keeps answers"),
        (Fault(silence=PAUSE / 4), "it is cut"),
        (Fault(headers={"X-Forwarded-Proto": "https"}), "takes the request for https"),
        (Fault(headers={"Host": "localhost"}), "sees the host localhost"),
        (Fault(headers={"Host": "elsewhere.example.org"}), "refuses the host"),
        (Fault(answers={"Content-Encoding": "gzip"}), "compressed"),
        (Fault(status=502), "502"),
        (Fault(status=504), "gave up waiting"),
    ],
)
def test_a_fault_of_the_proxy_is_found(server: ChatServer, fault: Fault, words: str) -> None:
    with FaultyProxy(server.url, fault) as found:
        assert any(words in trouble for trouble in troubles(proxy.everything(found.url, pause=PAUSE)))


def test_everybody_coming_from_the_proxys_address_is_found(server: ChatServer) -> None:
    heard = proxy.hear(server.url, 0, probe.token())
    heard.arrived["host"] = "chat.example.org"
    assert "all share one limit" in troubles(proxy.headers("http://chat.example.org", heard))[0]


def test_a_site_that_is_not_there_is_found() -> None:
    only(proxy.everything(f"http://127.0.0.1:{closed_port()}"), "cannot be reached")


def test_the_probe_is_no_page_for_others(server: ChatServer, client: Callable[..., object]) -> None:
    from tests.visitor import Visitor

    for query in ("", "?token=", "?token=made-up"):
        assert Visitor(server).get(f"/probe{query}").status == 404


def test_the_command_writes_a_line_for_each_check_and_fails_if_one_does(
    server: ChatServer, settings: Settings, provider: ScriptedProvider
) -> None:
    settings.OPENAI_BASE_URL = provider.url
    provider.play(reply("Ok."))
    output = io.StringIO()
    with FaultyProxy(server.url, Fault(buffers=True)) as found, pytest.raises(SystemExit) as ended:
        call_command("doctor", found.url, f"--pause={PAUSE}", stdout=output)
    assert ended.value.code == 1
    assert "ok       model: " in output.getvalue()
    assert "failure  stream: events are held back" in output.getvalue()
    assert "proxy_buffering off" in output.getvalue()
