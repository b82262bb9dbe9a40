"""Looking for what was said."""

import re

import pytest
from django.contrib.admin.models import LogEntry

from conversations.admin import searching
from conversations.models import Conversation, Message
from tests.admin.conftest import READ, Staff
from tests.factories import ConversationFactory, exchange, long_chat

pytestmark = pytest.mark.django_db

SEARCH = "/admin/conversations/conversation/search/"


def test_texts_and_titles_of_everybody_are_found_and_lead_to_their_place(staff: Staff, answer: Message) -> None:
    client = staff(*READ)
    html = client.get(SEARCH, {"q": "paris"}).content.decode()
    assert f"/conversation/{answer.conversation_id}/change/?at={answer.pk}#m-{answer.pk}" in html
    assert "<mark>Paris</mark>" in html
    assert answer.user.email in html
    assert "Looked through 2 messages, back to" in html
    assert "<mark>Capitals</mark>" in client.get(SEARCH, {"q": "capitals"}).content.decode()
    assert "Nothing was found." in client.get(SEARCH, {"q": "Madrid"}).content.decode()


def test_a_persons_texts_are_found_by_their_index(staff: Staff, answer: Message) -> None:
    exchange(ConversationFactory.create(), "And Paris?", "Another Paris.")
    client = staff(*READ)
    html = client.get(SEARCH, {"q": "paris", "email": answer.user.email}).content.decode()
    assert str(answer.pk) in html
    assert "Another" not in html
    assert "Nobody here has" in client.get(SEARCH, {"q": "paris", "email": "no@example.org"}).content.decode()


def test_what_a_search_shows_is_written_down_on_each_conversation(staff: Staff, answer: Message) -> None:
    other = exchange(ConversationFactory.create(), "Hello", "World")
    client = staff(*READ)
    for query in ({"q": "paris"}, {"q": "paris", "email": answer.user.email}):
        client.get(SEARCH, query)
    entries = LogEntry.objects.filter(object_id=str(answer.conversation_id))
    assert [entry.change_message for entry in entries] == [searching.FOUND] * 2
    assert not LogEntry.objects.filter(object_id=str(other.conversation_id)).exists()


def test_markup_in_a_text_stays_text(staff: Staff) -> None:
    exchange(ConversationFactory.create(title="<b>x</b>"), "<img src=x> here", "<script>here</script>")
    html = staff(*READ).get(SEARCH, {"q": "here"}).content.decode()
    assert "&lt;img src=x&gt;" in html
    assert "<img src=x>" not in html
    assert "<script>here" not in html


def test_a_search_over_everybody_is_bounded_and_goes_on_where_it_stopped() -> None:
    messages = long_chat(ConversationFactory.create(), 40)
    Message.objects.filter(pk__in=[message.pk for message in messages[:2]]).update(content="needle")
    looked, found = searching.everybody(("needle",), block=10, at_most=20)
    assert (looked.messages, found) == (20, [])
    assert looked.place is not None
    looked, found = searching.everybody(("needle",), looked.place, block=10, at_most=30)
    assert (looked.messages, len(found), looked.place) == (20, 2, None)


def test_more_hits_than_a_page_shows_are_on_the_next_one(staff: Staff) -> None:
    long_chat(ConversationFactory.create(), searching.HITS_MAX + 12)
    client, seen, address = staff(*READ), set[str](), f"{SEARCH}?q=message"
    while address:
        html = client.get(address).content.decode()
        seen |= set(re.findall(r"#m-([0-9a-f-]+)", html))
        further = re.search(r'<a href="([^"]*)">Look further back', html)
        address = SEARCH + further[1].replace("&amp;", "&") if further else ""
    assert len(seen) == searching.HITS_MAX + 12


def test_nonsense_finds_nothing(staff: Staff, answer: Message) -> None:
    client = staff(*READ)
    for query in ({"q": "\0"}, {"q": " "}, {"q": "paris", "p": "x"}, {"q": "\u0301"}, {"q": "x", "email": "\0"}):
        assert client.get(SEARCH, query).status_code == 200
    assert Conversation.objects.count() == 1
