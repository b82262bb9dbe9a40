"""What the page says of a conversation that is longer than what the model sees."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from conversations.actions import turns
from conversations.models import Conversation, Generation, Message, Status
from tests.factories import ConversationFactory, exchange, last_said, long_chat
from tests.kit.provider import ScriptedProvider, reply
from tests.kit.server import ChatServer
from tests.support.pages import HTMX, further
from tests.support.viewer import Stream

pytestmark = pytest.mark.django_db
LINE = "The assistant no longer sees the messages above this line."
CUT = "The message below is too long: the assistant sees only its end."
BOTH = f"{LINE} {CUT}"
OLDER = "The assistant no longer sees the oldest messages."

Chat = Callable[..., Conversation]


@pytest.fixture
def chat(user: User) -> Chat:
    """Makes a conversation of so many exchanges whose newest reply saw what was said since that question."""

    def make(exchanges: int, *, since: int, cut: bool = False) -> Conversation:
        conversation = ConversationFactory.create(user=user)
        for number in range(exchanges):
            exchange(conversation, f"Question-{number:03}", f"Answer-{number:03}")
        newest = Generation.objects.filter(message=last_said(conversation))
        newest.update(window_start=said_at(f"Question-{since:03}"), window_cut=cut)
        return conversation

    return make


def said_at(content: str) -> datetime:
    return Message.objects.get(content=content).created_at


def page(client: Client, path: str, **headers: str) -> str:
    response = client.get(path, headers=headers)
    assert response.status_code == 200
    return re.sub(r"\s+", " ", response.content.decode())


def test_the_line_stands_above_the_oldest_message_that_was_seen(signed_in: Client, chat: Chat) -> None:
    html = page(signed_in, chat(5, since=3).get_absolute_url())
    assert html.count('class="window"') == 1
    assert html.index("Answer-002") < html.index(LINE) < html.index("Question-003")


def test_a_conversation_that_is_seen_whole_has_no_line(signed_in: Client, chat: Chat) -> None:
    assert 'class="window"' not in page(signed_in, chat(5, since=0).get_absolute_url())


def test_while_the_next_reply_runs_the_line_stays_where_it_was(signed_in: Client, chat: Chat, user: User) -> None:
    conversation = chat(5, since=3)
    turns.send(user, text="Go on", conversation=conversation)
    assert LINE in page(signed_in, conversation.get_absolute_url())


@pytest.mark.parametrize(("since", "sentence"), [(0, CUT), (2, BOTH)])
def test_a_message_that_was_cut_is_said_to_be(signed_in: Client, chat: Chat, since: int, sentence: str) -> None:
    html = page(signed_in, chat(3, since=since, cut=True).get_absolute_url())
    assert html.index(sentence) < html.index(f"Question-{since:03}")


def test_a_line_on_an_older_page_is_announced_at_the_top_and_drawn_there(signed_in: Client, chat: Chat) -> None:
    newest = page(signed_in, chat(80, since=10).get_absolute_url())
    assert newest.index(OLDER) < newest.index("Question-055")
    assert LINE not in newest
    middle = page(signed_in, further(newest, "before"), **HTMX)
    assert middle.index(OLDER) < middle.index("Question-030")
    oldest = page(signed_in, further(middle, "before"), **HTMX)
    assert oldest.index("Answer-009") < oldest.index(LINE) < oldest.index("Question-010")
    assert OLDER not in oldest


def test_a_line_at_the_very_top_of_a_page_is_drawn_there(signed_in: Client, chat: Chat) -> None:
    html = page(signed_in, chat(60, since=35).get_absolute_url())
    assert html.index("Earlier messages") < html.index(LINE) < html.index("Question-035")
    assert OLDER not in html


def test_a_page_of_which_nothing_is_seen_has_no_line(signed_in: Client, chat: Chat) -> None:
    newest = page(signed_in, chat(60, since=50).get_absolute_url())
    assert LINE in newest
    assert 'class="window"' not in page(signed_in, further(newest, "before"), **HTMX)


def test_the_line_costs_no_query_on_the_newest_page_and_one_on_the_others(
    signed_in: Client, chat: Chat, django_assert_num_queries: Any
) -> None:
    conversation = chat(60, since=50)
    with django_assert_num_queries(6):
        newest = page(signed_in, conversation.get_absolute_url())
    with django_assert_num_queries(5):
        page(signed_in, further(newest, "before"), **HTMX)


@pytest.mark.django_db(transaction=True)
def test_a_chat_longer_than_the_window_goes_on_and_the_reply_brings_the_line(
    user: User, signed_in: Client, provider: ScriptedProvider
) -> None:
    provider.always(reply("Here it is."))
    with ChatServer(OPENAI_BASE_URL=provider.url, CHAT_CONTEXT_TOKENS="512") as server:

        def ask(text: str, conversation: Conversation | None = None) -> tuple[Conversation, str]:
            turn = turns.send(user, text=text, conversation=conversation)
            with Stream(server, user, turn.reply) as viewer:
                name, html = viewer.last()
            assert name == "end"
            return turn.conversation, re.sub(r"\s+", " ", html)

        conversation, first = ask("First " + "x" * 400)
        _, second = ask("Second " + "x" * 400, conversation)
        _, third = ask("Third " + "x" * 400, conversation)
        _, fourth = ask("y" * 5_000 + " fourth", conversation)
    assert LINE not in first + second
    seen = Message.objects.get(content__startswith="Second")
    assert LINE in third
    assert f'hx-swap-oob="beforebegin:#m-{seen.pk}"' in third
    assert BOTH in fourth
    asked = provider.chats[-1].json["messages"][-1]["content"]
    assert asked.endswith(" fourth")
    assert len(asked) < 1_500
    assert Generation.objects.filter(status=Status.COMPLETE).count() == 4
    html = page(signed_in, conversation.get_absolute_url())
    assert html.index("Third") < html.index(BOTH) < html.index(" fourth")


def test_a_retry_forgets_what_was_seen(user: User, chat: Chat) -> None:
    conversation = chat(3, since=2)
    failed = conversation.messages.latest("created_at")
    Generation.objects.filter(pk=failed.pk).update(status=Status.FAILED)
    failed.content = ""
    failed.save(update_fields=["content"])
    turns.retry(failed)
    assert Generation.objects.get(pk=failed.pk).window_start is None


def test_ten_thousand_messages_cost_no_more_than_fifty(
    user: User, signed_in: Client, django_assert_max_num_queries: Any
) -> None:
    conversation = ConversationFactory.create(user=user, created_at=timezone.now() - timedelta(days=1))
    messages = long_chat(conversation, 10_000)
    conversation.generations.update(window_start=messages[8_000].created_at)
    with django_assert_max_num_queries(7):
        newest = page(signed_in, conversation.get_absolute_url())
    assert OLDER in newest
    with django_assert_max_num_queries(5):
        page(signed_in, further(newest, "before"), **HTMX)
