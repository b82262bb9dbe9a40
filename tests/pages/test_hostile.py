"""Pages of chats whose texts are too much for a renderer, a page or a network."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from conversations.models import Conversation, Generation, Message, Status
from tests.factories import ConversationFactory, MessageFactory, ReplyFactory
from tests.support.elements import Element, read
from tests.support.pages import HTMX, page

pytestmark = pytest.mark.django_db

FENCES = "- ````\n"


def test_four_replies_of_a_megabyte_make_a_small_page(signed_in: Client, user: User) -> None:
    chat = ConversationFactory.create(user=user)
    for _ in range(4):
        ReplyFactory.create(conversation=chat, content=FENCES * (1_000_000 // len(FENCES)))
    html = page(signed_in, chat.get_absolute_url())
    assert len(html) < 1_000_000
    assert html.count("Show formatted") == 4


def test_a_page_of_many_long_texts_reads_and_shows_the_newest_first(signed_in: Client, user: User) -> None:
    chat = ConversationFactory.create(user=user)
    for number in range(24):
        MessageFactory.create(conversation=chat, content=f"Question {number} '\"&" + "'" * 400_000)
        ReplyFactory.create(
            conversation=chat,
            content=f"Answer *{number}*\n\n" + "`a` [b](http://c) " * 20_000,
            generation__reasoning="'" * 300_000,
        )
    with CaptureQueriesContext(connection) as queries:
        html = page(signed_in, chat.get_absolute_url())
    assert len(html) < 4_000_000
    assert all(f"Question {number} " in html for number in range(24))
    assert "Answer <em>23</em>" in html
    assert html.count("Show formatted") == html.count("Show more") == 24
    assert not any("SELECT" in one["sql"] and '"conversations_message"."content"' in one["sql"] for one in queries)


def test_what_is_not_formatted_can_be_asked_for(signed_in: Client, user: User) -> None:
    text = "".join(f"Line *{number}*.\n\n" for number in range(60_000))
    reply = ReplyFactory.create(conversation=ConversationFactory.create(user=user), content=text)
    beginning = read(page(signed_in, reply.conversation.get_absolute_url()))
    seen = numbers(beginning)
    (path,) = more(beginning)
    part = read(page(signed_in, path, **HTMX))
    assert not part.all("html")
    assert numbers(part)[0] == seen[-1] + 1
    whole_page = read(page(signed_in, path))
    assert whole_page.all("h1")
    assert numbers(whole_page) == numbers(part)
    assert len(more(part)) == 1
    for _ in range(40):
        seen += numbers(part)
        if not (paths := more(part)):
            break
        part = read(page(signed_in, paths[0], **HTMX))
    assert seen == list(range(60_000))


def test_a_long_message_of_a_person_can_be_read_on(signed_in: Client, user: User) -> None:
    text = "<b>" + "word\r\n" * 100_000 + "end"
    message = MessageFactory.create(conversation=ConversationFactory.create(user=user), content=text)
    part = read(page(signed_in, message.conversation.get_absolute_url()))
    shown = part.all("div.body")[0].text(without="div.rest")
    for _ in range(20):
        if not (paths := more(part)):
            break
        part = read(page(signed_in, paths[0], **HTMX))
        shown += part.text(without="div.rest")
    assert "".join(shown.split()) == "".join(text.split())


def test_a_part_is_its_owners(signed_in: Client, user: User, stranger: User) -> None:
    reply = ReplyFactory.create(conversation=ConversationFactory.create(user=stranger), content="Secret")
    path = f"/messages/{reply.pk}/part/?from=0"
    assert signed_in.get(path).status_code == 404
    assert Client().get(path).status_code == 302
    own = ReplyFactory.create(conversation=ConversationFactory.create(user=user), content="Mine")
    assert "Mine" in page(signed_in, f"/messages/{own.pk}/part/?from=0")
    for begin in ("", "-1", "x", "9" * 99):
        assert signed_in.get(f"/messages/{own.pk}/part/?from={begin}").status_code == 400


def test_a_reply_shows_its_reasoning_and_draft_as_before(signed_in: Client, user: User) -> None:
    chat = ConversationFactory.create(user=user)
    ReplyFactory.create(conversation=chat, content="One *word*", generation__reasoning="Let me think")
    reply = ReplyFactory.create(conversation=chat, content="")
    Generation.objects.filter(message=reply).update(status=Status.PENDING, draft="A *draft*")
    html = page(signed_in, chat.get_absolute_url())
    assert "One <em>word</em>" in html
    assert "Let me think" in html
    assert "A <em>draft</em>" in html
    assert "Show formatted" not in html
    assert Message.objects.get(content="One *word*").conversation == Conversation.objects.get(pk=chat.pk)


def numbers(shown: Element) -> list[int]:
    """The lines that are formatted."""
    return [int(line.text()) for line in shown.all("p em")]


def more(shown: Element) -> list[str]:
    """Where a text that is not shown to its end goes on."""
    return [link["href"] for link in shown.all("a.button")]
