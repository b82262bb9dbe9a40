"""Looking for what was said."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone

from conversations.admin import searching
from conversations.models import Conversation, Message
from conversations.search.everybody import MESSAGES, TITLES, scan
from tests.admin.conftest import READ, Staff
from tests.factories import ConversationFactory, exchange, long_chat
from tests.support.elements import read

pytestmark = pytest.mark.django_db

SEARCH = "/admin/conversations/conversation/search/"
RESULT = r"/conversation/([0-9a-f-]+)/change/"
DAY = timedelta(days=1)


def test_texts_and_titles_of_everybody_are_found_and_lead_to_their_place(staff: Staff, answer: Message) -> None:
    client = staff(*READ)
    html = client.get(SEARCH, {"q": "paris"}).content.decode()
    assert f"/conversation/{answer.conversation_id}/change/?at={answer.pk}#m-{answer.pk}" in html
    assert "<mark>Paris</mark>" in html
    assert answer.user.email in html
    assert "Looked through 2 messages, back to" in html
    assert "<mark>Capitals</mark>" in client.get(SEARCH, {"q": "capitals"}).content.decode()
    assert "No results." in client.get(SEARCH, {"q": "Madrid"}).content.decode()


def test_a_persons_texts_are_found_by_their_index(staff: Staff, answer: Message) -> None:
    exchange(ConversationFactory.create(), "And Paris?", "Another Paris.")
    client = staff(*READ)
    html = client.get(SEARCH, {"q": "paris", "email": answer.user.email}).content.decode()
    assert str(answer.pk) in html
    assert "Another" not in html
    assert "No account has" in client.get(SEARCH, {"q": "paris", "email": "no@example.org"}).content.decode()


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
    scanned, found = scan(replace(MESSAGES, block=10, at_most=20), ("needle",))
    assert (scanned.rows, found) == (20, [])
    assert scanned.place is not None
    scanned, found = scan(replace(MESSAGES, block=10, at_most=30), ("needle",), scanned.place)
    assert (scanned.rows, len(found), scanned.place) == (20, 2, None)


def test_titles_are_looked_through_in_the_same_way() -> None:
    now = timezone.now()
    for number in range(8):
        title = "needle" if number > 4 else "hay"
        ConversationFactory.create(title=title, updated_at=now - number * DAY)
    scanned, found = scan(replace(TITLES, block=2, at_most=4), ("needle",))
    assert (scanned.rows, found) == (4, [])
    assert scanned.place is not None
    scanned, found = scan(replace(TITLES, block=3, hits=2), ("needle",), scanned.place)
    assert [hit.time for hit, _ in found] == [now - 5 * DAY, now - 6 * DAY]
    assert scanned.place is not None
    assert len(scan(TITLES, ("needle",), scanned.place)[1]) == 1


def test_more_hits_than_a_page_shows_are_on_the_next_one(staff: Staff) -> None:
    long_chat(ConversationFactory.create(), MESSAGES.hits + 12)
    ConversationFactory.create_batch(TITLES.hits + 3, title="A message")
    client = staff(*READ)
    for noun, count in (("message", MESSAGES.hits + 12), ("title", TITLES.hits + 3)):
        seen, address = list[str](), f"{SEARCH}?q=message"
        while address:
            page = read(client.get(address).content.decode())
            hits = [link["href"] for link in page.all("ol.hits a")]
            seen += [hit for hit in hits if ("#m-" in hit) == (noun == "message")]
            further = page.all(f'nav[aria-label="Further {noun}s"] a')
            address = SEARCH + further[0]["href"] if further else ""
        assert len(seen) == len(set(seen)) == count, noun


def test_what_is_in_the_trash_is_found_and_told_of(staff: Staff, answer: Message) -> None:
    Conversation.objects.update(trashed_at=timezone.now())
    client = staff(*READ)
    for query in ("paris", "capitals"):
        for email in ("", answer.user.email):
            html = client.get(SEARCH, {"q": query, "email": email}).content.decode()
            assert "<mark>" in html, (query, email)
            assert "in the trash</strong>" in html, (query, email)


def test_a_search_is_narrowed_to_days(staff: Staff, answer: Message) -> None:
    noon = datetime(2026, 3, 31, 12, tzinfo=timezone.get_default_timezone())
    Message.objects.update(created_at=noon)
    Conversation.objects.update(updated_at=noon)
    client = staff(*READ)
    for query in ("paris", "capitals"):
        for email in ("", answer.user.email):
            for since, until, is_found in (
                ("2026-03-31", "2026-03-31", True),
                ("", "2026-03-31", True),
                ("2026-04-01", "", False),
                ("", "2026-03-30", False),
                ("2026-13-01", "x", True),
                ("", "9999-12-31", True),
            ):
                asked = {"q": query, "email": email, "from": since, "to": until}
                assert ("<mark>" in client.get(SEARCH, asked).content.decode()) is is_found, asked


def test_nonsense_finds_nothing(staff: Staff, answer: Message) -> None:
    client = staff(*READ)
    for query in ({"q": "\0"}, {"q": " "}, {"q": "paris", "p": "x"}, {"q": "\u0301"}, {"q": "x", "email": "\0"}):
        assert client.get(SEARCH, query).status_code == 200
    assert Conversation.objects.count() == 1
