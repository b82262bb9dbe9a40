"""Conversations and their history through the API."""

import re

import pytest

from accounts.models import User
from conversations.models import Conversation, Message
from tests.api.program import Program
from tests.factories import ConversationFactory, exchange, long_chat
from tests.kit.provider import ScriptedProvider, stream
from tests.kit.provider.script import END, Gate, Text

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def conversation(user: User) -> Conversation:
    """A conversation with one exchange."""
    found = ConversationFactory.create(user=user, title="Greetings")
    exchange(found, "Hello", "Hi")
    return found


def test_conversations_come_in_pages_the_latest_first(program: Program) -> None:
    ConversationFactory.create_batch(5, user=program.user)
    ConversationFactory.create(title="A stranger's")
    pages = [program.get("conversations?limit=2").json]
    while cursor := pages[-1]["next_cursor"]:
        pages.append(program.get(f"conversations?limit=2&cursor={cursor}").json)
    assert [len(page["items"]) for page in pages] == [2, 2, 1]
    titles = [item["title"] for page in pages for item in page["items"]]
    assert titles == list(Conversation.objects.owned_by(program.user).newest_first().values_list("title", flat=True))


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "cursor=x", "cursor=1-2", "archived=perhaps"])
def test_a_page_that_is_none_is_refused(program: Program, query: str) -> None:
    answer = program.get(f"conversations?{query}")
    assert answer.problem == (422, "invalid")
    assert answer.json["errors"][0]["field"] == query.partition("=")[0]


def test_a_conversation_is_renamed_pinned_and_archived(program: Program, conversation: Conversation) -> None:
    path = f"conversations/{conversation.pk}"
    assert program.get(path).json["title"] == "Greetings"
    changed = program.ask("PATCH", path, {"title": "  Salutations ", "pinned": True})
    assert (changed.json["title"], changed.json["pinned"], changed.json["archived"]) == ("Salutations", True, False)
    assert program.ask("PATCH", path, {"archived": True}).json["archived"] is True
    assert program.get("conversations").json["items"] == []
    assert len(program.get("conversations?archived=true").json["items"]) == 1
    undone = program.ask("PATCH", path, {"archived": False, "pinned": False}).json
    assert (undone["title"], undone["pinned"], undone["archived"]) == ("Salutations", False, False)


@pytest.mark.parametrize("title", ["", "  ", "x" * 256, "a\0b", 5])
def test_a_title_that_is_none_is_refused(program: Program, conversation: Conversation, title: object) -> None:
    answer = program.ask("PATCH", f"conversations/{conversation.pk}", {"title": title})
    assert answer.problem == (422, "invalid")
    assert answer.json["errors"][0]["field"] == "title"


def test_a_deleted_conversation_is_in_the_trash(
    program: Program, conversation: Conversation, module_provider: ScriptedProvider
) -> None:
    module_provider.play(stream(Text("Half"), Gate("never"), *END))
    with program.events("chat", {"message": "And?", "conversation_id": str(conversation.pk)}) as events:
        next(event for event in events if event.name == "text.delta")
        assert program.ask("DELETE", f"conversations/{conversation.pk}").status == 204
        assert list(events)[-1].name == "error"
    for answer in (
        program.get(f"conversations/{conversation.pk}"),
        program.ask("DELETE", f"conversations/{conversation.pk}"),
        program.get(f"conversations/{conversation.pk}/messages"),
        program.say("Hello", conversation_id=str(conversation.pk)),
    ):
        assert answer.problem == (404, "not_found")
    assert Conversation.objects.trash_of(program.user).exists()


def test_a_long_history_comes_whole_or_in_pages(program: Program, conversation: Conversation) -> None:
    Message.objects.filter(conversation=conversation).delete()
    messages = [message.content for message in long_chat(conversation, 120)]
    path = f"conversations/{conversation.pk}/messages"
    whole = program.get(path)
    assert [message["content"] for message in whole.json] == messages
    assert "Link" not in whole.headers
    found: list[str] = []
    address = f"{path}?limit=50"
    while address:
        page = program.get(address)
        found = [message["content"] for message in page.json] + found
        link = re.fullmatch(r'<https?://[^/]+(/.*)>; rel="next"', page.headers.get("Link", ""))
        address = link[1] if link else ""
    assert found == messages


def test_a_page_of_long_messages_ends_early(program: Program, conversation: Conversation) -> None:
    Message.objects.filter(conversation=conversation).delete()
    messages = long_chat(conversation, 4)
    texts = [name * 1_500_000 for name in "abc"] + ["é" * 3_000_000]
    for message, text in zip(messages, texts, strict=True):
        Message.objects.filter(pk=message.pk).update(content=text)
    for query in ("", "?limit=3"):
        pages, address = list[list[str]](), f"conversations/{conversation.pk}/messages{query}"
        while address:
            page = program.get(address)
            pages.append([message["content"] for message in page.json])
            link = re.fullmatch(r'<https?://[^/]+(/.*)>; rel="next"', page.headers.get("Link", ""))
            address = link[1] if link else ""
        assert [len(page) for page in pages] == [1, 2, 1]
        assert [text for page in reversed(pages) for text in page] == texts


def test_the_history_before_anothers_message_is_not_there(program: Program, conversation: Conversation) -> None:
    theirs = exchange(ConversationFactory.create(), "Secret", "Answer")
    path = f"conversations/{conversation.pk}/messages"
    assert program.get(f"{path}?before={theirs.pk}").problem == (404, "not_found")
    assert program.get(f"{path}?before=x").problem == (422, "invalid")
    assert program.get(f"{path}?limit=0").problem == (422, "invalid")
