"""Reports of crashes, as Sentry gets them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from accounts.models import User
from conversations.models import Message
from tests.kit.provider import END, Gate, ScriptedProvider, Text, stream
from tests.kit.server import ChatServer
from tests.support.receiver import Receiver, refusing
from tests.support.visitor import Visitor

ASKED, ANSWERED = "saffron from grandmother", "twelve turnips"


@pytest.fixture(scope="module")
def sentry() -> Iterator[Receiver]:
    """A service that takes reports."""
    with Receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def module_server(django_db_setup: None, module_provider: ScriptedProvider, sentry: Receiver) -> Iterator[ChatServer]:
    """A server process that reports its crashes."""
    with ChatServer(
        SENTRY_DSN=f"http://key@127.0.0.1:{sentry.port}/1",
        SENTRY_ENVIRONMENT="tests",
        SENTRY_RELEASE="chatbot@1.2.3",
        OPENAI_BASE_URL=module_provider.url,
        CHAT_MODELS="scripted",
    ) as server:
        yield server


def reports(sentry: Receiver) -> list[dict[str, Any]]:
    """The events in the envelopes that have come."""
    found: list[dict[str, Any]] = []
    for path, body in list(sentry.bodies):
        assert path == "/api/1/envelope/"
        _, *items = body.splitlines()
        found += [
            json.loads(content) for head, content in zip(items[::2], items[1::2], strict=True) if b"event" in head
        ]
    return found


def report(sentry: Receiver, request_id: str, words: str) -> dict[str, Any]:
    """The one report of this request whose message has these words, once it has come."""

    def find() -> dict[str, Any] | None:
        meant = [one for one in reports(sentry) if one["tags"].get("request_id") == request_id]
        return next((one for one in meant if words in one["logentry"]["message"]), None)

    return sentry.wait_for(find)


def test_a_crash_in_a_view_and_one_of_a_reply_are_reported_without_what_was_said(
    server: ChatServer, module_provider: ScriptedProvider, sentry: Receiver, user: User
) -> None:
    module_provider.play(stream(Text(ANSWERED), Gate("held"), *END))
    visitor = Visitor(server, user)
    visitor.post("/", {"message": ASKED}, X_Request_ID="reply-0123456789")
    reply = Message.objects.get(parent__content=ASKED)
    assert module_provider.gate("held").wait_reached()
    with refusing():
        assert visitor.post("/?q=looked-for", {"message": ASKED}, X_Request_ID="view-0123456789").status == 500
        in_view = report(sentry, "view-0123456789", "Internal Server Error")
        module_provider.gate("held").open()
        in_reply = report(sentry, "reply-0123456789", "it will be made again")
    assert in_view["tags"]["path"] == "/"
    assert in_view["user"] == {"id": str(user.pk)}
    assert in_reply["tags"]["message_id"] == str(reply.pk)
    for one in (in_view, in_reply):
        assert (one["release"], one["environment"]) == ("chatbot@1.2.3", "tests")
        values = one["exception"]["values"]
        assert any(value["value"] == "SQLSTATE 23514 no_food" for value in values)
        frames = [frame for value in values for frame in value["stacktrace"]["frames"]]
        assert {"turns.py", "leases.py"} & {frame["filename"].rpartition("/")[2] for frame in frames}
        assert not any("vars" in frame for frame in frames)
        assert not {"request", "breadcrumbs", "extra"} & one.keys()
    sent = b"".join(body for _, body in sentry.bodies).decode()
    for secret in ("saffron", "turnips", "looked-for", "example.org", user.password):
        assert secret not in sent
