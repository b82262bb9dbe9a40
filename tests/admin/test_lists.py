"""The lists: paged by places, filtered within bounds, at the same number of queries however long."""

import re
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from conversations.admin import filters
from conversations.models import Conversation, Feedback, Generation, Message, Role, Status
from tests.admin.conftest import VIEW, Staff
from tests.factories import ConversationFactory, MessageFactory, UserFactory, exchange, long_chat
from tests.support.elements import read

pytestmark = pytest.mark.django_db

ADMIN = "/admin/conversations"
MANY = 130
LISTS = ("conversation", "message", "generation", "feedback")
LOG, PEOPLE = "/admin/admin/logentry/", "/admin/accounts/user/"
NOON = datetime(2026, 3, 31, 12, tzinfo=timezone.get_default_timezone())


def fill(count: int) -> None:
    """So many conversations of a question, an answer and a thumb up, a day apart, the newest at noon of 31 March."""
    people = UserFactory.create_batch(3)
    conversations, messages, generations, thumbs = [], [], [], []
    for number in range(count):
        time = NOON - timedelta(days=number)
        chat = Conversation(user=people[number % 3], title=f"Title {number}", created_at=time, updated_at=time)
        said = {"conversation": chat, "user": chat.user, "created_at": time}
        asked = Message(role=Role.USER, content="Question", **said)
        reply = Message(role=Role.ASSISTANT, content="Answer", parent=asked, **said)
        chat.current_message = reply
        conversations.append(chat)
        messages += [asked, reply]
        generations.append(Generation(message=reply, conversation=chat, status=Status.COMPLETE, model="small"))
        thumbs.append(Feedback(message=reply, user=chat.user, rating="up", updated_at=time))
    for chat in conversations:
        chat.current_message_id, chat.ends_with = None, chat.current_message_id  # type: ignore[attr-defined]
    Conversation.objects.bulk_create(conversations)
    Message.objects.bulk_create(messages)
    for chat in conversations:
        chat.current_message_id = chat.ends_with  # type: ignore[attr-defined]
    Conversation.objects.bulk_update(conversations, ["current_message"])
    Generation.objects.bulk_create(generations)
    Feedback.objects.bulk_create(thumbs)
    kind = ContentType.objects.get_for_model(Conversation)
    LogEntry.objects.bulk_create(
        LogEntry(
            user=chat.user,
            content_type=kind,
            object_id=str(chat.pk),
            action_flag=4,
            action_time=chat.updated_at,
            change_message=f"Read {chat.title}.",
        )
        for chat in conversations
    )


def listed(client: Client, address: str) -> tuple[list[str], str]:
    """The addresses of the page's rows, and the page."""
    response = client.get(address)
    assert response.status_code == 200, address
    html = response.content.decode()
    found = read(html).all('th[class^="field-"] a')
    return [link["href"].partition("?")[0] for link in found], html


def older(html: str) -> str:
    """The address of the next page; empty on the last one."""
    found = [link for link in read(html).all("a") if link.words in ("Older", "Look further back")]
    return found[0]["href"] if found else ""


@pytest.mark.parametrize("model", LISTS)
def test_pages_follow_each_other_without_a_gap_and_without_counting(staff: Staff, model: str) -> None:
    fill(MANY)
    client, seen, address = staff(*VIEW), list[str](), ""
    with CaptureQueriesContext(connection) as captured:
        while True:
            rows, html = listed(client, f"{ADMIN}/{model}/{address}")
            seen += rows
            if not (address := older(html)):
                break
    assert len(seen) == len(set(seen)) == (MANY * 2 if model == "message" else MANY)
    assert not [query["sql"] for query in captured if "COUNT(*)" in query["sql"] or "OFFSET" in query["sql"]]


def test_a_list_is_not_joined_to_another_in_the_same_order(staff: Staff) -> None:
    """PostgreSQL would merge the two from the first row on, however far back the page begins."""
    fill(3)
    place = Generation.objects.latest("pk").pk
    with CaptureQueriesContext(connection) as captured:
        listed(staff(*VIEW), f"{ADMIN}/generation/?p={place}&status=complete")
    lists = [query["sql"] for query in captured if 'ORDER BY "conversations_generation"' in query["sql"]]
    assert lists
    assert not [sql for sql in lists if "JOIN" in sql]


def test_what_happened_at_one_moment_is_paged_by_key(staff: Staff) -> None:
    fill(MANY)
    Conversation.objects.update(updated_at=NOON)
    Feedback.objects.update(updated_at=NOON)
    client = staff(*VIEW)
    for model in ("conversation", "feedback"):
        seen, address = list[str](), ""
        for _ in range(3):
            rows, html = listed(client, f"{ADMIN}/{model}/{address}")
            seen += rows
            address = older(html)
        assert len(set(seen)) == MANY
        assert not address


@pytest.mark.parametrize("address", [*(f"{ADMIN}/{model}/" for model in LISTS), LOG, PEOPLE])
def test_a_list_costs_the_same_queries_however_long(staff: Staff, address: str) -> None:
    client, costs = staff(), []
    for count in (3, 40):
        fill(count)
        client.get(address)
        with CaptureQueriesContext(connection) as captured:
            client.get(address)
        costs.append(len(captured))
        # People are counted, once, for the numbers of their pages.
        assert sum("COUNT(*)" in query["sql"] for query in captured) == (address == PEOPLE)
    assert costs[0] == costs[1] <= 11


def test_rows_are_found_by_the_person_and_by_key(staff: Staff, answer: Message) -> None:
    Feedback.objects.create(message=answer, user=answer.user, rating="up")
    client = staff(*VIEW)
    for model in LISTS:
        key = answer.conversation_id if model == "conversation" else answer.pk
        for query in (answer.user.email, answer.user.email[:7].upper(), str(key)):
            assert listed(client, f"{ADMIN}/{model}/?q={query}")[0], (model, query)
        for query in ("nobody@example.org", "%", "\0", "0198f5a4-0000-7000-8000-000000000000"):
            rows = listed(client, f"{ADMIN}/{model}/?q={query}")[0]
            assert not rows or query == "\0", (model, query)


def test_conversations_are_narrowed_by_what_is_known_of_them(staff: Staff, answer: Message) -> None:
    conversation = answer.conversation
    Generation.objects.filter(pk=answer.pk).update(status=Status.FAILED, error_code="provider_down", model="large")
    Feedback.objects.create(message=answer, user=answer.user, rating="down", comment="No")
    for number in range(10):
        Message.objects.create(conversation=conversation, user=answer.user, role=Role.USER, content=str(number))
    Conversation.objects.filter(pk=conversation.pk).update(pinned_at=timezone.now())
    exchange(ConversationFactory.create(), "Another", "Conversation")
    client = staff(*VIEW)
    for question in (
        "state=pinned",
        "last_status=failed",
        "last_error=provider_down",
        "last_model=large",
        "feedback=down",
        "size=10",
        f"user__id__exact={answer.user_id}",
        "size=10&feedback=down&last_status=failed",
    ):
        rows, _ = listed(client, f"{ADMIN}/conversation/?{question}")
        assert rows == [f"{ADMIN}/conversation/{conversation.pk}/change/"], question
    for question in ("state=trash", "last_status=stopped", "feedback=up", "size=50", "size=9", "last_model=other"):
        assert listed(client, f"{ADMIN}/conversation/?{question}")[0] == [], question


def test_the_other_lists_are_narrowed_too(staff: Staff, answer: Message) -> None:
    Generation.objects.filter(pk=answer.pk).update(status=Status.FAILED, error_code="provider_down", model="large")
    Feedback.objects.create(message=answer, user=answer.user, rating="down", comment="No")
    exchange(ConversationFactory.create(), "Another", "Conversation")
    client = staff(*VIEW)
    for question in (
        "generation/?status=failed",
        "generation/?error_code=provider_down",
        "generation/?model=large",
        f"generation/?message__conversation__id__exact={answer.conversation_id}",
        f"message/?conversation__id__exact={answer.conversation_id}&role=assistant",
        "feedback/?rating=down",
        "feedback/?comment=yes",
    ):
        rows, _ = listed(client, f"{ADMIN}/{question}")
        assert [row.split("/")[4] for row in rows] == [str(answer.pk)], question


def test_a_filter_without_an_index_looks_so_far_and_says_how_far(staff: Staff, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(MANY)
    oldest = Conversation.objects.earliest("updated_at")
    Conversation.objects.filter(pk=oldest.pk).update(pinned_at=NOON)
    monkeypatch.setattr(filters.StateFilter, "looks", 60)
    client, address, pages = staff(*VIEW), "?state=pinned", 0
    while True:
        rows, html = listed(client, f"{ADMIN}/conversation/{address}")
        if rows:
            break
        pages += 1
        assert "Looked through 60 conversations, back to" in html
        address = older(html)
    assert rows == [f"{ADMIN}/conversation/{oldest.pk}/change/"]
    assert pages == 2


def test_dates_lead_from_years_to_days(staff: Staff) -> None:
    fill(MANY)
    client = staff(*VIEW)
    years = read(listed(client, f"{ADMIN}/conversation/")[1]).all('a[href^="?updated_at__year="]')
    assert [year.words for year in years] == ["2026", "2025"]
    rows, html = listed(client, f"{ADMIN}/conversation/?updated_at__year=2026&updated_at__month=2")
    assert len(rows) == 28
    assert "February 2026" in html
    assert len(read(html).all('a[href*="updated_at__day="]')) == 28
    day = f"{ADMIN}/conversation/?updated_at__year=2026&updated_at__month=2&updated_at__day=3"
    assert len(listed(client, day)[0]) == 1
    for nonsense in (
        "updated_at__year=x",
        "updated_at__year=9999",
        "updated_at__year=2026&updated_at__month=2&updated_at__day=31",
        "updated_at__month=2",
        "p=x",
        "user__id__exact=x",
    ):
        assert client.get(f"{ADMIN}/conversation/?{nonsense}").status_code == 302, nonsense


def test_lists_in_the_order_of_keys_are_opened_at_a_date(staff: Staff) -> None:
    chat = ConversationFactory.create()
    times = [NOON - timedelta(days=number) for number in range(95)]
    keys = [UUID(int=int(time.timestamp() * 1_000) << 80 | 7 << 76 | 2 << 62 | 1) for time in times]
    said = {"conversation": chat, "user": chat.user, "role": Role.ASSISTANT}
    messages = [Message(pk=key, created_at=time, **said) for key, time in zip(keys, times, strict=True)]
    Message.objects.bulk_create(messages)
    Generation.objects.bulk_create(
        Generation(message=message, conversation=chat, status="failed") for message in messages
    )
    client = staff(*VIEW)

    def follow(html: str, words: str) -> tuple[list[str], str]:
        links = [link for link in read(html).all("a") if link.words == words]
        assert links, words
        return listed(client, f"{ADMIN}/generation/" + links[0]["href"])

    rows, html = listed(client, f"{ADMIN}/generation/?status=failed")
    assert str(keys[0]) in rows[0]
    rows, html = follow(html, "2025")
    assert str(keys[times.index(NOON - timedelta(days=90))]) in rows[0]
    rows, html = follow(follow(listed(client, f"{ADMIN}/generation/?status=failed")[1], "2026")[1], "Feb")
    assert "until 28 February 2026" in html
    assert str(keys[31]) in rows[0]
    rows, html = follow(html, "3")
    assert str(keys[31 + 25]) in rows[0]
    assert "status=failed" in html


def test_a_place_that_is_no_time_is_no_harm(staff: Staff, answer: Message) -> None:
    client = staff(*VIEW)
    for place in ("ffffffff-ffff-7fff-bfff-ffffffffffff", "00000000-0000-7000-8000-000000000000", str(uuid4())):
        assert client.get(f"{ADMIN}/generation/?p={place}").status_code == 200
        assert client.get(f"{ADMIN}/message/?p={place}", follow=True).status_code == 200
        assert client.get(f"{ADMIN}/conversation/?p=99999999999999999999-{place}").status_code == 302


def test_an_order_that_is_asked_for_is_not_followed(staff: Staff) -> None:
    fill(5)
    client = staff(*VIEW)
    for model in LISTS:
        rows, _ = listed(client, f"{ADMIN}/{model}/")
        for order in ("1", "-1", "2.-1"):
            assert listed(client, f"{ADMIN}/{model}/?o={order}")[0] == rows


def test_the_log_tells_who_read_whose_conversation(staff: Staff, answer: Message) -> None:
    staff("view_conversation", "read_message").get(f"{ADMIN}/conversation/{answer.conversation_id}/change/")
    reader = LogEntry.objects.get().user
    client = staff("view_logentry")
    html = client.get("/admin/admin/logentry/?action_flag=4").content.decode()
    for told in (reader.email, "Reading", answer.user.email, "Read 2 messages", str(answer.conversation_id)):
        assert told in html
    assert reader.email in client.get(f"/admin/admin/logentry/?q={reader.email}").content.decode()
    assert "Read 2 messages" not in client.get("/admin/admin/logentry/?action_flag=3").content.decode()
    key = LogEntry.objects.get().pk
    assert client.get(f"/admin/admin/logentry/{key}/change/").status_code == 200
    for path in (f"{key}/delete/", "add/"):
        assert client.post(f"/admin/admin/logentry/{path}", {"post": "yes"}).status_code == 403
    assert User.objects.filter(pk=reader.pk).exists()


def test_the_log_is_paged_and_narrowed_by_time(staff: Staff) -> None:
    fill(MANY)
    LogEntry.objects.filter(pk__in=LogEntry.objects.order_by("pk")[:60]).update(action_time=NOON)
    client, seen, address = staff("view_logentry"), list[str](), "?action_flag=4"
    while address:
        _, html = listed(client, LOG + address)
        seen += re.findall(r"Read Title \d+\.", html)
        address = older(html)
    assert len(seen) == len(set(seen)) == MANY
    assert 'href="?action_time__year=2025"' in listed(client, LOG)[1]
    for when, count in (("action_time__month=12", 31), ("action_time__month=12&action_time__day=3", 1)):
        assert len(re.findall("Read Title", listed(client, f"{LOG}?action_time__year=2025&{when}")[1])) == count
    key = Conversation.objects.get(title="Title 7").pk
    assert re.findall(r"Read Title \d+", listed(client, f"{LOG}?q={key}")[1]) == ["Read Title 7"]


def test_a_message_whose_key_a_program_chose_stands_at_its_time(staff: Staff) -> None:
    messages = long_chat(ConversationFactory.create(), 3)
    odd = MessageFactory.create(id=UUID(int=2**128 - 1), created_at=messages[1].created_at + timedelta(milliseconds=1))
    rows, _ = listed(staff(), "/admin/conversations/message/")
    order = [messages[2].pk, odd.pk, messages[1].pk, messages[0].pk]
    assert [row.split("/")[-3] for row in rows if row] == list(map(str, order))
