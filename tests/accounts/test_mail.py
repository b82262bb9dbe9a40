"""Mail: no request waits for it, whatever the mail server does; without a server, what needs mail says so."""

import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from django.core import mail
from django.core.cache import cache
from django.core.mail import EmailMessage
from django.core.mail.backends.smtp import EmailBackend
from django.test import Client
from pytest_django import Settings

from accounts import outbox
from accounts.models import User
from accounts.outbox import Outbox
from tests.factories import UserFactory
from tests.kit.server import ROOT, ChatServer
from tests.support.post_office import PostOffice, links
from tests.support.replying import wait_until
from tests.support.visitor import Visitor

RESET = "/accounts/password/reset/"


@pytest.fixture(autouse=True)
def no_tries(request: pytest.FixtureRequest) -> None:
    """Nobody has asked for mail yet."""
    if request.node.get_closest_marker("django_db"):
        request.getfixturevalue("db")
        cache.clear()


def message(subject: str = "Hello") -> EmailMessage:
    return EmailMessage(subject, "Words.", "chat@example.org", ["ada@example.org"])


def sender(office: PostOffice) -> outbox.Send:
    def send(message: EmailMessage) -> None:
        EmailBackend(alias="default", host="127.0.0.1", port=office.port, timeout=10).send_messages([message])

    return send


@pytest.mark.django_db(transaction=True)
def test_a_mute_mail_server_stops_nobody_and_tells_nothing() -> None:
    with PostOffice(is_mute=True) as office, ChatServer(EMAIL_URL=office.url, WEB_THREADS="2") as server:
        User.objects.all().delete()
        UserFactory.create(email="ada@example.org")
        visitor = Visitor(server)
        # More than there are threads, each of which would wait for as long as the server is mute.
        answers = [visitor.post(RESET, {"email": "ada@example.org"}) for _ in range(4)]
        answers += [visitor.post(RESET, {"email": f"nobody{number}@example.org"}) for number in range(2)]
        assert {(answer.status, answer.headers["Location"]) for answer in answers} == {(302, f"{RESET}done/")}
        assert visitor.get("/accounts/login/").status == 200
        assert office.mails == []
        office.speaks.set()
        assert any("/password/reset/key/" in sent for sent in office.wait_for(2))


@pytest.mark.django_db(transaction=True)
def test_mail_that_was_taken_is_sent_before_the_process_ends() -> None:
    with PostOffice() as office:
        with ChatServer(EMAIL_URL=office.url, TEST_MAIL_SECONDS="30") as server:
            User.objects.all().delete()
            UserFactory.create(email="ada@example.org")
            assert Visitor(server).post(RESET, {"email": "ada@example.org"}).status == 302
        (sent,) = office.wait_for(1)
        assert "/password/reset/key/" in "".join(links(sent))


@pytest.mark.django_db(transaction=True)
def test_a_mail_server_that_is_not_there_is_no_error_for_the_person(tmp_path: Path, closed_port: int) -> None:
    log = tmp_path / "log"
    url = f"smtp://127.0.0.1:{closed_port}"
    with ChatServer(EMAIL_URL=url, TEST_MAIL_SECONDS="30", log=log, LOG_FORMAT="json") as server:
        User.objects.all().delete()
        UserFactory.create(email="ada@example.org")
        assert Visitor(server).post(RESET, {"email": "ada@example.org"}).status == 302
    assert "A mail could not be sent" in log.read_text()
    assert "/reset/key/" not in log.read_text()
    assert "ada@example.org" not in log.read_text()


def test_a_mail_that_was_refused_for_now_is_sent_again() -> None:
    with PostOffice("451 later", "421 busy") as office:
        box = Outbox(pauses=(0.0, 0.0, 0.0))
        assert box.take(message(), sender(office))
        assert "Words." in office.wait_for(1)[0]


def test_a_mail_that_was_refused_for_good_is_not_sent_again(caplog: pytest.LogCaptureFixture) -> None:
    with PostOffice("550 never") as office, caplog.at_level(logging.WARNING):
        box = Outbox(threads=1, pauses=(0.0, 0.0, 0.0))
        box.take(message("first"), sender(office))
        box.take(message("second"), sender(office))
        (sent,) = office.wait_for(1)
    assert "Subject: second" in sent
    assert [record.getMessage() for record in caplog.records if "could not be sent:" in record.getMessage()]


def test_a_mail_that_is_never_taken_is_given_up() -> None:
    tries, tired, done = [], threading.Event(), threading.Event()

    def send(message: EmailMessage) -> None:
        tries.append(message)
        if len(tries) == 3:
            tired.set()
        raise ConnectionRefusedError

    def last(message: EmailMessage) -> None:
        done.set()

    box = Outbox(size=1, threads=1, pauses=(0.0, 0.0))
    box.take(message(), send)
    assert tired.wait(60)
    # It has room for another one once that one is given up.
    wait_until(lambda: box.take(message(), last))
    assert done.wait(60)
    assert len(tries) == 3


def test_a_full_outbox_takes_no_more_and_grows_no_further() -> None:
    gate = threading.Event()
    box = Outbox(size=3, threads=2)
    began = threading.active_count()
    assert [box.take(message(), lambda message: gate.wait()) for _ in range(5)] == [True, True, True, False, False]
    assert box.is_full
    assert threading.active_count() <= began + 2
    gate.set()
    box.end(30)
    assert not box.is_full


@pytest.mark.django_db
@pytest.mark.parametrize("email", ["ada@example.org", "nobody@example.org"])
def test_who_needs_mail_while_too_many_wait_reads_a_sentence_whoever_it_is(client: Client, email: str) -> None:
    UserFactory.create(email="ada@example.org")
    outbox.outbox().size = 0
    response = client.post(RESET, {"email": email})
    assert response.status_code == 503
    assert response["Retry-After"]
    assert "Mail cannot be sent right now" in response.content.decode()
    assert client.get(RESET).status_code == 200
    assert not mail.outbox


@pytest.fixture
def no_mail(settings: Settings) -> None:
    settings.MAILERS = {"default": {"BACKEND": "accounts.mail.NowhereBackend"}}


@pytest.mark.django_db
@pytest.mark.usefixtures("no_mail")
def test_without_a_mail_server_what_needs_mail_says_so(client: Client, signed_in: Client, user: User) -> None:
    for response in (client.get(RESET), client.post(RESET, {"email": user.email}), client.get(f"{RESET}done/")):
        assert response.status_code == 404
        assert "This site sends no mail" in response.content.decode()
    assert signed_in.get("/accounts/email/").status_code == 200
    again = signed_in.post("/accounts/email/", {"action_send": "", "email": user.email})
    assert "This site sends no mail" in again.content.decode()


@pytest.mark.usefixtures("no_mail")
def test_a_mail_to_nowhere_leaves_nothing_in_the_log(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG):
        EmailMessage("Secret", "https://chat/accounts/password/reset/key/secret/", to=["ada@example.org"]).send()
    assert "EMAIL_URL is not set" in caplog.text
    for written in (caplog.text, *capfd.readouterr()):
        assert "reset/key" not in written
        assert "ada@" not in written


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("url", ["", "consolemail://"])
def test_production_without_a_mail_server_prints_no_links(tmp_path: Path, url: str) -> None:
    log = tmp_path / "log"
    with ChatServer(EMAIL_URL=url, log=log, LOG_FORMAT="json") as server:
        User.objects.all().delete()
        UserFactory.create(email="ada@example.org")
        answer = Visitor(server).post(RESET, {"email": "ada@example.org"})
        assert answer.status == 404
        assert "This site sends no mail" in answer.text
    assert "reset/key" not in log.read_text()
    assert all(line.startswith("{") for line in log.read_text().splitlines())


@pytest.mark.parametrize(("url", "warnings"), [("", 1), ("consolemail://", 1), ("smtp://mail.example.org", 0)])
def test_the_deployment_check_tells_of_mail_that_goes_nowhere(url: str, warnings: int) -> None:
    command = [sys.executable, "manage.py", "check", "--deploy"]
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "chatbot.settings",
        "ENV_FILE": os.devnull,
        "DEBUG": "false",
        "ALLOWED_HOSTS": "chat.example.org",
        "OPENAI_API_KEY": "x",
        "DATABASE_URL": "postgres://chat:secret@db.example.org/chat",
        "EMAIL_URL": url,
    }
    said = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert said.stderr.count("accounts.W001") == warnings, said.stderr
