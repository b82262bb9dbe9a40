"""The chat with JavaScript off: everything but the streaming."""

import re

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from conversations.models import Conversation, Message
from tests.browser.acting import log, send
from tests.browser.conftest import NewPage
from tests.factories import ConversationFactory, exchange
from tests.kit.provider import END, Gate, ScriptedProvider, Text, error, reply, stream


@pytest.fixture
def page(new_page: NewPage, user: User) -> Page:
    """A page without scripts."""
    return new_page(user, java_script_enabled=False)


def test_a_turn_is_sent_and_the_page_refreshes_itself_until_it_is_answered(
    page: Page, module_provider: ScriptedProvider
) -> None:
    module_provider.play(stream(Text("It is "), Gate("paris"), Text("**Paris**."), *END))
    page.goto("/")
    send(page, "What is the capital of France?")
    expect(page).to_have_url(re.compile(r"/c/[0-9a-f-]+/$"))
    expect(log(page)).to_contain_text("What is the capital of France?")
    expect(log(page)).to_contain_text("It is")
    expect(page.get_by_role("textbox", name="Message")).not_to_be_visible()
    module_provider.gate("paris").open()
    expect(log(page).locator("strong")).to_have_text("Paris")
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    assert page.locator("meta[http-equiv=refresh]").count() == 0


def test_stop_works(page: Page, module_provider: ScriptedProvider) -> None:
    module_provider.play(stream(Text("One "), Gate("never"), Text("two"), *END))
    page.goto("/")
    send(page, "Count")
    expect(log(page)).to_contain_text("One")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    assert Message.objects.get(role="assistant").content == "One "


def test_retry_works(page: Page, module_provider: ScriptedProvider) -> None:
    module_provider.play(error(401, "no"))
    module_provider.always(reply("Here it is."))
    page.goto("/")
    send(page, "Hello")
    page.get_by_role("button", name="Retry").click()
    expect(log(page)).to_contain_text("Here it is.")


def test_rename_and_delete_work(page: Page, user: User) -> None:
    conversation = exchange(ConversationFactory.create(user=user, title="Old name"), "Hello", "Good day").conversation
    page.goto(conversation.get_absolute_url())
    page.get_by_role("button", name="Conversation menu").click()
    page.get_by_role("button", name="Rename").click()
    page.get_by_role("textbox", name="Title").fill("New name")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="New name")).to_be_visible()
    page.get_by_role("button", name="Conversation menu").click()
    page.get_by_role("button", name="Delete").click()
    page.wait_for_url("/")
    assert not Conversation.objects.owned_by(user).exists()


def test_a_refused_message_stays_in_the_box(page: Page) -> None:
    page.goto("/")
    send(page, "x" * 10_001)
    expect(page.get_by_role("alert")).to_contain_text("too long")
    expect(page.get_by_role("textbox", name="Message")).to_have_value("x" * 10_001)


def test_older_messages_and_conversations_are_links(page: Page, user: User) -> None:
    conversation = ConversationFactory.create(user=user, title="The long one")
    for number in range(30):
        exchange(conversation, f"Question {number}", f"Answer {number}")
        ConversationFactory.create(user=user, title=f"Conversation {number}")
    page.goto("/")
    page.get_by_role("link", name="Earlier conversations").click()
    page.get_by_role("link", name="The long one").click()
    expect(page.get_by_text("Question 29", exact=True)).to_be_visible()
    page.get_by_role("link", name="Earlier messages").click()
    expect(page.get_by_text("Question 0", exact=True)).to_be_visible()


def test_the_theme_is_kept(page: Page) -> None:
    page.goto("/")
    page.get_by_role("button", name="Account").click()
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
