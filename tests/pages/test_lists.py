"""The pages that list conversations, and what is done there, as owner, stranger and somebody not signed in."""

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from conversations.models import Conversation, Message
from conversations.views.organizing import VERBS
from tests.factories import ConversationFactory, exchange
from tests.support.elements import read
from tests.support.pages import page

pytestmark = pytest.mark.django_db
PAGES = ["/conversations/", "/archive/", "/trash/"]


@pytest.fixture
def conversation(user: User) -> Conversation:
    """A conversation of `user`."""
    return exchange(ConversationFactory.create(user=user, title="Capitals"), "Hello", "Good day").conversation


def entries(html: str) -> list[str]:
    """What the box of each conversation in a list is called."""
    return [label.words for label in read(html).all('label[for^="select-"]')]


def undo(client: Client, html: str) -> str:
    """Press Undo in the notice of a page; the page that then comes."""
    (form,) = [form for form in read(html).all("form") if form.all('input[name="at"]')]
    response = client.post(form["action"], {"at": form.one('input[name="at"]')["value"]}, follow=True)
    return str(response.content.decode())


@pytest.mark.parametrize("path", PAGES)
def test_an_empty_list_says_what_will_be_there(signed_in: Client, path: str) -> None:
    html = page(signed_in, path)
    assert "select-" not in html
    assert re.search("no conversations yet|are kept here|The trash is empty", html)


@pytest.mark.parametrize("path", PAGES)
def test_somebody_who_is_not_signed_in_is_sent_to_sign_in(client: Client, path: str) -> None:
    assert client.get(path)["Location"].startswith("/accounts/login/?next=")


@pytest.mark.parametrize("path", PAGES)
def test_a_malformed_cursor_is_a_bad_request(signed_in: Client, path: str) -> None:
    assert signed_in.get(f"{path}?after=x").status_code == 400


@pytest.mark.parametrize(
    ("path", "column"), [("/conversations/", "updated_at"), ("/archive/", "archived_at"), ("/trash/", "trashed_at")]
)
def test_a_list_goes_on_where_it_ended(user: User, signed_in: Client, path: str, column: str) -> None:
    now = timezone.now()
    for number in range(60):
        ConversationFactory.create(user=user, title=f"T{number:02}", **{column: now - timedelta(minutes=number)})
    first = page(signed_in, path)
    assert entries(first) == [f"Select T{number:02}" for number in range(50)]
    further = read(first).one('[href^="?after="]')["href"]
    assert entries(page(signed_in, path + further)) == [f"Select T{number}" for number in range(50, 60)]


def test_delete_moves_to_the_trash_at_once_and_undo_brings_it_back(
    signed_in: Client, conversation: Conversation
) -> None:
    here = conversation.get_absolute_url()
    response = signed_in.post(f"{here}delete/", {"next": here}, follow=True)
    assert response.redirect_chain == [("/", 302)]
    html = response.content.decode()
    assert "Moved to the trash." in html
    assert "Capitals" not in html
    assert "Capitals" in page(signed_in, "/trash/")
    html = undo(signed_in, html)
    assert "Restored." in html
    assert "Good day" in html


def test_several_are_deleted_and_undo_brings_all_back(user: User, signed_in: Client) -> None:
    keys = [ConversationFactory.create(user=user).pk for _ in range(3)]
    response = signed_in.post("/conversations/delete/", {"ids": keys, "next": "/conversations/"}, follow=True)
    assert "3 conversations" in response.content.decode()
    assert not Conversation.objects.owned_by(user).exists()
    undo(signed_in, response.content.decode())
    assert Conversation.objects.owned_by(user).count() == 3


def test_archiving_can_be_undone(user: User, signed_in: Client, conversation: Conversation) -> None:
    response = signed_in.post("/conversations/archive/", {"ids": [conversation.pk]}, follow=True)
    assert "Archived." in response.content.decode()
    assert "Capitals" in page(signed_in, "/archive/")
    assert 'id="archived">Archived</span>' in page(signed_in, conversation.get_absolute_url())
    undo(signed_in, response.content.decode())
    assert Conversation.objects.owned_by(user).listed().exists()


def test_undo_touches_only_what_was_done_then(user: User, signed_in: Client) -> None:
    earlier = ConversationFactory.create(user=user, trashed_at=timezone.now() - timedelta(days=1))
    now = ConversationFactory.create(user=user)
    html = signed_in.post(f"/c/{now.pk}/delete/", follow=True).content.decode()
    undo(signed_in, html)
    assert Conversation.objects.trash_of(user).get() == earlier


def test_the_trash_restores_and_deletes_for_ever(user: User, signed_in: Client, conversation: Conversation) -> None:
    other = ConversationFactory.create(user=user, title="Other", trashed_at=timezone.now())
    signed_in.post("/conversations/delete/", {"ids": [conversation.pk]})
    signed_in.post(f"/c/{conversation.pk}/restore/", {"next": "/trash/"})
    assert Conversation.objects.owned_by(user).get() == conversation
    signed_in.post("/conversations/delete-forever/", {"ids": [other.pk, conversation.pk], "next": "/trash/"})
    assert Conversation.objects.get() == conversation


def test_the_trash_is_emptied_of_ones_own(
    user: User, stranger: User, signed_in: Client, conversation: Conversation
) -> None:
    for owner, age in ((user, 1), (user, 100), (stranger, 1)):
        ConversationFactory.create(user=owner, trashed_at=timezone.now() - timedelta(days=age))
    response = signed_in.post("/trash/empty/", follow=True)
    assert "The trash is empty" in response.content.decode()
    assert Conversation.objects.owned_by(user).get() == conversation
    assert Conversation.objects.exclude(pk=conversation.pk).get().user == stranger
    assert Message.objects.count() == 2


@pytest.mark.parametrize("verb", VERBS)
def test_nothing_selected_is_said(signed_in: Client, verb: str) -> None:
    response = signed_in.post(f"/conversations/{verb}/", {"next": "/conversations/"}, follow=True)
    assert "Select a conversation first." in response.content.decode()


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("data", [{"ids": "x"}, {"ids": ["", "1"]}])
def test_a_malformed_key_is_a_bad_request(signed_in: Client, verb: str, data: dict[str, str]) -> None:
    assert signed_in.post(f"/conversations/{verb}/", data).status_code == 400


@pytest.mark.parametrize("at", ["", "x", "9" * 30, "-1e9"])
def test_a_malformed_time_is_a_bad_request(signed_in: Client, at: str) -> None:
    assert signed_in.post("/conversations/restore/", {"at": at}).status_code == 400


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("who", ["stranger", "unknown", "anonymous"])
def test_only_the_owner_does_anything(
    conversation: Conversation, other_client: Client, client: Client, signed_in: Client, verb: str, who: str
) -> None:
    if VERBS[verb].in_trash:
        Conversation.objects.update(trashed_at=timezone.now())
    before = Conversation.objects.values().get()
    key = uuid4() if who == "unknown" else conversation.pk
    actor = {"stranger": other_client, "unknown": signed_in, "anonymous": client}[who]
    for path, data in ((f"/c/{key}/{verb}/", {}), (f"/conversations/{verb}/", {"ids": [key]})):
        response = actor.post(path, data)
        assert response.status_code == (302 if who == "anonymous" else 404)
        if who == "anonymous":
            assert response["Location"].startswith("/accounts/login/")
        assert actor.get(path).status_code in {302, 405}
    assert Conversation.objects.values().get() == before


def test_of_several_only_ones_own_are_changed(user: User, stranger: User, signed_in: Client) -> None:
    mine, theirs = (ConversationFactory.create(user=owner) for owner in (user, stranger))
    signed_in.post("/conversations/delete/", {"ids": [mine.pk, theirs.pk]})
    assert Conversation.objects.get(trashed_at=None) == theirs


def test_another_sites_address_is_not_gone_to(signed_in: Client, conversation: Conversation) -> None:
    response = signed_in.post(f"/c/{conversation.pk}/pin/", {"next": "https://evil.example/"})
    assert response["Location"] == "/"


def test_a_full_list_of_pinned_ones_says_so(user: User, signed_in: Client, conversation: Conversation) -> None:
    ConversationFactory.create_batch(50, user=user, pinned_at=timezone.now())
    response = signed_in.post(f"/c/{conversation.pk}/pin/", follow=True)
    assert "Unpin one" in response.content.decode()


def test_the_pinned_ones_stand_on_top(signed_in: Client, conversation: Conversation) -> None:
    signed_in.post(f"/c/{conversation.pk}/pin/")
    html = page(signed_in, "/")
    assert html.index("<h2>Pinned</h2>") < html.index("Capitals") < html.index("<h2>Today</h2>")


def test_html_in_a_title_is_shown_as_text(user: User, signed_in: Client) -> None:
    attack = '"><script>alert(1)</script>'
    ConversationFactory.create(user=user, title=attack)
    ConversationFactory.create(user=user, title=attack, archived_at=timezone.now())
    ConversationFactory.create(user=user, title=attack, trashed_at=timezone.now())
    for path in PAGES:
        assert "<script>alert" not in page(signed_in, path)


@pytest.mark.parametrize("address", ["foo", "account_logout"])
def test_the_address_to_go_back_to_is_no_views_name(
    signed_in: Client, conversation: Conversation, address: str
) -> None:
    done = signed_in.post(f"/c/{conversation.pk}/archive/", {"next": address})
    assert (done.status_code, done["Location"]) == (302, address)
    assert signed_in.post("/conversations/archive/", {"next": address})["Location"] == address
