"""A reply as events, read again from where it broke off."""

import pytest

from conversations.errors.table import sentence_of
from conversations.models import Conversation, Message, Role, Status
from tests.api.program import Event, Program
from tests.factories import ReplyFactory, exchange
from tests.kit.provider import ScriptedProvider, error, reply, stream
from tests.kit.provider.script import END, Gate, Text
from tests.kit.server import ChatServer

pytestmark = pytest.mark.django_db(transaction=True)


def text(events: list[Event]) -> str:
    return "".join(event.data["text"] for event in events if event.name == "text.delta")


def test_a_reply_is_seen_growing(program: Program, module_provider: ScriptedProvider) -> None:
    module_provider.play(stream(Text("Grüße"), Gate("more"), Text(", \U0001f600 Ada\n"), *END))
    with program.events("chat", {"message": "Hello"}) as events:
        started = next(events)
        assert (started.name, started.id) == ("message.started", 0)
        first = next(events)
        assert (first.name, first.id, first.data) == ("text.delta", 5, {"text": "Grüße"})
        module_provider.gate("more").open()
        *rest, completed = events
    whole = "Grüße, \U0001f600 Ada\n"
    assert text([first, *rest]) == whole
    assert (completed.name, completed.id) == ("message.completed", len(whole))
    assert completed.data == {
        "response": whole,
        "conversation_id": str(Conversation.objects.get().pk),
        "message_id": started.data["message_id"],
        "status": "complete",
        "finish_reason": "stop",
    }


def test_a_failure_is_an_event(program: Program, module_provider: ScriptedProvider) -> None:
    module_provider.play(error(401, "no"))
    with program.events("chat", {"message": "Hello"}) as events:
        *_, last = events
    assert last.name == "error"
    assert (last.data["status"], last.data["code"]) == (502, "provider_key")
    assert last.data["detail"] == sentence_of("provider_key")
    assert last.data["message_id"] == str(Message.objects.get(role=Role.ASSISTANT).pk)


def test_a_stream_goes_on_where_it_broke_off(program: Program, module_provider: ScriptedProvider) -> None:
    module_provider.play(stream(Text("One"), Gate("more"), Text(" two"), Gate("end"), Text(" three"), *END))
    with program.events("chat", {"message": "Hello"}) as events:
        started = next(events)
        first = next(events)
    with program.events(f"messages/{started.data['message_id']}/stream", Last_Event_ID=str(first.id)) as events:
        assert next(events).id == first.id
        module_provider.gate("more").open()
        second = next(events)
    assert (second.data, second.id) == ({"text": " two"}, 7)
    module_provider.gate("end").open()
    with program.events(f"messages/{started.data['message_id']}/stream", Last_Event_ID="7") as events:
        rest = list(events)
    assert text([first, second, *rest]) == "One two three" == rest[-1].data["response"]


def test_another_process_goes_on_where_the_first_one_broke_off(
    program: Program, module_provider: ScriptedProvider
) -> None:
    module_provider.play(stream(Text("One"), Gate("more"), Text(" two"), Gate("end"), Text(" three"), *END))
    with ChatServer(OPENAI_BASE_URL=module_provider.url) as other:
        elsewhere = Program(other, program.user)
        with program.events("chat", {"message": "Hello"}) as events:
            started = next(events)
            first = next(events)
            module_provider.gate("more").open()
            second = next(events)
        path = f"messages/{started.data['message_id']}/stream"
        # What the first process has sent, the database may not have yet.
        with elsewhere.events(path, Last_Event_ID=str(second.id)) as events:
            next(events)
            module_provider.gate("end").open()
            rest = list(events)
    assert text([first, second, *rest]) == "One two three" == rest[-1].data["response"]


@pytest.mark.parametrize("offset", [0, 4, 13])
def test_a_reply_that_has_ended_is_given_from_there_on(
    program: Program, module_provider: ScriptedProvider, offset: int
) -> None:
    module_provider.play(reply("One two three"))
    message = program.say("Hello").json["message_id"]
    with program.events(f"messages/{message}/stream", Last_Event_ID=str(offset)) as events:
        seen = list(events)
    assert text(seen) == "One two three"[offset:]
    assert seen[-1].name == "message.completed"


def test_a_reply_that_was_made_anew_is_given_from_its_beginning(program: Program) -> None:
    conversation = Conversation.objects.create(user=program.user, title="Old")
    message = exchange(conversation, "Hello", "Short")
    with program.events(f"messages/{message.pk}/stream", Last_Event_ID="99") as events:
        seen = list(events)
    assert [(event.name, event.id) for event in seen] == [
        ("message.started", 99),
        ("message.started", 0),
        ("text.delta", 5),
        ("message.completed", 5),
    ]


def test_reasoning_that_came_as_text_is_void_once_its_end_comes(
    program: Program, module_provider: ScriptedProvider
) -> None:
    module_provider.play(stream(Text("The sky?\n"), Gate("more"), Text("</think>\n\nIt is"), Text(" blue."), *END))
    with program.events("chat", {"message": "Hello"}) as events:
        started, first = next(events), next(events)
        assert first.data == {"text": "The sky?\n"}
        module_provider.gate("more").open()
        again, *rest = events
    assert (again.name, again.id, again.data) == ("message.started", 0, started.data)
    assert text(rest) == "It is blue." == rest[-1].data["response"]


def test_the_tools_that_a_reply_called_are_told_before_its_end(program: Program) -> None:
    conversation = Conversation.objects.create(user=program.user, title="Tools")
    message = exchange(conversation, "How warm is it?", "21 degrees.")
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    Message.objects.filter(pk=message.pk).update(tool_calls=[call])
    with program.events(f"messages/{message.pk}/stream") as events:
        seen = list(events)
    assert [event.name for event in seen] == ["message.started", "text.delta", "tool.call", "message.completed"]
    assert (seen[2].data["id"], seen[2].data["name"], seen[2].data["arguments"]) == ("call_1", "weather", {})


@pytest.mark.parametrize("place", ["-1", "x", "1.5", "1_0", "9" * 30])
def test_a_place_that_is_none_is_refused(program: Program, place: str) -> None:
    conversation = Conversation.objects.create(user=program.user, title="Old")
    message = ReplyFactory.create(conversation=conversation, generation__status=Status.COMPLETE)
    answer = program.get(f"messages/{message.pk}/stream", Last_Event_ID=place)
    assert answer.problem == (422, "invalid")
    assert answer.json["errors"][0]["field"] == "Last-Event-ID"
