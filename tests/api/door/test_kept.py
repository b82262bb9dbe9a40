"""Kept answers at the door are the answers that are not kept, and one more turn of a conversation."""

from typing import Any

import openai
import pytest

from accounts import access_tokens
from accounts.models import User
from conversations.models import Conversation, Generation, Status
from tests.api.program import Program, said
from tests.factories import ConversationFactory, exchange
from tests.kit.provider import ScriptedProvider, Text, error, reply, stream
from tests.kit.provider.script import END, Done, Finish, Gate, Reasoning
from tests.kit.server import ChatServer

pytestmark = pytest.mark.django_db(transaction=True)

HELLO = [{"role": "user", "content": "Hello"}]
OPTIONS: dict[str, Any] = {
    "max_tokens": 16,
    "stop": ["\n"],
    "response_format": {"type": "json_object"},
    "seed": 7,
    "top_p": 0.9,
    "temperature": 0.3,
    "reasoning_effort": "low",
    "top_k": 40,
}


def keep(official: openai.OpenAI, conversation: str = "new", **more: Any) -> Any:
    asked: dict[str, Any] = {"model": "auto", "messages": HELLO, "metadata": {"conversation": conversation}}
    if extra := {name: more.pop(name) for name in ("top_k",) if name in more}:
        more["extra_body"] = extra
    return official.chat.completions.create(**asked | more)


def test_what_was_asked_for_beside_the_text_reaches_the_model(
    official: openai.OpenAI, module_provider: ScriptedProvider
) -> None:
    module_provider.play(reply("Hi"), reply("Again"))
    keep(official, **OPTIONS)
    assert {name: module_provider.chats[0].json[name] for name in OPTIONS} == OPTIONS
    conversation = Conversation.objects.get()
    again: dict[str, Any] = {"max_tokens": 8, "temperature": 1.5}
    keep(official, str(conversation.pk), **again)
    assert {name: module_provider.chats[1].json[name] for name in again} == again
    assert "stop" not in module_provider.chats[1].json
    conversation.refresh_from_db()
    assert conversation.temperature == 0.3


def test_the_model_that_is_named_answers_in_an_old_conversation_too(
    user: User, module_provider: ScriptedProvider, transactional_db: None
) -> None:
    module_provider.reset()
    conversation = exchange(ConversationFactory.create(user=user), "Hello", "Hi").conversation
    token = access_tokens.make(user, name="OpenAI's client")[1]
    with (
        ChatServer(OPENAI_BASE_URL=module_provider.url, CHAT_MODELS="scripted,other") as server,
        openai.OpenAI(base_url=f"{server.url}/v1", api_key=token, max_retries=0) as official,
    ):
        answer = keep(official, str(conversation.pk), model="other")
    assert module_provider.chats[-1].json["model"] == answer.model == "other"
    conversation.refresh_from_db()
    assert conversation.model == ""


def test_another_process_asks_for_the_same(
    official: openai.OpenAI, program: Program, module_provider: ScriptedProvider
) -> None:
    """What a process left behind is made again with what was asked for."""
    module_provider.play(reply("Hi"))
    keep(official, **OPTIONS)
    reply_row = Generation.objects.get()
    assert reply_row.options == OPTIONS
    Generation.objects.update(status=Status.INTERRUPTED)
    with program.events(f"messages/{reply_row.pk}/stream") as events:
        assert list(events)[-1].name == "message.completed"
    assert {name: module_provider.chats[-1].json[name] for name in OPTIONS} == OPTIONS


@pytest.mark.parametrize(
    "name", ["tools", "tool_choice", "functions", "function_call", "logprobs", "top_logprobs", "parallel_tool_calls"]
)
def test_what_cannot_be_kept_is_refused_by_its_name(
    official: openai.OpenAI, module_provider: ScriptedProvider, name: str
) -> None:
    tool = {"type": "function", "function": {"name": "look"}}
    value: Any = {"tools": [tool], "functions": [tool["function"]], "top_logprobs": 2}.get(name, True)
    if name in {"tool_choice", "function_call"}:
        value = "required"
    with pytest.raises(openai.BadRequestError) as refusal:
        keep(official, **{name: value})
    assert refusal.value.param == name
    assert not Conversation.objects.exists()
    assert not module_provider.chats


@pytest.mark.parametrize("streams", [False, True])
def test_reasoning_comes_with_a_kept_answer(
    official: openai.OpenAI,
    module_provider: ScriptedProvider,
    streams: bool,  # noqa: FBT001
) -> None:
    module_provider.always(stream(Reasoning("Let me think."), Text("Forty"), Text("-two"), *END))
    answers = [keep(official, stream=streams), keep(official, stream=streams, metadata=None)]
    for answer in answers:
        if streams:
            deltas = [chunk.choices[0].delta for chunk in answer if chunk.choices]
            text = "".join(delta.content or "" for delta in deltas)
            reasoning = "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas)
        else:
            text, reasoning = answer.choices[0].message.content, answer.choices[0].message.reasoning_content
        assert (text, reasoning) == ("Forty-two", "Let me think.")


@pytest.mark.parametrize("metadata", [None, {"conversation": "new"}], ids=["not kept", "kept"])
@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize(
    ("step", "theirs", "told"),
    [
        (Text("Half an"), "length", "length"),
        (Text("Half an"), "max_tokens", "length"),
        (Text("Half an"), "eos", "stop"),
        (Reasoning("Let me think"), "length", "length"),
    ],
)
def test_the_reason_of_an_end_is_told(
    official: openai.OpenAI,
    module_provider: ScriptedProvider,
    metadata: dict[str, str] | None,
    streams: bool,  # noqa: FBT001
    step: Text | Reasoning,
    theirs: str,
    told: str,
) -> None:
    module_provider.always(stream(step, Finish(theirs), Done()))
    answer = keep(official, stream=streams, metadata=metadata)
    choices = [chunk.choices[0] for chunk in answer] if streams else answer.choices
    assert choices[-1].finish_reason == told
    said = [choice.delta if streams else choice.message for choice in choices]
    assert "".join(one.content or "" for one in said) == ("Half an" if isinstance(step, Text) else "")


def test_a_repeated_request_is_one_turn(official: openai.OpenAI, module_provider: ScriptedProvider) -> None:
    module_provider.play(error(429, "Slow down", headers={"Retry-After": "30"}))
    once: Any = {"extra_headers": {"Idempotency-Key": "one"}}
    for _ in range(2):
        with pytest.raises(openai.RateLimitError):
            keep(official, **once)
    assert Conversation.objects.count() == 1
    assert len(module_provider.chats) == 1


def test_what_the_provider_refused_is_not_asked_for_once_more(
    official: openai.OpenAI, program: Program, module_provider: ScriptedProvider
) -> None:
    module_provider.play(error(400, "Unsupported parameter: 'top_k'"), reply("Hi"))
    with pytest.raises(openai.BadRequestError):
        keep(official, top_k=40)
    failed = Generation.objects.get()
    assert program.post(f"messages/{failed.pk}/retry").json["response"] == "Hi"
    assert "top_k" not in module_provider.chats[-1].json


def test_other_fields_of_a_message_are_refused(official: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refusal:
        keep(official, messages=[HELLO[0] | {"name": "ada"}])
    assert refusal.value.param == "messages"


def test_a_stopped_answer_ends_well(
    official: openai.OpenAI, program: Program, module_provider: ScriptedProvider
) -> None:
    module_provider.always(stream(Text("Half"), Gate("never"), Finish(), Done()))
    chunks = keep(official, stream=True)
    next(chunk for chunk in chunks if chunk.choices[0].delta.content)
    program.post(f"messages/{Generation.objects.get().pk}/stop")
    assert [chunk.choices[0].finish_reason for chunk in chunks][-1] == "stop"
    assert said(program.user) == ["Hello", "Half"]
