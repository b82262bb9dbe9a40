"""A reply that was cut, told to programs, and continued by them."""

import pytest

from conversations.models import Message, Role, Status
from tests.api.program import Program, said
from tests.factories import ConversationFactory, MessageFactory, ReplyFactory
from tests.kit.provider import END, Close, Done, Finish, Gate, Reasoning, ScriptedProvider, Text, reply, stream

pytestmark = pytest.mark.django_db(transaction=True)

CUT = stream(Text("cut at the lim"), Finish("length"), Done())


def test_a_program_is_told_of_the_limit_and_continues(program: Program, module_provider: ScriptedProvider) -> None:
    module_provider.play(CUT, reply("it."))
    cut = program.say("Hello").json
    assert (cut["response"], cut["status"], cut["finish_reason"]) == ("cut at the lim", "complete", "length")
    whole = program.post(f"messages/{cut['message_id']}/continue").json
    assert (whole["response"], whole["finish_reason"]) == ("cut at the limit.", "stop")
    assert whole["message_id"] == cut["message_id"]
    assert said(program.user) == ["Hello", "cut at the limit."]
    assert program.post(f"messages/{cut['message_id']}/continue").problem == (409, "nothing_to_continue")


def test_the_stream_of_a_continued_reply_begins_with_its_text(
    program: Program, module_provider: ScriptedProvider
) -> None:
    module_provider.play(CUT, stream(Text("it"), Gate("more"), Text("."), *END))
    cut = program.say("Hello").json
    with program.events(f"messages/{cut['message_id']}/continue", {}) as events:
        next(events)
        first = next(events)
        assert first.data["text"].startswith("cut at the lim")
        module_provider.gate("more").open()
        *_, last = events
    assert (last.name, last.data["response"]) == ("message.completed", "cut at the limit.")


def test_the_conversation_tells_it_of_each_reply(program: Program) -> None:
    conversation = ConversationFactory.create(user=program.user)
    MessageFactory.create(conversation=conversation)
    ReplyFactory.create(conversation=conversation, generation__finish_reason="length")
    (answer,) = [
        message
        for message in program.get(f"conversations/{conversation.pk}/messages").json
        if message["role"] == "assistant"
    ]
    assert answer["finish_reason"] == "length"


def test_a_retry_of_what_broke_off_names_the_new_answer(program: Program, module_provider: ScriptedProvider) -> None:
    module_provider.play(stream(Text("Half"), Close()), reply("All."))
    failed = program.say("Hello").json
    again = program.post(f"messages/{failed['message_id']}/retry").json
    assert again["response"] == "All."
    assert again["message_id"] != failed["message_id"]
    assert Message.objects.get(pk=failed["message_id"]).content == "Half"


def test_reasoning_that_used_up_the_limit_are_told_as_such(program: Program, module_provider: ScriptedProvider) -> None:
    module_provider.play(stream(Reasoning("Hm"), Finish("length"), Done()))
    answer = program.say("Hello")
    assert answer.problem == (502, "cut_before_answer")
    assert Message.objects.get(role=Role.ASSISTANT).generation.status == Status.FAILED


def test_a_completion_that_is_kept_says_that_it_was_cut(program: Program, module_provider: ScriptedProvider) -> None:
    module_provider.play(CUT, stream(Reasoning("Hm"), Finish("length"), Done()))
    question = {
        "model": "auto",
        "messages": [{"role": "user", "content": "Hello"}],
        "metadata": {"conversation": "new"},
    }
    for content in ("cut at the lim", ""):
        (choice,) = program.post("/v1/chat/completions", question).json["choices"]
        assert (choice["message"]["content"] or "", choice["finish_reason"]) == (content, "length")
