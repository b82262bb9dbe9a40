"""Tool calls as their message records them, and as they are read from there."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from conversations.models import CallState, Generation, Message, Status, ToolCall
from conversations.models.steps import RECORDS_MAX_CHARS, Step, recorded_steps, records_of, steps_of
from tests.factories import ConversationFactory, exchange

BEGAN = datetime(2026, 12, 1, 10, tzinfo=UTC)

WRONG: list[Any] = [None, 7, -1, 1.5, True, "", "x", [], [1], {}, {"a": 1}, 10**40]
FIELDS = (
    *("id", "name", "arguments", "status", "result", "error", "decision", "round", "place", "function"),
    *("created_at", "started_at", "finished_at"),
)


def call(**fields: Any) -> ToolCall:
    """A call that added milk."""
    times = {"created_at": BEGAN, "started_at": BEGAN, "finished_at": BEGAN + timedelta(seconds=2)}
    made = {"tool": "add", "arguments": '{"name": "milk"}', "state": CallState.DONE, "result": {"text": "Added."}}
    return ToolCall(**made | times | fields)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"state": CallState.FAILED, "result": None, "error": "No."},
        {"arguments": "not JSON"},
        {"arguments": ""},
        {"arguments": "x" * 100_000},
        {"result": {"text": "y" * 100_000}},
        {"result": {"text": "a,b", "table": {"columns": ["a"], "rows": [["b"]], "links": ["/b/"]}}},
        {"result": {"text": '{"b": 1}', "data": {"b": 1}}},
    ],
)
def test_what_is_recorded_is_read_and_recorded_again_without_a_change(fields: dict[str, Any]) -> None:
    record = Step.of(call(place=9, round=1, decision="policy", **fields)).record()
    read = Step.recorded(json.loads(json.dumps(record)), 0)
    assert read.record() == record
    assert read.seconds == 2
    assert len(json.dumps(record)) < 30_000


def test_a_long_result_says_how_long_it_was() -> None:
    result = Step.of(call(result={"text": "y" * 100_000})).record()["result"]
    assert (len(result["text"]), result["length"]) == (4_000, 100_000)


@pytest.mark.parametrize(
    "arguments",
    [
        '{"a": "\\u0000"}',
        '{"\\u0000": 1}',
        '{"a": "\\ud800"}',
        '{"a": NaN}',
        '{"a": 1e999}',
        f'{{"a": {"[" * 500}{"]" * 500}}}',
        f'{{"a": {"[" * 9_000}{"]" * 9_000}}}',
        f'{{"a": [{"1, " * 2_000}1]}}',
    ],
)
@pytest.mark.django_db
def test_arguments_that_no_database_holds_are_recorded_as_text(user: User, arguments: str) -> None:
    message = exchange(ConversationFactory.create(user=user), "Hello", "Hi")
    records = records_of([Step.of(call(arguments=arguments))])
    Message.objects.filter(pk=message.pk).update(tool_calls=records)
    message.refresh_from_db()
    (step,) = steps_of(message)
    assert step.arguments == arguments


def test_a_message_records_a_bounded_amount_however_many_calls_it_has() -> None:
    many = [Step.of(call(arguments="x" * 10_000, result={"text": "y" * 10_000})) for _ in range(500)]
    records = records_of(many)
    assert len(records) == 500
    assert len(json.dumps(records)) < RECORDS_MAX_CHARS
    assert records[0]["result"] == {"text": "y" * 200, "length": 10_000}


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_a_record_of_the_wrong_kind_is_read_as_far_as_it_makes_sense(field: str, wrong: Any) -> None:
    record = Step.of(call()).record() | {field: wrong}
    step = Step.recorded(record, 3)
    assert not step.is_undecided
    assert json.dumps(step.record())
    assert step.seconds is None or step.seconds >= 0
    assert isinstance(step.tool, str)
    assert (step.place, step.round) >= (0, 0)


@pytest.mark.parametrize(
    "result",
    [
        {"text": 7},
        {"table": {"columns": [], "rows": []}},
        {"table": {"columns": ["a"], "rows": [["b", "c"]]}},
        {"table": {"columns": ["a"], "rows": [[{"b": 1}]]}},
        {"table": {"columns": ["a"], "rows": [["b"]], "links": [7]}},
        {"table": {"columns": ["a"], "rows": [["b"]], "odd": 1}},
        {"length": -1, "is_cut": "yes"},
    ],
)
def test_a_result_of_the_wrong_kind_has_no_more_than_a_text(result: dict[str, Any]) -> None:
    assert Step.recorded({"result": result}, 0).result == {"text": ""}


@pytest.mark.parametrize("records", [None, {}, "calls", 7, True])
def test_what_is_no_list_of_calls_has_no_steps(records: Any) -> None:
    assert recorded_steps(records) == []


def test_a_call_that_is_no_object_is_a_step_without_anything() -> None:
    (step,) = recorded_steps(["look"])
    assert (step.key, step.tool, step.state, step.is_undecided) == ("0", "", "unknown", False)


@pytest.mark.parametrize("status", ["proposed", "waiting", "approved", "running", "unknown", "odd", None])
def test_a_recorded_call_waits_for_nobody(status: str | None) -> None:
    step = Step.recorded({"name": "add", "status": status, "decision": ""}, 0)
    assert (step.state, step.decision, step.is_undecided) == ("unknown", "stopped", False)


def test_a_call_in_openais_form_is_read() -> None:
    named = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"at": "sea"}'}}
    step = Step.recorded(named, 0)
    assert (step.key, step.tool, step.arguments) == ("call_1", "weather", '{"at": "sea"}')


@pytest.mark.django_db
def test_the_steps_of_an_open_reply_are_its_rows(user: User, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    message = exchange(ConversationFactory.create(user=user), "Hello", "")
    ToolCall.objects.create(message=message, user=user, tool="add", state=CallState.WAITING)
    Generation.objects.filter(pk=message.pk).update(status=Status.WAITING, rounds=1)
    read = Message.objects.select_related("generation").get(pk=message.pk)
    with django_assert_num_queries(1):
        (step,) = steps_of(read)
    assert step.is_undecided
    Generation.objects.filter(pk=message.pk).update(status=Status.COMPLETE)
    read = Message.objects.select_related("generation").get(pk=message.pk)
    with django_assert_num_queries(0):
        assert steps_of(read) == []
