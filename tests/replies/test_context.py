"""Which messages the model sees."""

from typing import Any

import pytest
from pytest_django import Settings

from conversations.models import Conversation, Message, Role
from conversations.replies.context import estimate_tokens, window_for
from tests.factories import ConversationFactory, MessageFactory, ReplyFactory, exchange, long_chat

pytestmark = pytest.mark.django_db


@pytest.fixture
def conversation() -> Conversation:
    return ConversationFactory.create()


def asked(conversation: Conversation, question: str) -> Message:
    """An open reply to `question`."""
    MessageFactory.create(conversation=conversation, content=question)
    return ReplyFactory.create(conversation=conversation, content="", generation__status="pending")


def said(reply: Message) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in window_for(reply).messages]


def test_the_model_sees_the_system_prompt_then_everything_in_order(
    conversation: Conversation, settings: Settings
) -> None:
    settings.CHAT_SYSTEM_PROMPT = "Be kind."
    exchange(conversation, "Hello", "Good day")
    assert said(asked(conversation, "How are you?")) == [
        ("system", "Be kind."),
        ("user", "Hello"),
        ("assistant", "Good day"),
        ("user", "How are you?"),
    ]


def test_without_a_system_prompt_there_is_no_system_message(conversation: Conversation, settings: Settings) -> None:
    settings.CHAT_SYSTEM_PROMPT = ""
    assert said(asked(conversation, "Hello")) == [("user", "Hello")]


def test_the_conversations_instructions_follow_the_system_prompt_and_take_room(
    conversation: Conversation, settings: Settings
) -> None:
    settings.CHAT_CONTEXT_TOKENS = 600
    settings.CHAT_SYSTEM_PROMPT = "Be kind."
    conversation.system_prompt = "Speak French."
    exchange(conversation, "x" * 900, "Good day")
    reply = asked(conversation, "Hello")
    assert said(reply)[0] == ("system", "Be kind.\n\nSpeak French.")
    assert len(said(reply)) == 4
    reply.conversation.system_prompt = "Speak French. " * 40
    assert [content for _, content in said(reply)][1:] == ["Hello"]


def test_instructions_larger_than_the_window_leave_room_for_the_message(
    conversation: Conversation, settings: Settings
) -> None:
    settings.CHAT_CONTEXT_TOKENS = 600
    settings.CHAT_SYSTEM_PROMPT = ""
    conversation.system_prompt = "第" * 4_000
    window = window_for(asked(conversation, "Hello"))
    assert [message.content for message in window.messages[1:]] == ["Hello"]
    assert sum(estimate_tokens(message.content) for message in window.messages) <= 450


def test_a_reply_without_text_is_left_out_and_the_questions_around_it_are_joined(
    conversation: Conversation, settings: Settings
) -> None:
    settings.CHAT_SYSTEM_PROMPT = ""
    MessageFactory.create(conversation=conversation, content="Hello")
    ReplyFactory.create(conversation=conversation, content="", generation__status="failed")
    assert said(asked(conversation, "Again")) == [("user", "Hello\n\nAgain")]


def test_what_was_said_later_is_not_sent(conversation: Conversation, settings: Settings) -> None:
    settings.CHAT_SYSTEM_PROMPT = ""
    reply = exchange(conversation, "Hello", "Good day")
    exchange(conversation, "Later", "Much later")
    assert said(reply) == [("user", "Hello")]


def test_the_oldest_messages_are_dropped_when_the_window_is_full(
    conversation: Conversation, settings: Settings
) -> None:
    settings.CHAT_CONTEXT_TOKENS = 600
    settings.CHAT_SYSTEM_PROMPT = "Be kind."
    for number in range(80):
        exchange(conversation, f"Question {number} " + "x" * 60, f"Answer {number}")
    window = window_for(asked(conversation, "And now?"))
    messages = window.messages
    assert messages[0].content == "Be kind."
    assert messages[1].role == Role.USER
    assert messages[-1].content == "And now?"
    assert 4 < len(messages) < 160
    assert sum(estimate_tokens(message.content) for message in messages) <= 450
    oldest = Message.objects.get(content=messages[1].content)
    assert (window.start, window.is_cut) == (oldest.created_at, False)


def test_a_message_larger_than_the_window_is_cut_at_its_start(conversation: Conversation, settings: Settings) -> None:
    settings.CHAT_CONTEXT_TOKENS = 600
    settings.CHAT_SYSTEM_PROMPT = ""
    exchange(conversation, "Hello", "Good day")
    reply = asked(conversation, "é" * 5_000 + " What is this?")
    window = window_for(reply)
    (message,) = window.messages
    assert message.content.endswith(" What is this?")
    assert estimate_tokens(message.content) <= 450
    assert window.is_cut
    assert window.start == Message.objects.get(content__endswith="What is this?").created_at


def test_a_window_that_holds_everything_starts_with_the_first_message(conversation: Conversation) -> None:
    first = MessageFactory.create(conversation=conversation, content="Hello")
    ReplyFactory.create(conversation=conversation, content="Good day")
    window = window_for(asked(conversation, "How are you?"))
    assert (window.start, window.is_cut) == (first.created_at, False)


def test_a_chat_of_ten_thousand_messages_costs_few_queries(
    conversation: Conversation, settings: Settings, django_assert_max_num_queries: Any
) -> None:
    settings.CHAT_CONTEXT_TOKENS = 32_000
    long_chat(conversation, 10_000)
    reply = asked(conversation, "And now?")
    with django_assert_max_num_queries(7):
        window = window_for(reply)
    assert 1_500 < len(window.messages) < 3_000
    assert window.messages[-1].content == "And now?"


@pytest.mark.parametrize("text", ["Hello, how are you today?", "Привет, как дела?", "今日はいい天気ですね", "🎉" * 10])
def test_the_estimate_errs_on_the_safe_side(text: str) -> None:
    # No tokenizer in use makes more tokens of a text than one for each three of its bytes, on average.
    assert estimate_tokens(text) > len(text.encode()) / 3
