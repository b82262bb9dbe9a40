"""The served schema: kept by what the server answers to whatever is sent, and drawn as a page."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.test import Client
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.core.parameters import ParameterLocation

from accounts import access_tokens
from chatbot.api import document
from chatbot.web import problems
from conversations.api.site_tools import OF_PROGRAMS
from conversations.models import Message, ToolCall
from conversations.models.steps import Step
from tasks import actions
from tests.factories import ConversationFactory, UserFactory, exchange
from tests.kit.provider import ScriptedProvider, reply
from tests.kit.server import ChatServer

pytestmark = pytest.mark.django_db

EXAMPLES = 12
"""Requests to each address."""


@pytest.fixture(scope="module")
def own(django_db_setup: None, django_db_blocker: Any) -> Iterator[dict[str, str]]:
    """A server's `schema`, a person's `token`, and keys of what is theirs; taken away at the end."""
    with ScriptedProvider() as provider, django_db_blocker.unblock():
        provider.always(reply("Hi"))
        user = UserFactory.create()
        message = exchange(ConversationFactory.create(user=user), "Hello", "Hi")
        call = ToolCall.objects.create(message=message, user=user, tool="add", state="done", result={"text": "Added."})
        # Of any age and origin: what is recorded has not always had this form.
        Message.objects.filter(pk=message.pk).update(tool_calls=[Step.of(call).record(), {"name": 7}, {"function": {}}])
        with ChatServer(
            OPENAI_BASE_URL=provider.url, CHAT_TURNS_PER_MINUTE="100000", API_REQUESTS_PER_MINUTE="100000"
        ) as server:
            yield {
                "server": server.url,
                "token": access_tokens.make(user, name="Fuzzer")[1],
                "user_id": str(user.pk),
                "conversation_id": str(message.conversation_id),
                "message_id": str(message.pk),
                "call_id": str(call.pk),
                "task_id": str(actions.add(user, title="Buy milk").pk),
            }
        user.delete()


schema = schemathesis.openapi.from_dict(document())


def is_wrong_in_path(case: Case[Any]) -> bool:
    """Whether something in the path is wrong on purpose, alone or beside something elsewhere."""
    mutations = getattr(case.meta.phase.data, "mutations", None) or () if case.meta else ()
    is_mutated = any(mutation.parameter_location == ParameterLocation.PATH for mutation in mutations)
    return is_mutated or bool(case.meta and case.meta.is_negative_at(ParameterLocation.PATH))


def leave_out_own_tools(case: Case[Any]) -> None:
    """Take a program's own tools out of a valid body beside the site's: no schema says that they exclude each other."""
    is_valid = case.meta and not case.meta.is_negative_at(ParameterLocation.BODY)
    if is_valid and isinstance(case.body, dict) and "X-Tools" in (case.headers or {}):
        case.body = {name: value for name, value in case.body.items() if name not in OF_PROGRAMS}


@schema.parametrize()
@settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None
)
def test_whatever_is_sent_is_answered_as_the_schema_says(case: Case[Any], own: dict[str, str]) -> None:
    # Made-up keys find nothing: what is sent is about things that are there.
    if not is_wrong_in_path(case):
        case.path_parameters |= {name: own[name] for name in case.path_parameters if name in own}
    leave_out_own_tools(case)
    case.call_and_validate(own["server"], headers={"Authorization": f"Bearer {own['token']}"})


def test_the_schema_is_served(client: Client) -> None:
    assert client.get("/api/openapi.json").json() == json.loads(json.dumps(document()))


def test_every_problem_is_explained_on_a_page_without_scripts(client: Client) -> None:
    page = client.get("/api/docs").content.decode()
    for code in problems.kinds():
        assert f'id="{code}"' in page
    for path in document()["paths"]:
        assert path in page
    for scheme in ("http://", "https://", "//cdn"):
        assert f'src="{scheme}' not in page


def test_each_operation_tells_its_errors_and_shows_an_example() -> None:
    assert document()["openapi"].startswith("3.1")
    for path, operations in document()["paths"].items():
        for method, details in operations.items():
            assert details["summary"], path
            assert any(int(status) >= 400 for status in details["responses"]), (method, path)
            assert details.get("security") or path.startswith("/api/token"), path
