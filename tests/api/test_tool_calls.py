"""Tool calls through the API: seen in the stream and the history, listed, and decided."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from accounts.models import User
from conversations.models import CallState, Conversation, Generation, Message, Preset, Status, ToolCall
from tests.api.program import Answer, Event, Program
from tests.factories import ConversationFactory, PresetFactory, exchange
from tests.kit.provider import ScriptedProvider, calls, reply
from tests.kit.server import ChatServer
from tests.support.replying import locked, wait_until

pytestmark = pytest.mark.django_db(transaction=True)

MILK = ("add", {"name": "milk"})
NO_MILK = ("remove", {"name": "milk"})


@pytest.fixture(scope="module")
def module_server(django_db_setup: None, module_provider: ScriptedProvider) -> Iterator[ChatServer]:
    """A server whose assistant has tools."""
    with ChatServer(
        OPENAI_BASE_URL=module_provider.url,
        CHAT_TURNS_PER_MINUTE="1000",
        TEST_APPS="tests.support.acting",
        CHAT_APPROVAL_HOURS="24",
    ) as server:
        yield server


def told(events: list[Event]) -> list[tuple[str, str]]:
    """Name and status of the calls in these events."""
    return [(event.data["name"], event.data["status"]) for event in events if event.name == "tool.call"]


def decided(program: Program, call: Any, decision: str = "approve", **fields: object) -> Answer:
    return program.post(f"tool-calls/{call['id']}/decision", {"decision": decision} | fields)


def ended(program: Program, message: Any) -> Any:
    """The last event of the reply's stream."""
    with program.events(f"messages/{message}/stream") as events:
        return list(events)[-1]


def waiting(program: Program, provider: ScriptedProvider) -> Any:
    """A reply that waits for a yes before it removes the milk; afterwards it says “Gone.”."""
    provider.play(calls(MILK, NO_MILK, text="One moment."), reply("Gone."))
    return program.say("Remove it").json


def test_a_reply_with_tools_has_its_calls_in_the_history(program: Program, module_provider: ScriptedProvider) -> None:
    module_provider.play(calls(MILK, ("fly", {}), text="I add it."), reply("Done."))
    said = program.say("Add milk").json
    assert (said["status"], said["response"]) == ("complete", "I add it.\n\nDone.")
    assert "tool_calls" not in said
    question, answer = program.get(f"conversations/{said['conversation_id']}/messages").json
    assert "tool_calls" not in question
    added, unknown = answer["tool_calls"]
    row = ToolCall.objects.get(tool="add")
    assert row.started_at
    assert row.finished_at
    assert added == {
        "id": str(row.pk),
        "name": "add",
        "arguments": {"name": "milk"},
        "status": "done",
        "result": {"text": "Added milk."},
        "error": "",
        "decision": "policy",
        "round": 0,
        "place": 9,
        "created_at": row.created_at.isoformat(),
        "started_at": row.started_at.isoformat(),
        "finished_at": row.finished_at.isoformat(),
    }
    assert (unknown["status"], unknown["result"]) == ("failed", None)
    assert "no tool 'fly'" in unknown["error"]


def test_each_change_of_a_call_is_an_event(program: Program, user: User, module_provider: ScriptedProvider) -> None:
    PresetFactory.create(user=user, name="milk")
    module_provider.play(calls(("change", {"name": "milk"}), text="I change it."), reply("Done."))
    with locked(Preset.objects.all()), program.events("chat", {"message": "Change milk"}) as events:
        seen = [next(events)]
        while "progress" not in seen[-1].data:
            seen.append(next(events))
        running = seen[-1].data
    assert (running["status"], running["progress"], running["result"]) == ("running", "Waiting for the lock", None)
    with program.events(f"messages/{seen[0].data['message_id']}/stream", Last_Event_ID="12") as events:
        late = list(events)
    done = [event.data for event in late if event.name == "tool.call"][-1]
    assert (done["id"], done["status"], done["result"]) == (running["id"], "done", {"text": "Changed."})
    assert late[-1].name == "message.completed"
    assert told(late).count(("change", "done")) == 1


def test_a_viewer_who_connects_late_gets_the_calls_as_they_stand(
    program: Program, module_provider: ScriptedProvider
) -> None:
    module_provider.play(calls(MILK, ("fly", {}), text="I add it."), reply("Done."))
    message = program.say("Add milk").json["message_id"]
    for offset in ("0", "9", "16"):
        with program.events(f"messages/{message}/stream", Last_Event_ID=offset) as events:
            seen = list(events)
        assert told(seen) == [("add", "done"), ("fly", "failed")]
        assert (
            "".join(event.data["text"] for event in seen if event.name == "text.delta")
            == "I add it.\n\nDone."[int(offset) :]
        )


def test_a_reply_that_waits_ends_its_stream_with_the_calls_that_ask(
    program: Program, module_provider: ScriptedProvider
) -> None:
    module_provider.play(calls(MILK, NO_MILK, text="One moment."), reply("Gone."))
    with program.events("chat", {"message": "Remove it"}) as events:
        *before, last = events
    assert before[0].name == "message.started"
    assert dict(told(before)) == {"add": "done", "remove": "waiting"}
    assert last.name == "message.waiting"
    assert (last.data["status"], last.data["response"]) == ("waiting", "One moment.")
    (asked,) = last.data["tool_calls"]
    assert (asked["name"], asked["arguments"]) == ("remove", {"name": "milk"})
    # Whoever looks again sees the same.
    again = ended(program, last.data["message_id"])
    assert (again.name, again.data) == (last.name, last.data)


def test_a_call_that_waits_is_listed_approved_and_made(
    program: Program, user: User, module_provider: ScriptedProvider
) -> None:
    said = waiting(program, module_provider)
    assert (said["status"], said["response"]) == ("waiting", "One moment.")
    (asked,) = said["tool_calls"]
    (listed,) = program.get("tool-calls?status=waiting").json["items"]
    assert listed == asked | {"message_id": said["message_id"], "conversation_id": said["conversation_id"]}
    open_one = program.get(f"conversations/{said['conversation_id']}/messages").json[-1]
    assert (open_one["status"], open_one["content"]) == ("waiting", "One moment.")
    assert [call["status"] for call in open_one["tool_calls"]] == ["done", "waiting"]
    answer = decided(program, asked)
    assert (answer.status, answer.json["id"], answer.json["decision"]) == (200, asked["id"], "person")
    last = ended(program, said["message_id"])
    assert (last.name, last.data["response"]) == ("message.completed", "One moment.\n\nGone.")
    assert not Preset.objects.filter(user=user).exists()
    assert program.get("tool-calls?status=waiting").json["items"] == []


def test_a_declined_call_is_not_made(program: Program, module_provider: ScriptedProvider) -> None:
    said = waiting(program, module_provider)
    answer = decided(program, said["tool_calls"][0], "decline")
    assert (answer.status, answer.json["status"]) == (200, "declined")
    assert ended(program, said["message_id"]).name == "message.completed"
    assert Preset.objects.filter(name="milk").exists()


def test_always_lets_the_tool_run_in_its_conversation(program: Program, module_provider: ScriptedProvider) -> None:
    said = waiting(program, module_provider)
    decided(program, said["tool_calls"][0], always=True)
    assert ended(program, said["message_id"]).name == "message.completed"
    module_provider.play(calls(NO_MILK), reply("Gone again."))
    again = program.say("Once more", conversation_id=said["conversation_id"]).json
    assert (again["status"], again["response"]) == ("complete", "Gone again.")


def test_a_reply_goes_on_without_anybody_who_watches(
    program: Program, user: User, module_provider: ScriptedProvider
) -> None:
    said = waiting(program, module_provider)
    decided(program, said["tool_calls"][0])
    wait_until(lambda: Generation.objects.get(pk=said["message_id"]).status == Status.COMPLETE)
    assert Message.objects.get(pk=said["message_id"]).content == "One moment.\n\nGone."


def test_the_second_of_two_decisions_is_told_that_it_came_late(
    program: Program, module_provider: ScriptedProvider
) -> None:
    said = waiting(program, module_provider)
    (asked,) = said["tool_calls"]
    assert decided(program, asked, "decline").status == 200
    assert decided(program, asked).problem == (409, "already_decided")
    assert Preset.objects.filter(name="milk").exists()


def test_a_decision_that_comes_after_its_time_is_too_late(program: Program, module_provider: ScriptedProvider) -> None:
    said = waiting(program, module_provider)
    (asked,) = said["tool_calls"]
    ToolCall.objects.filter(pk=asked["id"]).update(created_at=timezone.now() - timedelta(hours=25))
    assert program.get("tool-calls?status=waiting").json["items"] == []
    assert decided(program, asked).problem == (409, "already_decided")


def test_what_somebody_else_is_asked_is_neither_seen_nor_decided(
    program: Program, others_program: Program, server: ChatServer, user: User, module_provider: ScriptedProvider
) -> None:
    said = waiting(program, module_provider)
    (asked,) = said["tool_calls"]
    assert others_program.get("tool-calls").json == {"items": [], "next_cursor": None}
    for decision in ("approve", "decline"):
        assert decided(others_program, asked, decision).problem == (404, "not_found")
        assert decided(Program(server, user, token=""), asked, decision).problem == (401, "invalid_token")
    assert Program(server, user, token="").get("tool-calls").problem == (401, "invalid_token")
    path = f"/api/{program.user.pk}/tool-calls"
    assert others_program.get(path).problem[0] in {401, 404}
    assert ToolCall.objects.get(pk=asked["id"]).state == CallState.WAITING


@pytest.mark.parametrize("key", ["00000000-0000-7000-8000-000000000000", "x"])
def test_a_call_that_is_not_there_is_not_found(program: Program, key: str) -> None:
    assert decided(program, {"id": key}).problem == (404, "not_found")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "decision"),
        ({"decision": "perhaps"}, "decision"),
        ({"decision": None}, "decision"),
        ({"decision": "approve", "always": "yes"}, "always"),
        ([], "body"),
    ],
)
def test_a_decision_that_is_none_is_refused(program: Program, body: Any, field: str) -> None:
    answer = program.post(f"tool-calls/{uuid4()}/decision", body)
    assert answer.problem == (422, "invalid")
    assert answer.json["errors"][0]["field"] == field


@pytest.mark.parametrize("query", ["status=done", "limit=0", "cursor=x"])
def test_a_list_that_is_none_is_refused(program: Program, query: str) -> None:
    assert program.get(f"tool-calls?{query}").problem == (422, "invalid")


def test_calls_come_in_pages_the_latest_first_without_those_in_the_trash(program: Program, user: User) -> None:
    conversation = ConversationFactory.create(user=user)
    message, away = exchange(conversation, "Hello", "Hi"), exchange(ConversationFactory.create(user=user), "A", "B")
    made = [
        ToolCall.objects.create(message=message, user=user, tool=f"tool{number}", position=number, state="done")
        for number in range(5)
    ]
    ToolCall.objects.create(user=user, origin="mcp", tool="elsewhere", state="done")
    ToolCall.objects.create(message=away, user=user, tool="gone", state="done")
    Conversation.objects.filter(pk=away.conversation_id).update(trashed_at=timezone.now())
    pages = [program.get("tool-calls?limit=4").json]
    while cursor := pages[-1]["next_cursor"]:
        pages.append(program.get(f"tool-calls?limit=4&cursor={cursor}").json)
    names = [item["name"] for page in pages for item in page["items"]]
    assert names == ["elsewhere", *(call.tool for call in reversed(made))]
    first, second = pages[0]["items"][:2]
    assert (first["message_id"], first["conversation_id"]) == (None, None)
    assert second["conversation_id"] == str(conversation.pk)


def test_whatever_an_older_message_holds_is_given_as_the_schema_says(program: Program, user: User) -> None:
    message = exchange(ConversationFactory.create(user=user), "How warm is it?", "21 degrees.")
    odd = [{"id": 7, "name": ["x"], "arguments": 3, "result": [1], "status": "waiting", "place": -1}, "x"]
    Message.objects.filter(pk=message.pk).update(tool_calls=odd)
    found = program.get(f"conversations/{message.conversation_id}/messages").json[-1]["tool_calls"]
    assert [(call["id"], call["name"], call["arguments"], call["status"]) for call in found] == [
        ("0", "", {}, "unknown"),
        ("1", "", {}, "unknown"),
    ]
    assert {call["decision"] for call in found} == {"stopped"}
