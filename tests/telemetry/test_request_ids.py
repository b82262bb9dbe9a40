"""The id by which a request is followed: from its answer's header to the stored reply, the logs and the provider."""

import re

import pytest

from accounts.models import User
from chatbot.telemetry import origin
from conversations.models import Generation
from tests.kit.provider import ScriptedProvider, error
from tests.kit.server import ChatServer
from tests.support.viewer import Stream
from tests.support.visitor import Visitor

ASKED_WITH = "proxy-0123456789abcdef"


def test_an_answer_names_its_request(server: ChatServer) -> None:
    for path in ("/healthz", "/static/missing.css", "/accounts/login/"):
        made = Visitor(server).get(path).headers[origin.HEADER]
        assert re.fullmatch("[0-9a-f]{32}", made), path
    assert Visitor(server).get("/healthz", X_Request_ID=ASKED_WITH).headers[origin.HEADER] == ASKED_WITH


@pytest.mark.parametrize(
    "given", ["", "short", "x" * 65, "with a space in it", "somebody@example.org", "new\tline-line"]
)
def test_an_id_that_is_not_well_formed_is_replaced(given: str) -> None:
    assert len(origin.id_for([(b"x-request-id", given.encode())])) == 32


def test_the_id_of_a_turn_reaches_the_stored_reply_and_the_provider(
    server: ChatServer, module_provider: ScriptedProvider, user: User
) -> None:
    module_provider.play(error(401, "no", headers={"X-Request-ID": "req_0123456789"}))
    visitor = Visitor(server, user)
    visitor.post("/", {"message": "Hello"}, X_Request_ID=ASKED_WITH)
    generation = Generation.objects.select_related("message").get()
    # Whoever watches, with whatever id: the reply is the turn's.
    with Stream(server, user, generation.message) as viewer:
        viewer.last()
    assert generation.request_id == ASKED_WITH
    (asked,) = module_provider.chats
    assert asked.headers["x-request-id"] == asked.headers["x-client-request-id"] == ASKED_WITH

    stored = Generation.objects.get()
    assert stored.error_detail.endswith("(the provider's request req_0123456789)")

    retried = f"/messages/{generation.pk}/retry/"
    answer = visitor.post(retried, X_Request_ID="retry-0123456789abcdef")
    assert answer.headers[origin.HEADER] == "retry-0123456789abcdef"
    generation.refresh_from_db()
    assert generation.request_id == "retry-0123456789abcdef"
    # The provider is asked by nobody any more when the next test begins.
    with Stream(server, user, generation.message) as viewer:
        viewer.last()
