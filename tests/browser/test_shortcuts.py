"""Keys that do what buttons do."""

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from tests.browser.acting import log, send
from tests.browser.conftest import PHONE, NewPage
from tests.factories import ConversationFactory, exchange
from tests.kit.provider import END, Gate, ScriptedProvider, Text, stream


@pytest.fixture
def chat(page: Page, user: User) -> Page:
    """A conversation's page, with the focus on the log."""
    page.goto(exchange(ConversationFactory.create(user=user), "Hello", "Good day").conversation.get_absolute_url())
    log(page).focus()
    return page


def test_n_begins_a_new_chat(chat: Page) -> None:
    chat.keyboard.press("n")
    chat.wait_for_url("/")


def test_a_slash_goes_to_the_search(chat: Page) -> None:
    chat.keyboard.press("/")
    search = chat.get_by_role("searchbox", name="Search")
    expect(search).to_be_focused()
    chat.keyboard.type("good/")
    expect(search).to_have_value("good/")
    search.fill("good")
    expect(chat.locator("#found mark")).to_have_text("Good")


def test_a_slash_opens_the_drawer_on_a_phone(new_page: NewPage, user: User) -> None:
    page = new_page(user, **PHONE)
    page.goto(exchange(ConversationFactory.create(user=user), "Hello", "Good day").conversation.get_absolute_url())
    log(page).focus()
    page.keyboard.press("/")
    page.keyboard.type("good")
    expect(page.locator("#found mark")).to_have_text("Good")


def test_keys_are_text_while_one_types_and_nothing_with_modifiers(chat: Page) -> None:
    url = chat.url
    for modifier in ("ctrlKey", "altKey", "metaKey"):
        chat.evaluate(
            """modifier => document.activeElement.dispatchEvent(
              new KeyboardEvent("keydown", { key: "n", bubbles: true, [modifier]: true }))""",
            modifier,
        )
    box = chat.get_by_role("textbox", name="Message")
    box.press_sequentially("n?/")
    expect(box).to_have_value("n?/")
    expect(chat.get_by_role("dialog")).to_have_count(0)
    assert chat.url == url


def test_the_list_of_shortcuts_opens_by_key_and_by_button_and_closes(chat: Page) -> None:
    dialog = chat.get_by_role("dialog", name="Keyboard shortcuts")
    chat.keyboard.press("?")
    expect(dialog).to_be_visible()
    expect(dialog.get_by_role("button", name="Close")).to_be_focused()
    for words in ("Search", "New chat", "Stop the reply"):
        expect(dialog).to_contain_text(words)
    chat.keyboard.press("Escape")
    expect(dialog).not_to_be_visible()
    chat.get_by_role("button", name="Account").click()
    chat.get_by_role("button", name="Keyboard shortcuts").click()
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).not_to_be_visible()


def test_escape_closes_what_is_open_before_it_stops_the_reply(page: Page, module_provider: ScriptedProvider) -> None:
    module_provider.play(stream(Text("One "), Gate("never"), *END))
    page.goto("/")
    send(page, "Count")
    expect(log(page)).to_contain_text("One")
    page.get_by_role("button", name="Account").click()
    expect(page.locator("#account")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#account")).not_to_be_visible()
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    page.get_by_role("textbox", name="Message").press("Escape")
    expect(log(page)).to_contain_text("You stopped this reply.")


def test_shortcuts_can_be_turned_off(chat: Page) -> None:
    url = chat.url
    chat.keyboard.press("?")
    with chat.expect_response("**/preferences/"):
        chat.get_by_role("button", name="Off").click()
    chat.get_by_role("button", name="Close").click()
    dialog = chat.get_by_role("dialog", name="Keyboard shortcuts")
    for _ in range(2):
        log(chat).focus()
        chat.keyboard.press("n")
        chat.keyboard.press("?")
        expect(dialog).not_to_be_visible()
        assert chat.url == url
        chat.reload()
    chat.get_by_role("button", name="Account").click()
    chat.get_by_role("button", name="Keyboard shortcuts").click()
    chat.get_by_role("button", name="On", exact=True).click()
    chat.get_by_role("button", name="Close").click()
    chat.keyboard.press("Escape")
    log(chat).focus()
    chat.keyboard.press("n")
    chat.wait_for_url("/")


def test_without_a_script_the_list_opens_and_the_choice_is_kept(new_page: NewPage, user: User) -> None:
    page = new_page(user, java_script_enabled=False)
    page.goto("/")
    page.get_by_role("button", name="Account").click()
    page.get_by_role("button", name="Keyboard shortcuts").click()
    page.get_by_role("button", name="Off").click()
    page.get_by_role("button", name="Account").click()
    page.get_by_role("button", name="Keyboard shortcuts").click()
    expect(page.get_by_role("button", name="Off")).to_have_attribute("aria-pressed", "true")
