"""Log lines: what they tell, and that nothing which people or models said is among it."""

import json
import logging
import re
import smtplib
import time
from collections.abc import Callable, Iterator
from contextvars import copy_context
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.db import DataError, IntegrityError, connection, transaction

from accounts.models import User
from chatbot.core import faults
from chatbot.telemetry import origin
from chatbot.telemetry.logs import JSONFormatter, TextFormatter
from conversations.models import Generation, Message, Status
from tests.api.program import Program
from tests.factories import PASSWORD
from tests.kit.provider import END, Gate, ScriptedProvider, Text, error, stream
from tests.kit.server import ChatServer
from tests.support.receiver import refusing
from tests.support.viewer import Stream
from tests.support.visitor import Visitor

WAIT_SECONDS = 20.0
ASKED = "saffron from grandmother"
ANSWERED = "twelve turnips"
SECRETS = (
    ASKED,
    "saffron",
    ANSWERED,
    "turnips",
    PASSWORD,
    "wrong-password",
    "example.org",
    "sk-very-secret",
    "looked-for",
)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file to which the module's server logs."""
    return tmp_path_factory.mktemp("log") / "server.log"


@pytest.fixture(scope="module")
def module_server(django_db_setup: None, module_provider: ScriptedProvider, log: Path) -> Iterator[ChatServer]:
    """A server process that logs as much as it can."""
    with ChatServer(
        log=log,
        LOG_FORMAT="json",
        LOG_LEVEL="DEBUG",
        # The client's own switch.
        OPENAI_LOG="debug",
        OPENAI_API_KEY="sk-very-secret",
        OPENAI_BASE_URL=module_provider.url,
        CHAT_MODELS="scripted",
        CHAT_RETRIES="1",
    ) as server:
        yield server


def lines(log: Path) -> list[dict[str, Any]]:
    whole, _, _ = log.read_text().rpartition("\n")
    return [json.loads(line) for line in whole.splitlines()]


def told(log: Path, is_meant: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The one line that is meant, once it is there."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not (found := [line for line in lines(log) if is_meant(line)]):
        assert time.monotonic() < deadline, log.read_text()
    (line,) = found
    return line


def test_no_line_tells_what_was_said(
    server: ChatServer, module_provider: ScriptedProvider, user: User, log: Path
) -> None:
    visitor = Visitor(server, user)
    sign_in = {"login": user.email, "password": "wrong-password"}
    Visitor(server).post("/accounts/login/", sign_in)
    Visitor(server).post("/accounts/login/", sign_in | {"password": PASSWORD})
    visitor.get("/search/?q=looked-for")
    module_provider.play(
        stream(Text(ANSWERED), *END),
        error(500, f"cannot answer {ASKED} for sk-very-secret"),
        error(400, f"cannot answer {ASKED} for sk-very-secret"),
        stream(Text(ANSWERED), Gate("held"), *END),
    )
    for expected in (Status.COMPLETE, Status.FAILED):
        visitor.post("/", {"message": f"{expected}: {ASKED}"})
        reply = Message.objects.get(parent__content__startswith=expected)
        with Stream(server, user, reply) as viewer:
            viewer.last()
        assert Generation.objects.get(pk=reply.pk).status == expected

    visitor.post("/", {"message": f"lost: {ASKED}"}, X_Request_ID="lost-0123456789")
    lost = Message.objects.get(parent__content__startswith="lost")
    assert module_provider.gate("held").wait_reached()
    with refusing():
        assert visitor.post("/", {"message": ASKED}, X_Request_ID="crash-0123456789").status == 500
        module_provider.gate("held").open()
        given_up = told(log, lambda line: "it will be made again" in line["message"])
    text = log.read_text()
    for secret in SECRETS:
        assert secret not in text, text[text.index(secret) - 500 :][:1000]

    # The worker's lines lead to the request, the conversation and the reply; the crash's to its place in the code.
    assert given_up["request_id"] == "lost-0123456789"
    assert given_up["message_id"] == str(lost.pk)
    assert given_up["conversation_id"] == str(lost.conversation_id)
    crash = told(log, lambda line: line.get("request_id") == "crash-0123456789" and "exception" in line)
    assert crash["level"] == "ERROR"
    assert crash["user_id"] == str(user.pk)
    assert "turn_rows.py" in crash["exception"]
    assert "SQLSTATE 23514 no_food" in crash["exception"]


def test_a_request_is_one_line_when_its_answer_is_over(
    server: ChatServer, module_provider: ScriptedProvider, user: User, log: Path
) -> None:
    visitor = Visitor(server, user)
    visitor.post("/", {"message": "Hello"}, X_Request_ID="post-0123456789")
    reply = Generation.objects.get()
    with Stream(server, user, reply.message) as viewer:
        viewer.last()
        stream_id = viewer.response.headers[origin.HEADER]
    visitor.get("/accounts/password/reset/key/1-secret/?next=/secret", X_Request_ID="keys-0123456789")

    def line(request_id: str) -> dict[str, Any]:
        return told(log, lambda one: (one["logger"], one.get("request_id")) == ("chatbot.access", request_id))

    post = line("post-0123456789")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", post.pop("time"))
    assert post.pop("duration_ms") > 0
    assert post == {
        "level": "INFO",
        "logger": "chatbot.access",
        "message": "POST / 302",
        "request_id": "post-0123456789",
        "method": "POST",
        "path": "/",
        "route": "conversation-new",
        "status": 302,
        "user_id": str(user.pk),
        "conversation_id": str(reply.conversation_id),
        "message_id": str(reply.pk),
    }
    assert line(stream_id)["path"] == f"/messages/{reply.pk}/stream/"
    assert "secret" not in json.dumps(line("keys-0123456789"))


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/v1/models", "/v1/models"),
        ("/v1/models/org/name/", "/v1/models/<path:model>"),
        ("/api/{user}/conversations?limit=1", "/api/<user_id>/conversations"),
        ("/api/{user}/messages/{key}/stream", "/api/<user_id>/messages/<message_id>/stream"),
        ("/api/openapi.json", "/api/openapi.json"),
        ("/v1/whatever", "api-nothing"),
    ],
)
def test_a_request_of_the_api_is_told_with_the_pattern_of_its_path(
    server: ChatServer, user: User, log: Path, path: str, route: str
) -> None:
    request_id = uuid4().hex
    Program(server, user).get(path.format(user=user.pk, key=uuid4()), X_Request_ID=request_id)
    line = told(log, lambda one: (one["logger"], one.get("request_id")) == ("chatbot.access", request_id))
    assert line["route"] == route


@pytest.mark.django_db
def test_what_the_database_refuses_is_told_without_the_values(user: User) -> None:
    refused: list[BaseException] = []
    statements = [
        (
            "INSERT INTO accounts_user SELECT * FROM accounts_user WHERE id = %s",
            IntegrityError,
            "23505 accounts_user_pkey",
        ),
        ("SELECT 'saffron'::uuid WHERE %s IS NOT NULL", DataError, "22P02"),
    ]
    for statement, kind, words in statements:
        with pytest.raises(kind) as caught, transaction.atomic():
            connection.cursor().execute(statement, [user.pk])
        refused.append(caught.value)
        assert faults.described(caught.value) == f"{kind.__module__}.{kind.__qualname__}: SQLSTATE {words}"
        assert "saffron" not in faults.traced(caught.value)
    assert "saffron" in str(refused[1])


def test_only_words_of_the_system_are_repeated() -> None:
    assert faults.described(OSError(28, "No space left on device")) == "OSError: [Errno 28] No space left on device"
    assert faults.described(psycopg.OperationalError("connection refused")).endswith(
        "OperationalError: connection refused"
    )
    for error_ in (KeyError("saffron"), ValueError("saffron"), psycopg.DataError("saffron")):
        assert "saffron" not in faults.described(error_)
    refused = smtplib.SMTPRecipientsRefused({"saffron@example.org": (550, b"unknown")})
    assert faults.described(refused) == "smtplib.SMTPRecipientsRefused"


@pytest.mark.parametrize("path", ["/accounts/password/reset/key/1-secret/", "/accounts/confirm-email/secret/"])
def test_no_line_has_the_key_in_an_address(path: str) -> None:
    record = logging.LogRecord("django.request", logging.WARNING, "", 0, "%s: %s", ("Not Found", path), None)
    line = JSONFormatter().format(record)
    assert "secret" not in line
    assert json.loads(line)["message"].endswith("/.../")


def test_a_traceback_has_each_exception_that_led_to_it() -> None:
    try:
        try:
            raise ExceptionGroup("saffron", [KeyError("saffron")])
        except ExceptionGroup as group:
            raise RuntimeError("saffron") from group
    except RuntimeError as error_:
        told = faults.traced(error_)
    assert [name for name in ("KeyError", "ExceptionGroup", "RuntimeError") if f"\n{name}\n" in f"{told}\n"]
    assert told.endswith("\nRuntimeError")
    # Lines of the program are shown as they are written; what its variables held is not.
    assert told.replace('("saffron', "").count("saffron") == 0


@pytest.mark.parametrize("formatter", [JSONFormatter(), TextFormatter()])
def test_an_exception_among_a_messages_values_is_described(formatter: logging.Formatter) -> None:
    record = logging.LogRecord("here", logging.ERROR, __file__, 1, "It failed: %s", (ValueError("saffron"),), None)
    assert "It failed: ValueError" in formatter.format(record)
    assert "saffron" not in formatter.format(record)
    frank = type(formatter)(frank=True)  # type: ignore[call-arg] # ours
    assert "It failed: saffron" in frank.format(record)


def test_a_line_for_people_has_the_requests_id() -> None:
    record = logging.LogRecord("here", logging.INFO, __file__, 1, "It is %s", ("done",), None)

    def formatted() -> str:
        origin.begin(request_id="one-0123456789")
        return TextFormatter().format(record)

    line = copy_context().run(formatted)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} INFO here It is done \[one-0123456789\]", line)
