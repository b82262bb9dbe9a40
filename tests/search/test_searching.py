"""Finding what was said, as its owner, a stranger and somebody who is not signed in."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from conversations.models import Conversation
from conversations.pages.found import marked
from conversations.search import searching
from conversations.search.searching import search
from tests.factories import ConversationFactory, MessageFactory, ReplyFactory, exchange
from tests.models.test_indexes import explain_sql, sequential_scans
from tests.support.elements import read
from tests.support.pages import HTMX

pytestmark = pytest.mark.django_db


def said(user: User, text: str, **fields: Any) -> Conversation:
    """A conversation in which this was said."""
    conversation = ConversationFactory.create(user=user, **({"title": "Untitled"} | fields))
    MessageFactory.create(conversation=conversation, content=text)
    return conversation


def found(user: User, query: str) -> list[str]:
    """The titles and the texts that are found."""
    result = search(user, query)
    return [hit.title for hit in result.titles] + [hit.excerpt for hit in result.messages]


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("The capital of France", "capital"),
        ("The capital of France", "CAPITAL"),
        ("The capital of France", "france capital"),
        ("The capital of France", "pita"),
        ("The capital\nof\tFrance", "capital of"),
        ("Ask an AI first", "ai"),
        ("A café in Zürich", "cafe zurich"),
        ("A cafe in Zurich", "Café Zürich"),
        ("Cafe\u0301 in decomposed letters", "café"),
        ("Ёлка стоит в Москве", "елка москв"),
        ("ΟΔΟΣ και οδός", "οδος"),
        ("我在北京大学读书。", "北京"),
        ("我在北京大学读书。", "京大学"),
        ("我家有一只猫", "猫"),
        ("新しいカメラを買いました", "カメラ"),
        ("猫はねこです", "ねこ"),
        ("서울에서 만나요", "서울"),
        ("ฉันรักประเทศไทยมาก", "ประเทศ"),
        ("مرحبا بالعالم", "العالم"),
        ("שלום עולם", "עולם"),
        ("नमस्ते दुनिया", "दुनिया"),
        ("Well done 🎉 friend", "🎉"),
        ("A family 👩‍👩‍👧 here", "👧"),
        ("Costs 5 € in all", "€"),
        ("Is C++ faster?", "c++"),
        ("100% sure_thing \\ end", "100%"),
        ("100% sure_thing \\ end", "sure_thing \\"),
        ("a -> b", "->"),
        ("It's here: (a & b) | !c", "(a & b) | !c"),
        ("iPhone手机很贵", "iphone手机"),
        ("ＡＢＣ in full width", "abc"),
    ],
)
def test_any_part_of_a_word_in_any_script_is_found(user: User, text: str, query: str) -> None:
    said(user, text)
    said(user, "Something else altogether")
    assert found(user, query) == [text]
    for word in query.split():
        assert searching.grams(searching.folded([word])[0]) <= grams_of(text), word


def grams_of(text: str) -> set[str]:
    """What the index has of a text."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT chat_grams(%s)", [text])
        return set(cursor.fetchone()[0])


def test_the_index_finds_what_the_newest_messages_do_not_hold(user: User) -> None:
    conversation = said(user, "The needle, nadel, иголка, 针 and 🪡")
    now = timezone.now()
    for number in range(searching.NEWEST + 1):
        MessageFactory.create(conversation=conversation, content="Hay", created_at=now + timedelta(seconds=number))
    for query in ("needle", "eedl", "nadel needle", "иголка", "针", "🪡", "ne"):
        assert len(found(user, query)) == 1, query
    assert found(user, "needles") == []


@pytest.mark.parametrize("query", ["", " ", "\t\n", "\0", "\x01\x02"])
def test_nothing_to_look_for_finds_nothing_and_asks_nothing(user: User, query: str) -> None:
    said(user, "Hello")
    with CaptureQueriesContext(connection) as captured:
        assert found(user, query) == []
    assert len(captured) == 0


@pytest.mark.parametrize(
    "query",
    [
        *"&|!():*\"'%_\\;-+~<>[]{}^$#@=,.?/",
        "& | ! ( )",
        "%%%",
        "___",
        "\\",
        "' OR 1=1 --",
        "%s %(user)s {}",
        "a" * 100_000,
        "ab " * 50_000,
        "\0hel\0lo",
        "\ud800",
        "\u0301",
        "\ufdfa" * 200,
        "﷽",
        "🎉" * 500,
    ],
)
def test_a_strange_search_is_answered_and_finds_nothing_that_is_not_there(
    user: User, stranger: User, signed_in: Client, query: str
) -> None:
    said(stranger, "Private & | ! ( ) : * \" ' % _ \\ ; - ab hello")
    said(user, "Good day")
    response = signed_in.get("/search/", {"q": query.encode("utf-8", "replace")})
    assert response.status_code == 200
    assert "Private" not in response.content.decode()
    assert "Good day" not in response.content.decode()
    assert signed_in.get("/search/", {"q": query.encode("utf-8", "surrogatepass")}, headers=HTMX).status_code == 200


def test_only_ones_own_is_found(user: User, stranger: User, client: Client) -> None:
    said(stranger, "A secret wish", title="Secret title")
    assert found(user, "secret") == []
    assert client.get("/search/?q=secret")["Location"].startswith("/accounts/login/")


def test_what_is_in_the_trash_is_not_found(user: User) -> None:
    said(user, "A secret wish", title="Secret title", trashed_at=timezone.now())
    assert found(user, "secret") == []


def test_a_draft_is_not_found(user: User) -> None:
    ReplyFactory.create(
        conversation__user=user, content="", generation__status="pending", generation__draft="A secret wish"
    )
    assert found(user, "secret") == []


def test_titles_come_first_then_words_that_stand_together_then_the_newest(user: User) -> None:
    now = timezone.now()
    texts = ["red and then roses", "old red roses", "new red roses", "roses are red"]
    conversation = ConversationFactory.create(user=user, title="Flowers")
    for number, text in enumerate(texts):
        MessageFactory.create(conversation=conversation, content=text, created_at=now + timedelta(seconds=number))
    said(user, "Nothing", title="Red roses")
    assert found(user, "red roses") == [
        "Red roses", "new red roses", "old red roses", "roses are red", "red and then roses",
    ]  # fmt: skip


def test_an_archived_conversation_is_found_and_marked_as_such(user: User, signed_in: Client) -> None:
    said(user, "A distant memory", archived_at=timezone.now())
    assert "Archived</span>" in signed_in.get("/search/?q=memory", headers=HTMX).content.decode()


def test_a_hit_leads_to_its_message_on_its_branch(user: User, signed_in: Client) -> None:
    answer = exchange(ConversationFactory.create(user=user), "What is the capital?", "It is Paris.")
    page = signed_in.get("/search/?q=paris", headers=HTMX).content.decode()
    url = f"{answer.conversation.get_absolute_url()}?at={answer.pk}#m-{answer.pk}"
    assert f'href="{url}"' in page
    assert "It is <mark>Paris</mark>." in page
    assert f'id="m-{answer.pk}"' in signed_in.get(url).content.decode()


def test_the_page_works_as_a_plain_form_too(user: User, signed_in: Client) -> None:
    said(user, "A distant memory")
    page = signed_in.get("/search/?q=memory").content.decode()
    assert "<mark>memory</mark>" in page
    assert 'value="memory"' in page
    assert "<html" in page
    assert "<html" not in signed_in.get("/search/?q=memory", headers=HTMX).content.decode()
    assert "No results" in signed_in.get("/search/?q=nowhere").content.decode()
    assert "Search the titles" in signed_in.get("/search/").content.decode()


def test_what_was_found_is_shown_as_text(user: User, signed_in: Client) -> None:
    attack = "<script>alert(1)</script><img src=x onerror=alert(1)> needle </mark>"
    said(user, attack, title=attack)
    for query in ("needle", "<script>", "<img src", "script>alert(1)</script"):
        for headers in ({}, HTMX):
            page = signed_in.get("/search/", {"q": query}, headers=headers).content.decode()
            assert "<script>alert" not in page
            assert "<img src" not in page
            assert read(page).text().count("onerror=alert(1)> needle </mark>") >= 2


@pytest.mark.parametrize(
    ("text", "terms", "expected"),
    [
        ("a cafe, a CAFÉ", ["cafe"], "a <mark>cafe</mark>, a <mark>CAFÉ</mark>"),
        ("abcabc", ["abc"], "<mark>abcabc</mark>"),
        ("abcd", ["abc", "bcd"], "<mark>abcd</mark>"),
        ("<b> & <i>", ["<b>", "&"], "<mark>&lt;b&gt;</mark> <mark>&amp;</mark> &lt;i&gt;"),
        ("an ai again", ["ai"], "an <mark>ai</mark> again"),
        ("ﬁne Ⅳ", ["fi", "iv"], "<mark>ﬁ</mark>ne <mark>Ⅳ</mark>"),
        ("nothing", ["x"], "nothing"),
        ("", ["x"], ""),
    ],
)
def test_hits_are_marked_as_they_were_written(text: str, terms: list[str], expected: str) -> None:
    assert marked(text, terms) == expected


def test_of_a_long_message_the_passage_around_the_hit_is_shown(user: User, signed_in: Client) -> None:
    said(user, f"{'before ' * 500}needle{' after' * 500}")
    page = signed_in.get("/search/?q=needle", headers=HTMX).content.decode()
    passage = read(page).one("mark").parent
    assert passage
    assert re.fullmatch("You: …[^…]{50,60}needle[^…]{150,180}…", passage.text().strip())


# --- Its indexes ------------------------------------------------------------------------------------------------------


def test_a_search_reads_its_indexes_in_a_large_table(user: User) -> None:
    """The person has a tenth of it, and every other message holds a piece of what is looked for."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO accounts_user (id, email, password, is_superuser, is_staff, is_active, date_joined)
            SELECT gen_random_uuid(), number || '@example.net', '', false, false, true, now()
            FROM generate_series(1, 9) AS number;
            INSERT INTO conversations_conversation (id, user_id, title, created_at, updated_at, model, system_prompt)
            SELECT gen_random_uuid(), id, 'Title ' || number, now(), now(), '', ''
            FROM accounts_user, generate_series(1, 200) AS number;
            INSERT INTO conversations_message (id, conversation_id, user_id, role, content, created_at)
            SELECT gen_random_uuid(), id, user_id, 'user', 'Only hay ' || number, now()
            FROM conversations_conversation, generate_series(1, 10) AS number;
            ANALYZE conversations_conversation, conversations_message;
            """
        )
    with CaptureQueriesContext(connection) as captured:
        search(user, "haystack needle")
    plans = {query["sql"]: explain_sql(query["sql"]) for query in captured if "unnest" in query["sql"]}
    used = [index for plan in plans.values() for index in index_names(plan)]
    assert {"message_search", "conversation_search", "message_user_created"} <= set(used)
    assert not [scan for plan in plans.values() for scan in sequential_scans(plan)]


def index_names(plan: dict[str, Any]) -> list[str]:
    """The indexes that a plan reads."""
    own = [plan["Index Name"]] if "Index Name" in plan else []
    return own + [name for child in plan.get("Plans", []) for name in index_names(child)]
