"""Tool calls in exports, imports and archives, as their owner."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from accounts import access_tokens
from accounts.models import User
from conversations.models import CallState, Conversation, Generation, Message, Status, ToolCall
from conversations.models.steps import Step, records_of, steps_of
from conversations.search.searching import search
from tests.admin.conftest import member
from tests.api.program import Program
from tests.factories import ConversationFactory, exchange
from tests.kit.server import ChatServer
from tests.support.importing import conversation, document, message, outcomes
from tests.support.visitor import Visitor

pytestmark = pytest.mark.django_db(transaction=True)

BEGAN = datetime(2026, 12, 1, 10, tzinfo=UTC)


def call(**fields: Any) -> ToolCall:
    made = {
        "tool": "add_note",
        "arguments": '{"title": "Milk"}',
        "state": CallState.DONE,
        "result": {"text": "Added."},
    }
    times = {"created_at": BEGAN, "started_at": BEGAN, "finished_at": BEGAN + timedelta(seconds=3)}
    return ToolCall(**made | times | fields)


def acted(user: User, text: str, *calls: ToolCall) -> Message:
    """A reply whose calls are recorded."""
    reply = exchange(ConversationFactory.create(user=user, title="Errands"), "Add milk", text)
    Message.objects.filter(pk=reply.pk).update(tool_calls=records_of(map(Step.of, calls)))
    return reply


def waiting(user: User) -> Message:
    """A reply that waits for its person after two calls."""
    reply = exchange(ConversationFactory.create(user=user, title="Errands"), "Remove milk", "")
    for position, state in enumerate((CallState.DONE, CallState.WAITING)):
        made = call(state=state, message=reply, user=user, position=position, place=11)
        if state == CallState.WAITING:
            made.tool, made.result, made.started_at, made.finished_at = "remove_task", None, None, None
        made.save()
    Generation.objects.filter(pk=reply.pk).update(status=Status.WAITING, rounds=1, draft="One moment.")
    return reply


def exported(visitor: Visitor) -> Any:
    (found,) = json.loads(visitor.get("/export/?format=json").body)["conversations"]
    return found["messages"][1]


def markdown(visitor: Visitor, reply: Message) -> str:
    return visitor.get(f"/c/{reply.conversation_id}/export/?format=markdown").text


def test_the_calls_come_back_as_they_were(owner: Visitor, user: User, server: ChatServer, stranger: User) -> None:
    long = call(result={"text": "y" * 9_000}, arguments=f'{{"title": "{"x" * 9_000}"}}', place=9, round=1)
    failed = call(state=CallState.FAILED, result=None, error="No such task.", place=9, round=1, position=1)
    reply = acted(user, "I look.\n\nDone.", call(place=7), long, failed)
    file = owner.get("/export/?format=json").body
    assert exported(owner)["tool_calls"] == Message.objects.get(pk=reply.pk).tool_calls
    other = Visitor(server, stranger)
    assert outcomes(other.upload("/import/", file)) == ["imported"]
    assert exported(other)["tool_calls"] == exported(owner)["tool_calls"]
    assert not ToolCall.objects.exists()


def test_what_a_reply_has_done_so_far_is_exported_and_waits_for_nobody_after_an_import(
    owner: Visitor, user: User, server: ChatServer, stranger: User
) -> None:
    waiting(user)
    assert [one["status"] for one in exported(owner)["tool_calls"]] == ["done", "waiting"]
    other = Visitor(server, stranger)
    assert outcomes(other.upload("/import/", owner.get("/export/?format=json").body)) == ["imported"]
    imported = Message.objects.select_related("generation").get(user=stranger, role="assistant")
    assert (imported.generation.status, imported.content) == (Status.FAILED, "One moment.")
    assert [(step.tool, step.state, step.is_undecided) for step in steps_of(imported)] == [
        ("add_note", "done", False),
        ("remove_task", "unknown", False),
    ]
    assert imported.tool_calls
    assert [one["status"] for one in imported.tool_calls] == ["done", "unknown"]


def test_markdown_has_each_call_where_it_happened(owner: Visitor, user: User) -> None:
    reply = acted(
        user,
        "I look.\n\nThere it is.",
        call(place=7, started_at=BEGAN),
        call(place=7, state=CallState.FAILED, result=None, error="No such *task*."),
    )
    assert (
        "I look.\n\n"
        '> **Add note** · done after 3 s\n>\n>     add_note({"title": "Milk"})\n>     Added.\n\n'
        '> **Add note** · failed after 3 s\n>\n>     add_note({"title": "Milk"})\n>     No such *task*.\n\n'
        "There it is."
    ) in markdown(owner, reply)


def test_markdown_of_a_reply_that_waits_says_so(owner: Visitor, user: User) -> None:
    text = markdown(owner, waiting(user))
    assert "> **Remove task** · needs approval" in text
    assert "*This reply waited for your decision.*" in text


def test_nothing_of_a_call_is_markdown_and_long_results_are_cut(owner: Visitor, user: User) -> None:
    attack = "# Title\r\n<script>alert(1)</script>\n\n[x](javascript:alert(1))\r" + "y" * 5_000
    named = call(tool="<b>*_[x](y)`", result={"text": attack})
    (quoted,) = [part for part in markdown(owner, acted(user, "Done.", named)).split("\n\n") if part.startswith("> **")]
    head, empty, *code = quoted.splitlines()
    assert head == "> **\\<b\\>\\* \\[x\\](y)\\`** · done after 3 s"
    assert empty == ">"
    assert all(line.startswith(">     ") or line == ">" for line in code)
    assert f"({len(attack):,} characters in all)" in code[-1]
    assert len(quoted) < 2_000


WRONG: list[Any] = [
    None,
    7,
    -1.5,
    True,
    "<img src=x onerror=alert(1)>",
    [],
    [[1]],
    {"a": {"b": [None]}},
    10**15,
    "9999-12-31",
]
FIELDS = ("id", "name", "arguments", "status", "result", "error", "decision", "round", "place")
TIMES = ("created_at", "started_at", "finished_at")
HOSTILE: list[dict[str, Any]] = [
    *({field: wrong} for field in FIELDS for wrong in WRONG),
    *({field: wrong} for field in TIMES for wrong in WRONG),
    {"function": 7},
    {"function": {"name": [], "arguments": {}}},
    {"result": {"text": ["x"], "table": {"columns": 7, "rows": {"a": 1}}, "length": "many"}},
    {"result": {"table": {"columns": ["a"], "rows": [["b"]], "links": ["javascript:alert(1)"]}}},
    {"place": 10**9, "round": 10**9},
    {},
]


def test_whatever_calls_a_file_has_it_is_shown_everywhere(owner: Visitor, user: User, server: ChatServer) -> None:
    deep: Any = "deep"
    for _ in range(50):
        deep = [deep]
    asked = message("Hello")
    said = message(
        "It is done.", parent=asked["id"], role="assistant", tool_calls=[*HOSTILE, {"arguments": {"a": deep}}]
    )
    found = conversation("Hostile", [asked, said])
    assert outcomes(owner.upload("/import/", document(found))) == ["imported"]
    (reply,) = Message.objects.filter(role="assistant")
    assert len(reply.tool_calls or ()) == len(HOSTILE) + 1
    assert not [step for step in steps_of(reply) if step.is_undecided]
    program = Program(server, user, access_tokens.make(user, name="Reader")[1])
    history = program.get(f"conversations/{found['id']}/messages").json
    assert len(history[1]["tool_calls"]) == len(HOSTILE) + 1
    with program.events(f"messages/{reply.pk}/stream") as events:
        assert list(events)[-1].name == "message.completed"
    for path in (f"/c/{found['id']}/", f"/c/{found['id']}/export/?format=markdown", "/export/?format=json"):
        assert owner.get(path).status == 200
    assert search(user, "deep").messages
    staff = Client()
    staff.force_login(member(is_superuser=True))
    transcript = staff.get(f"/admin/conversations/conversation/{found['id']}/change/")
    assert transcript.status_code == 200
    assert "<img src=x" not in transcript.content.decode()


def test_a_file_allows_no_tool_to_run_without_asking(owner: Visitor) -> None:
    found = conversation() | {"tools_off": ["add_note"], "tools_allowed": ["remove_task"]}
    assert outcomes(owner.upload("/import/", document(found))) == ["imported"]
    imported = Conversation.objects.get()
    assert (imported.tools_off, imported.tools_allowed) == (["add_note"], None)


@pytest.mark.parametrize("status", ["proposed", "waiting", "approved", "running", "unknown", "odd"])
def test_an_imported_call_has_ended(owner: Visitor, status: str) -> None:
    asked = message("Hello")
    calls = [{"name": "add_note", "status": status, "decision": ""}, {"name": "add_note", "status": "done"}]
    said = message("Hi", parent=asked["id"], role="assistant", tool_calls=calls)
    owner.upload("/import/", document(conversation("Hello", [asked, said])))
    stored = Message.objects.get(role="assistant").tool_calls
    assert stored == [{"name": "add_note", "status": "unknown", "decision": "stopped"}, calls[1]]


def test_what_a_prune_archives_is_restored_with_its_calls(user: User, tmp_path: Path) -> None:
    reply = acted(user, "Done.", call(), call(state=CallState.DECLINED, result=None, decision="person"))
    ToolCall.objects.create(message=reply, user=user, tool="add_note", state=CallState.DONE)
    before = Message.objects.get(pk=reply.pk).tool_calls
    archive = tmp_path / "archive"
    call_command("prune_conversations", "--older-than=0d", "--archive-to", str(archive), verbosity=0)
    assert not Conversation.objects.exists()
    assert not ToolCall.objects.exists()
    call_command("restore_archive", str(archive), verbosity=0)
    assert Message.objects.get(pk=reply.pk).tool_calls == before
