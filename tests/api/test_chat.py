"""Saying something through the API."""

import threading
from uuid import uuid4

import pytest

from accounts.models import User
from conversations.models import Conversation, Generation, Message, Role, Status
from tests.api.program import Answer, Program, said
from tests.factories import ConversationFactory, exchange
from tests.kit.provider import ScriptedProvider, error, reply, stream
from tests.kit.provider.script import END, Close, Gate, Text

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_message_gets_its_reply(program: Program, module_provider: ScriptedProvider) -> None:
    module_provider.play(reply("Hello! How can I help?"))
    answer = program.say("Hello, assistant!")
    assert answer.status == 200, answer.body
    assert answer.json["response"] == "Hello! How can I help?"
    assert answer.json["conversation_id"] == str(Conversation.objects.get().pk)
    assert said(program.user) == ["Hello, assistant!", "Hello! How can I help?"]


def test_a_slash_at_the_end_changes_nothing(program: Program, module_provider: ScriptedProvider) -> None:
    module_provider.play(reply("Hi"))
    answer = program.post("chat/", {"message": "Hello"})
    assert answer.json["response"] == "Hi"
    assert program.get(f"conversations/{answer.json['conversation_id']}/messages/").status == 200


def test_the_model_sees_what_was_said_before(program: Program, module_provider: ScriptedProvider) -> None:
    module_provider.play(reply("Hello, Ada"), reply("Ada"))
    conversation = program.say("I am Ada").json["conversation_id"]
    again = program.say("Who am I?", conversation_id=conversation)
    assert again.json["conversation_id"] == conversation
    messages = module_provider.wait_for_requests(2)[1].json["messages"]
    assert [message["content"] for message in messages][-3:] == ["I am Ada", "Hello, Ada", "Who am I?"]


def test_the_model_sees_the_indent_of_the_first_line(program: Program, module_provider: ScriptedProvider) -> None:
    module_provider.play(reply("Python"))
    program.say("\n    def f():\n        pass\n")
    assert module_provider.wait_for_requests(1)[0].json["messages"][-1]["content"] == "    def f():\n        pass"


def test_the_history_is_a_plain_list_oldest_first(program: Program, module_provider: ScriptedProvider) -> None:
    module_provider.play(reply("Hi"))
    conversation = program.say("Hello").json["conversation_id"]
    question, answer = program.get(f"conversations/{conversation}/messages").json
    assert set(question) == {"id", "role", "content", "created_at"}
    assert (question["role"], question["content"]) == ("user", "Hello")
    assert question["created_at"].endswith("Z")
    assert (answer["role"], answer["content"], answer["status"]) == ("assistant", "Hi", "complete")


def test_a_programs_message_may_be_longer_than_a_persons(program: Program, module_provider: ScriptedProvider) -> None:
    module_provider.play(reply("Long indeed"))
    assert program.say("x" * 60_000).json["response"] == "Long indeed"
    assert program.say("x" * 100_001).json["errors"][0]["message"].startswith("The message is too long: 100,001")


@pytest.mark.parametrize("message", ["", " \n\t ", "\u200b", "x" * 100_001, "a\0b", None, 5, ["a"]])
def test_a_message_that_is_none_is_refused_with_its_field(program: Program, message: object) -> None:
    answer = program.post("chat", {"message": message})
    assert answer.problem == (422, "invalid")
    assert [error["field"] for error in answer.json["errors"]] == ["message"]
    assert not Conversation.objects.exists()


def test_what_is_no_json_is_refused(program: Program) -> None:
    assert program.post("chat", b'{"message": ').problem == (400, "bad_request")
    assert program.post("chat", b"[]").problem == (422, "invalid")
    assert program.post("chat", b"").problem[0] in {400, 422}
    assert (
        program.post("chat", {"message": "Hi", "conversation_id": "7"}).json["errors"][0]["field"] == "conversation_id"
    )


def test_a_body_that_is_not_worth_reading_is_refused_as_a_problem(program: Program) -> None:
    assert program.post("chat", None, Content_Length="999999999").problem == (413, "too_large")
    assert program.post("chat", b"{}", Content_Type="application/json; charset=utf-16").problem == (400, "bad_request")


def test_a_program_that_goes_away_loses_no_reply(program: Program, module_provider: ScriptedProvider) -> None:
    module_provider.play(stream(Text("Late"), Gate("end"), *END))
    connection = program.begin("POST", "chat", {"message": "Hello"})
    module_provider.wait_for_requests()
    connection.close()
    module_provider.gate("end").open()
    reply_key = Message.objects.get(role=Role.ASSISTANT).pk
    with program.events(f"messages/{reply_key}/stream") as events:
        *_, last = events
    assert last.data["response"] == "Late"


def test_anothers_or_an_unknown_conversation_is_not_there(
    program: Program, others_program: Program, user: User
) -> None:
    conversation = ConversationFactory.create(user=user)
    exchange(conversation, "Secret", "Answer")
    for answer in (
        others_program.say("Hello", conversation_id=str(conversation.pk)),
        program.say("Hello", conversation_id=str(uuid4())),
        others_program.get(f"conversations/{conversation.pk}/messages"),
        program.get(f"conversations/{uuid4()}/messages"),
        program.get("conversations/nonsense/messages"),
    ):
        assert answer.problem == (404, "not_found")
        assert b"Secret" not in answer.body
    assert Message.objects.count() == 2


def test_one_reply_at_a_time(program: Program, module_provider: ScriptedProvider) -> None:
    module_provider.play(stream(Text("One"), Gate("end"), *END))
    with program.events("chat", {"message": "Hello"}) as events:
        next(event for event in events if event.name == "text.delta")
        conversation = Conversation.objects.get()
        answer = program.say("And?", conversation_id=str(conversation.pk))
        assert answer.problem == (409, "reply_in_progress")
        module_provider.gate("end").open()
        assert [event.name for event in events][-1] == "message.completed"


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (error(401, "Incorrect API key", code="invalid_api_key"), 502, "provider_key"),
        (error(404, "no", code="model_not_found"), 502, "provider_model"),
        (error(429, "quota", code="insufficient_quota"), 502, "provider_quota"),
        (error(500, "down", headers={"X-Should-Retry": "false"}), 503, "provider_unavailable"),
        (stream(Text("Half an"), Close()), 502, "provider_broke_off"),
        (stream(Text("  "), *END), 502, "empty_reply"),
    ],
)
def test_a_failure_of_the_provider_keeps_the_turn(
    program: Program, module_provider: ScriptedProvider, failure: object, status: int, code: str
) -> None:
    module_provider.always(failure)  # type: ignore[arg-type] # a script
    answer = program.say("Hello")
    assert answer.problem == (status, code)
    assert answer.json["conversation_id"] == str(Conversation.objects.get().pk)
    module_provider.always(reply("At last"))
    again = program.post(f"messages/{answer.json['message_id']}/retry")
    assert again.json["response"] == "At last"
    # What had come of the first try is kept.
    assert said(program.user) == (
        ["Hello", "Half an", "At last"] if code == "provider_broke_off" else ["Hello", "At last"]
    )


def test_two_hundred_wait_while_the_site_goes_on(program: Program, module_provider: ScriptedProvider) -> None:
    module_provider.always(stream(Text("Late"), Gate("end"), *END))
    answers: list[Answer] = []
    waiting = [threading.Thread(target=lambda: answers.append(program.say("Hello"))) for _ in range(8)]
    for thread in waiting:
        thread.start()
    module_provider.wait_for_requests(8)
    # More of them than threads, and yet another request is answered.
    assert program.get("conversations").status == 200
    module_provider.gate("end").open()
    for thread in waiting:
        thread.join()
    assert [answer.json["response"] for answer in answers] == ["Late"] * 8


def test_the_same_key_finds_the_same_turn(program: Program, module_provider: ScriptedProvider) -> None:
    module_provider.always(reply("Once"))
    first = program.post("chat", {"message": "Hello"}, Idempotency_Key="order-1")
    again = program.post("chat", {"message": "Hello"}, Idempotency_Key="order-1")
    assert first.json == again.json
    assert len(module_provider.chats) == 1
    other = program.post("chat", {"message": "Goodbye"}, Idempotency_Key="order-1")
    assert other.problem == (422, "idempotency_key_reused")


def test_a_key_of_another_conversation_begins_no_turn(program: Program, module_provider: ScriptedProvider) -> None:
    module_provider.always(reply("Hi"))
    begun = program.say("Begin").json["conversation_id"]
    here = {"message": "Hello", "conversation_id": begun}
    first = program.post("chat", here, Idempotency_Key="order-1")
    assert program.post("chat", here, Idempotency_Key="order-1").json == first.json
    elsewhere = program.post("chat", {"message": "Hello"}, Idempotency_Key="order-1")
    assert elsewhere.problem == (422, "idempotency_key_reused")


def test_a_key_is_a_persons_own(program: Program, others_program: Program, module_provider: ScriptedProvider) -> None:
    module_provider.always(reply("Hi"))
    mine = program.post("chat", {"message": "Hello"}, Idempotency_Key="1")
    theirs = others_program.post("chat", {"message": "Hello"}, Idempotency_Key="1")
    assert theirs.status == 200
    assert mine.json["conversation_id"] != theirs.json["conversation_id"]


def test_a_regenerated_answer_stands_beside_the_first(program: Program, module_provider: ScriptedProvider) -> None:
    module_provider.play(reply("First"), reply("Second"))
    first = program.say("Hello").json
    second = program.post(f"messages/{first['message_id']}/regenerate").json
    assert second["response"] == "Second"
    history = program.get(f"conversations/{first['conversation_id']}/messages").json
    assert [message["content"] for message in history] == ["Hello", "Second"]
    assert Message.objects.count() == 3


def test_a_model_that_cannot_be_stored_is_not_offered(program: Program, module_provider: ScriptedProvider) -> None:
    module_provider.always(reply("Hi"))
    message = program.say("Hello").json["message_id"]
    refused = program.post(f"messages/{message}/regenerate", {"model": "\0"})
    assert refused.problem == (404, "model_not_found")


def test_a_reply_is_stopped_and_kept(program: Program, module_provider: ScriptedProvider) -> None:
    module_provider.play(stream(Text("Half"), Gate("never"), *END))
    with program.events("chat", {"message": "Hello"}) as events:
        started = next(events)
        next(event for event in events if event.name == "text.delta")
        assert program.post(f"messages/{started.data['message_id']}/stop").status == 204
        *_, completed = events
    assert completed.name == "message.completed"
    assert (completed.data["response"], completed.data["status"]) == ("Half", "stopped")
    assert Generation.objects.get().status == Status.STOPPED


def test_a_strangers_reply_cannot_be_touched(
    program: Program, others_program: Program, module_provider: ScriptedProvider
) -> None:
    module_provider.play(reply("Mine"))
    message = program.say("Hello").json["message_id"]
    for verb in ("stop", "regenerate", "retry"):
        assert others_program.post(f"messages/{message}/{verb}").problem == (404, "not_found")
    assert others_program.get(f"messages/{message}/stream").problem == (404, "not_found")
