"""A conversation longer than what the model sees, in a real browser."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from conversations.models import Generation, Message
from tests.browser.acting import log, send, words
from tests.browser.conftest import PHONE, NewPage
from tests.factories import ConversationFactory, exchange, last_said
from tests.kit.provider import ScriptedProvider, reply
from tests.kit.server import ChatServer

LINE = "The assistant no longer sees the messages above this line."


@pytest.fixture(scope="module")
def module_server(django_db_setup: None, module_provider: ScriptedProvider) -> Iterator[ChatServer]:
    """A server whose model sees little."""
    with ChatServer(OPENAI_BASE_URL=module_provider.url, CHAT_CONTEXT_TOKENS="512") as server:
        yield server


def neighbours(page: Page) -> list[str]:
    """The first words before and after the line."""
    texts: list[str] = page.locator(".messages > .window").evaluate(
        "line => [line.previousElementSibling, line.nextElementSibling].map(e => e.querySelector('.body').textContent)"
    )
    return [text.split()[0] for text in texts]


def test_the_line_comes_with_the_reply_that_saw_less_and_moves_with_the_next(
    page: Page, module_provider: ScriptedProvider
) -> None:
    module_provider.play(*[reply(f"Answer{number} it is.") for number in range(1, 6)])
    page.goto("/")
    for number in range(1, 6):
        send(page, f"Question{number} " + "x" * 400)
        expect(log(page)).to_contain_text(f"Answer{number} it is.")
        expect(page.get_by_role("button", name="Send")).to_be_visible()
        expect(page.get_by_text(LINE)).to_have_count(1 if number > 2 else 0)
    assert neighbours(page) == ["Answer3", "Question4"]
    streamed = words(page)
    page.reload()
    assert words(page) == streamed
    send(page, "y" * 3_000)
    expect(page.get_by_text("sees only its end")).to_have_count(1)
    expect(page.locator(".messages > .window")).to_have_count(1)


def test_the_line_on_an_older_page_is_found_by_scrolling_up(new_page: NewPage, user: User) -> None:
    conversation = ConversationFactory.create(user=user)
    for number in range(60):
        exchange(conversation, f"Question{number}", f"Answer{number}")
    start = Message.objects.get(content="Question20").created_at
    Generation.objects.filter(message=last_said(conversation)).update(window_start=start)
    page = new_page(user, **PHONE)
    page.goto(conversation.get_absolute_url())
    page.locator(".older").first.scroll_into_view_if_needed()
    expect(page.get_by_text(LINE)).to_have_count(1)
    expect(page.get_by_text("no longer sees the oldest messages")).to_have_count(0)
    assert neighbours(page) == ["Answer19", "Question20"]
