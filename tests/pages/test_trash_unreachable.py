"""Nothing in the trash is reachable: every address of the site is walked, so that a later one is covered too."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from accounts.models import User
from conversations.models import Conversation, Generation, Message, Status
from conversations.views.organizing import VERBS
from tests.factories import ConversationFactory, ReplyFactory, exchange
from tests.support.pages import HTMX

pytestmark = pytest.mark.django_db
SECRET = "Zanzibar"
FROM_TRASH = {f"{noun}-{verb}" for noun in ("conversation", "conversations") for verb in VERBS if VERBS[verb].in_trash}
"""What is done in the trash itself."""

OTHERS = {"trash", "trash-empty"}


def patterns(resolver: URLResolver, *, inside: bool = False) -> Iterator[URLPattern]:
    """The addresses of the chat itself, without those of accounts and the admin."""
    for part in resolver.url_patterns:
        if isinstance(part, URLResolver):
            # Programs come in by tokens, not as whoever is signed in: see `tests/api`.
            if getattr(part.urlconf_module, "__name__", "") == "conversations.urls":
                yield from patterns(part, inside=True)
        elif inside:
            yield part


def names(*, with_key: bool) -> list[str]:
    found = [pattern for pattern in patterns(get_resolver()) if pattern.name not in FROM_TRASH | OTHERS]
    return [str(pattern.name) for pattern in found if bool(pattern.pattern.converters) == with_key]


@pytest.fixture
def thrown_away(user: User) -> Conversation:
    """A conversation in the trash, with a reply that ended and one that failed."""
    conversation = ConversationFactory.create(user=user, title=f"{SECRET} title")
    last = exchange(conversation, f"{SECRET} question", f"{SECRET} answer")
    ReplyFactory.create(conversation=conversation, parent=last.parent, generation__status=Status.FAILED)
    conversation.trashed_at = timezone.now()
    conversation.save(update_fields=["trashed_at"])
    return conversation


def keys_of(conversation: Conversation) -> list[UUID]:
    return [conversation.pk, *conversation.messages.values_list("pk", flat=True)]


def rows(conversation: Conversation) -> list[object]:
    return [
        Conversation.objects.values().get(pk=conversation.pk),
        *Message.objects.filter(conversation=conversation).order_by("pk").values(),
        *Generation.objects.filter(conversation=conversation).order_by("pk").values(),
    ]


def test_there_are_addresses_to_walk() -> None:
    assert {"conversation-detail", "conversation-rename", "message-stream"} <= set(names(with_key=True))
    assert {"conversation-new", "archive", "conversations"} <= set(names(with_key=False))


@pytest.mark.parametrize("name", names(with_key=True))
def test_an_address_with_its_key_does_not_find_it(signed_in: Client, thrown_away: Conversation, name: str) -> None:
    before = rows(thrown_away)
    data = {"message": "Hello", "title": "New", "turn": str(uuid4()), "content": "Hello", "rating": "up", "model": ""}
    for key in keys_of(thrown_away):
        path = reverse(name, args=(key,))
        for headers in ({}, HTMX):
            for response in (signed_in.get(path, headers=headers), signed_in.post(path, data, headers=headers)):
                assert response.status_code in {404, 405}, path
                assert SECRET not in response.content.decode()
    assert rows(thrown_away) == before


@pytest.mark.parametrize("name", names(with_key=False))
def test_an_address_without_a_key_shows_and_changes_nothing_of_it(
    signed_in: Client, thrown_away: Conversation, name: str
) -> None:
    before = rows(thrown_away)
    ids = [str(key) for key in keys_of(thrown_away)]
    for data in ({"ids": ids, "q": SECRET}, {"ids": ids[:1], "q": "title", "format": "json"}):
        for response in (signed_in.get(reverse(name), data), signed_in.post(reverse(name), data)):
            body = b"".join(response) if response.streaming else response.content
            assert response.status_code < 500
            # The page may repeat what was looked for, but not what it is a part of.
            assert not [part for part in ("title", "question", "answer") if f"{SECRET} {part}" in body.decode()]
    assert rows(thrown_away) == before


def test_what_was_typed_for_it_is_given_back(signed_in: Client, thrown_away: Conversation) -> None:
    response = signed_in.post(thrown_away.get_absolute_url(), {"message": "A long thought"})
    assert response.status_code == 404
    assert "A long thought" in response.content.decode()
    response = signed_in.post(thrown_away.get_absolute_url(), {"message": "A long thought"}, headers=HTMX)
    assert "What you typed stays in the box" in response.content.decode()


def test_past_its_days_it_is_not_even_in_the_trash(user: User, signed_in: Client) -> None:
    old = ConversationFactory.create(user=user, title=SECRET, trashed_at=timezone.now() - timedelta(days=31))
    assert SECRET not in signed_in.get("/trash/").content.decode()
    for verb in ("restore", "delete-forever"):
        assert signed_in.post(f"/c/{old.pk}/{verb}/").status_code == 404
        assert signed_in.post(f"/conversations/{verb}/", {"ids": [old.pk]}).status_code == 404
