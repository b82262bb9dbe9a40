"""`manage.py seed_demo` adds people and conversations that look like real ones."""

import io

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from conversations.models import Conversation, Generation, Message, Role


def seed(*arguments: str) -> str:
    output = io.StringIO()
    call_command("seed_demo", *arguments, stdout=output, stderr=io.StringIO())
    return output.getvalue()


@pytest.mark.django_db
def test_there_are_as_many_as_asked_for_and_each_chat_is_a_branch_of_turns() -> None:
    said = seed("--users", "5", "--conversations", "250", "--messages", "4k", "--force")
    assert "5 people with 250 conversations and 4,000 messages" in said
    assert [User.objects.count(), Conversation.objects.count(), Message.objects.count()] == [5, 250, 4_000]
    assert Generation.objects.count() == Message.objects.filter(role=Role.ASSISTANT).count() == 2_000
    for conversation in Conversation.objects.all()[:20]:
        first, *others = conversation.messages.oldest_first()
        assert first.parent is None
        assert conversation.title == first.content[:80]
        assert conversation.current_message == (others or [first])[-1]
        assert [message.parent for message in others] == [first, *others[:-1]]
        assert conversation.updated_at == others[-1].created_at


@pytest.mark.django_db
def test_the_same_seed_says_the_same_things() -> None:
    for _ in range(2):
        seed("--users=2", "--conversations=5", "--messages=40", "--seed=7", "--force")
    texts = list(Message.objects.oldest_first().values_list("content", flat=True))
    assert sorted(texts[::2] + texts[1::2]) == sorted(texts)
    assert sorted(set(map(texts.count, texts)))[0] >= 2


@pytest.mark.django_db
def test_with_a_password_the_first_person_signs_in_and_sees_the_page() -> None:
    said = seed("--users=1", "--conversations=3", "--messages=30", "--password=a word to enter", "--force")
    email = said.split()[-1].rstrip(".")
    client = Client()
    assert client.login(email=email, password="a word to enter")
    newest = Conversation.objects.listed().newest_first()[0]
    assert f'href="{newest.get_absolute_url()}"' in client.get("/").text


@pytest.mark.django_db
def test_it_refuses_outside_debug_and_what_cannot_be(settings: Settings) -> None:
    with pytest.raises(CommandError, match="--force"):
        seed()
    settings.DEBUG = True
    with pytest.raises(CommandError, match="needs two messages"):
        seed("--conversations=100", "--messages=10")
    with pytest.raises(CommandError, match="not a count"):
        seed("--users=several")
    assert not User.objects.exists()


@pytest.mark.django_db
def test_a_person_pins_few_conversations_however_many_there_are() -> None:
    seed("--users=2", "--conversations=600", "--messages=1200", "--seed=3", "--force")
    pinned = [user.conversations.filter(pinned_at__isnull=False).count() for user in User.objects.all()]
    assert max(pinned) == 3
