"""Which tool calls of earlier replies the model sees."""

import json
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries, Settings

from conversations.llm.service import ChatMessage
from conversations.models import CallState, Conversation, Message, ToolCall
from conversations.models.steps import Step, records_of
from conversations.replies.context import available, tokens_of, window_for
from tests.factories import ConversationFactory, MessageFactory, ReplyFactory, exchange

pytestmark = pytest.mark.django_db

OFFERED = {"tools": [{"type": "function", "function": {"name": "add"}}]}


@pytest.fixture(autouse=True)
def no_system_prompt(settings: Settings) -> None:
    settings.CHAT_SYSTEM_PROMPT = ""


@pytest.fixture
def conversation() -> Conversation:
    return ConversationFactory.create()


def acted(conversation: Conversation, text: str, *calls: dict[str, Any], with_rows: bool = True) -> Message:
    """A reply that called tools; imported ones have no rows."""
    reply = exchange(conversation, "Add milk", text)
    rows = [
        ToolCall(
            **{
                "message": reply,
                "user": reply.user,
                "position": position,
                "provider_id": "call_0",
                "tool": "add",
                "arguments": '{"name": "milk"}',
                "state": CallState.DONE,
                "result": {"text": "Added."},
            }
            | fields
        )
        for position, fields in enumerate(calls)
    ]
    Message.objects.filter(pk=reply.pk).update(tool_calls=records_of(map(Step.of, rows)))
    if with_rows:
        ToolCall.objects.bulk_create(rows)
    return reply


def asked(conversation: Conversation) -> Message:
    """The open reply to another question."""
    if found := Message.objects.filter(generation__status="pending", conversation=conversation).first():
        return found
    MessageFactory.create(conversation=conversation, content="And now?")
    return ReplyFactory.create(conversation=conversation, content="", generation__status="pending")


def seen(conversation: Conversation, offered: Any = OFFERED) -> list[ChatMessage]:
    return window_for(asked(conversation), offered=offered).messages


def shapes(messages: list[ChatMessage]) -> list[tuple[str, str]]:
    """The role and text of each message; of calls, the names with their arguments."""
    return [
        (
            message.role,
            message.content
            + "".join(
                f" {call['function']['name']}{call['function']['arguments']}"
                for call in message.more.get("tool_calls", ())
            ),
        )
        for message in messages
    ]


def assert_paired(messages: list[ChatMessage]) -> None:
    """Each call is followed by its result, each result follows its call, and no id is there twice."""
    open_calls: list[str] = []
    all_ids: list[str] = []
    for message in messages:
        if message.role == "tool":
            open_calls.remove(message.more["tool_call_id"])
            continue
        assert not open_calls
        open_calls = [call["id"] for call in message.more.get("tool_calls", ())]
        all_ids += open_calls
    assert not open_calls
    assert len(set(all_ids)) == len(all_ids)


@pytest.mark.parametrize("with_rows", [True, False])
def test_each_round_is_sent_with_its_calls_and_results_then_the_text_after_them(
    conversation: Conversation, *, with_rows: bool
) -> None:
    acted(
        conversation,
        "I add it.\n\nAnd bread.\n\nBoth are there.",
        {"place": 9},
        {"place": 9, "tool": "list_all", "arguments": "{}", "result": {"text": "name\nmilk"}},
        {"place": 21, "round": 1, "arguments": '{"name": "bread"}'},
        with_rows=with_rows,
    )
    messages = seen(conversation)
    assert shapes(messages) == [
        ("user", "Add milk"),
        ("assistant", 'I add it. add{"name": "milk"} list_all{}'),
        ("tool", "Added."),
        ("tool", "name\nmilk"),
        ("assistant", 'And bread. add{"name": "bread"}'),
        ("tool", "Added."),
        ("assistant", "Both are there."),
        ("user", "And now?"),
    ]
    assert_paired(messages)


def test_without_offered_tools_only_the_text_goes(conversation: Conversation) -> None:
    acted(conversation, "I add it.\n\nIt is there.", {"place": 9})
    nothing: tuple[Any, ...] = (None, {})
    for offered in nothing:
        assert shapes(seen(conversation, offered))[:2] == [
            ("user", "Add milk"),
            ("assistant", "I add it.\n\nIt is there."),
        ]


def test_a_round_without_text_has_none(conversation: Conversation) -> None:
    acted(conversation, "It is there.", {"place": 0})
    called = seen(conversation)[1]
    assert called.more["content"] is None
    assert shapes(seen(conversation))[3] == ("assistant", "It is there.")


def test_the_whole_result_is_sent_where_the_row_has_it(conversation: Conversation) -> None:
    acted(conversation, "Done.", {"result": {"text": "x" * 6_000}})
    assert seen(conversation)[2].content == "x" * 6_000
    ToolCall.objects.all().delete()
    recorded = seen(conversation)[2].content
    assert recorded.startswith("x" * 4_000)
    assert recorded.endswith("(Cut: 6,000 characters in all.)")


def test_the_ends_of_calls_are_told_in_words(conversation: Conversation) -> None:
    acted(
        conversation,
        "Sorry.",
        {"state": CallState.FAILED, "result": None, "error": "There is no such thing."},
        {"state": CallState.DECLINED, "result": None, "decision": "person"},
        {"state": CallState.DECLINED, "result": None, "decision": "expired"},
        {"state": CallState.UNKNOWN, "result": None, "decision": "person"},
    )
    failed, declined, expired, unknown = (message.content for message in seen(conversation)[2:6])
    assert failed == "There is no such thing."
    assert "declined" in declined
    assert "in time" in expired
    assert "not known" in unknown


def test_ids_are_unique_in_the_window_and_the_same_each_time(conversation: Conversation) -> None:
    for _ in range(3):
        acted(conversation, "Done.", {}, {}, {"round": 1})
    messages = seen(conversation)
    assert_paired(messages)
    again = seen(conversation)
    assert [message.more for message in again[: len(messages) - 1]] == [message.more for message in messages[:-1]]


def test_a_reply_that_said_nothing_after_its_calls_has_an_answer_all_the_same(conversation: Conversation) -> None:
    acted(conversation, "", {"state": CallState.DECLINED, "result": None})
    assert [message.role for message in seen(conversation)] == ["user", "assistant", "tool", "assistant", "user"]
    # Where no calls are sent, there is nothing to send of it.
    assert shapes(seen(conversation, None))[0] == ("user", "Add milk\n\nAnd now?")


def test_what_a_provider_would_refuse_is_sent_in_a_form_that_none_refuses(conversation: Conversation) -> None:
    acted(conversation, "Sorry.", {"tool": "fly to the môon", "arguments": "{broken"}, {"tool": "", "arguments": "[1]"})
    first, second = seen(conversation)[1].more["tool_calls"]
    assert first["function"] == {"name": "fly_to_the_m_on", "arguments": "{}"}
    assert second["function"] == {"name": "unknown", "arguments": "{}"}


@pytest.mark.parametrize("odd", [["x", 7], [{"place": 10**9, "round": 3}], [{"place": 5}, {"place": 2}], [{}], {}, "x"])
def test_whatever_was_imported_makes_a_window(conversation: Conversation, odd: Any) -> None:
    reply = exchange(conversation, "Add milk", "It is there.")
    Message.objects.filter(pk=reply.pk).update(tool_calls=odd)
    messages = seen(conversation)
    assert_paired(messages)
    assert "It is there." in "".join(message.content for message in messages if message.role == "assistant")
    assert json.dumps([dict(message.more) for message in messages])


def test_calls_count_in_the_window_and_none_is_parted_from_its_result(
    conversation: Conversation, settings: Settings
) -> None:
    for number in range(12):
        acted(conversation, f"Round.\n\nAnswer {number}", {"place": 6, "result": {"text": "y" * 600}}, {"place": 6})
    reply = asked(conversation)
    for tokens in range(300, 6_000, 57):
        settings.CHAT_CONTEXT_TOKENS = tokens
        messages = window_for(reply, offered=OFFERED).messages
        assert_paired(messages)
        assert tokens_of(messages) <= available()
        assert messages[0].role == "user"
        assert messages[-1].content == "And now?"
    assert sum(message.role == "tool" for message in messages) > 10


def test_of_a_reply_whose_calls_do_not_fit_the_text_is_sent(conversation: Conversation, settings: Settings) -> None:
    settings.CHAT_CONTEXT_TOKENS = 600
    exchange(conversation, "Hello", "Good day")
    acted(conversation, "I look.\n\nIt is long.", {"place": 7, "result": {"text": "z" * 5_000}})
    assert shapes(seen(conversation)) == [
        ("user", "Hello"),
        ("assistant", "Good day"),
        ("user", "Add milk"),
        ("assistant", "I look.\n\nIt is long."),
        ("user", "And now?"),
    ]


def test_calls_cost_one_query_for_a_page_and_none_where_there_are_none(
    conversation: Conversation, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    exchange(conversation, "Hello", "Good day")
    reply = asked(conversation)
    with django_assert_num_queries(1):
        window_for(reply, offered=OFFERED)
    other = ConversationFactory.create()
    for _ in range(3):
        acted(other, "Done.", {}, {})
    reply = asked(other)
    with django_assert_num_queries(1):
        window_for(reply)
    with django_assert_num_queries(2):
        window_for(reply, offered=OFFERED)
