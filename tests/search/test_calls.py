"""Finding what tools were asked and what they returned, as its owner, a stranger, and staff."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from conversations.models import CallState, Message, ToolCall
from conversations.models.steps import Step, records_of
from conversations.search import searching
from conversations.search.everybody import MESSAGES, scan
from conversations.search.searching import Hit, search
from tests.admin.conftest import READ, Staff, staff
from tests.factories import ConversationFactory, exchange
from tests.models.test_indexes import explain_sql, sequential_scans
from tests.search.test_searching import index_names
from tests.support.elements import read
from tests.support.pages import HTMX

__all__ = ["staff"]

pytestmark = pytest.mark.django_db


def acted(user: User, *calls: dict[str, Any], text: str = "It is done.", **fields: Any) -> Message:
    """A reply that called tools: by default one that added milk."""
    reply = exchange(ConversationFactory.create(user=user, title="Untitled", **fields), "Please", text)
    made = {"tool": "add_task", "arguments": '{"title": "Buy milk"}', "state": CallState.DONE}
    steps = [Step.of(ToolCall(**made | {"result": {"text": "Added to the errands."}} | call)) for call in calls or [{}]]
    Message.objects.filter(pk=reply.pk).update(tool_calls=records_of(steps))
    return reply


def found(user: User, query: str) -> list[Hit]:
    return list(search(user, query).messages)


@pytest.mark.parametrize("query", ["milk", "MILK", "buy", "errands", "add_task", "milk errands", "add task milk"])
def test_what_a_tool_was_asked_and_what_it_returned_is_found(user: User, query: str) -> None:
    reply = acted(user)
    (hit,) = found(user, query)
    assert (hit.message_id, hit.tool, hit.role) == (reply.pk, "add_task", "assistant")
    assert hit.excerpt == "add_task\nBuy milk\nAdded to the errands."


@pytest.mark.parametrize(
    ("call", "query"),
    [
        ({"arguments": '{"to": {"names": ["Zoë", 4711]}}'}, "zoe 4711"),
        ({"arguments": "not JSON: teapot"}, "teapot"),
        ({"state": CallState.FAILED, "result": None, "error": "There is no café."}, "cafe"),
        ({"result": {"text": "name,due\n牛奶,2026", "table": {"columns": ["name"], "rows": [["x"]]}}}, "牛奶"),
    ],
)
def test_every_part_of_a_call_is_searched(user: User, call: dict[str, Any], query: str) -> None:
    acted(user, call)
    assert len(found(user, query)) == 1


@pytest.mark.parametrize(
    "odd", [{}, "milk", 7, [], ["milk"], [7, None], [{"name": 7, "result": ["milk"], "arguments": None}], [[{}]]]
)
def test_whatever_a_message_recorded_can_be_searched(user: User, odd: Any) -> None:
    reply = acted(user, text="Here is milk.")
    Message.objects.filter(pk=reply.pk).update(tool_calls=odd)
    assert [hit.tool for hit in found(user, "milk")] == [""]
    assert found(user, "errands") == []
    assert len(scan(MESSAGES, ("milk",))[1]) == 1


def test_calls_in_openais_form_are_found(user: User) -> None:
    reply = acted(user)
    function = {"name": "weather", "arguments": '{"at": "Lisbon"}'}
    Message.objects.filter(pk=reply.pk).update(tool_calls=[{"id": "call_1", "type": "function", "function": function}])
    (hit,) = found(user, "lisbon")
    assert hit.tool == "weather"


def test_the_hit_says_which_call_it_is(user: User) -> None:
    acted(user, {}, {"tool": "list_tasks", "arguments": "{}", "result": {"text": "Bread, milk"}}, {"tool": "rename"})
    assert [hit.tool for hit in found(user, "bread")] == ["list_tasks"]
    # All words belong to one call.
    assert found(user, "bread errands") == []


def test_a_message_is_found_once(user: User) -> None:
    acted(user, text="I added the milk.")
    (hit,) = found(user, "milk")
    assert (hit.tool, hit.excerpt) == ("", "I added the milk.")


def test_the_index_finds_calls_among_many(user: User) -> None:
    reply = acted(user)
    now = timezone.now()
    filler = [
        Message(
            conversation=reply.conversation,
            user=user,
            role="assistant",
            content="Hay",
            tool_calls=[{"name": "hay"}],
            created_at=now + timedelta(seconds=number),
        )
        for number in range(searching.NEWEST + 1)
    ]
    Message.objects.bulk_create(filler)
    for query in ("milk", "errand", "add_task buy"):
        assert [hit.message_id for hit in found(user, query)] == [reply.pk], query


def test_only_ones_own_calls_are_found_and_not_in_the_trash(user: User, stranger: User) -> None:
    acted(stranger)
    acted(user, trashed_at=timezone.now())
    assert found(user, "milk") == []
    assert found(stranger, "milk")


def test_the_page_shows_the_tool_and_marks_the_words(user: User, signed_in: Client) -> None:
    attack = "<script>alert(1)</script> milk"
    acted(user, {"arguments": "{}", "result": {"text": attack}})
    page = signed_in.get("/search/?q=milk", headers=HTMX).content.decode()
    assert "<mark>milk</mark>" in page
    assert "<script>alert" not in page
    assert "Assistant, add_task" in read(page).text()


@pytest.mark.parametrize("email", ["", "own"])
def test_staff_find_what_tools_were_asked(staff: Staff, user: User, email: str) -> None:  # noqa: F811 (a fixture)
    reply = acted(user)
    page = (
        staff(*READ)
        .get("/admin/conversations/conversation/search/", {"q": "milk", "email": email and user.email})
        .content.decode()
    )
    assert "<mark>milk</mark>" in page
    assert f"?at={reply.pk}#m-{reply.pk}" in page
    assert "assistant, add_task" in page


FILL = """
INSERT INTO accounts_user (id, email, password, is_superuser, is_staff, is_active, date_joined)
SELECT gen_random_uuid(), number || '@example.net', '', false, false, true, now()
FROM generate_series(1, 9) AS number;
INSERT INTO conversations_conversation (id, user_id, title, created_at, updated_at, model, system_prompt)
SELECT gen_random_uuid(), id, 'Title', now(), now(), '', ''
FROM accounts_user, generate_series(1, 100) AS number;
INSERT INTO conversations_message (id, conversation_id, user_id, role, content, created_at, tool_calls)
SELECT gen_random_uuid(), id, user_id, 'assistant', 'Only hay ' || number, now(), {calls}
FROM conversations_conversation, generate_series(1, 20) AS number;
ANALYZE conversations_conversation, conversations_message;
"""
WITH_CALLS = """jsonb_build_array(
    jsonb_build_object('name', 'stack', 'result', jsonb_build_object('text', 'hay ' || number))
)"""


@pytest.mark.parametrize("calls", ["NULL", WITH_CALLS])
def test_calls_are_searched_by_the_indexes_of_messages_that_have_any(user: User, calls: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(FILL.format(calls=calls))
    with CaptureQueriesContext(connection) as captured:
        search(user, "haystack needle")
    plans = [explain_sql(query["sql"]) for query in captured if "chat_call" in query["sql"]]
    used = {name for plan in plans for name in index_names(plan)}
    assert len(plans) == 2
    assert "message_user_with_calls" in used
    assert "message_user_created" not in used
    assert ("message_calls_search" in used) == (calls == WITH_CALLS)
    assert not [scan for plan in plans for scan in sequential_scans(plan)]
