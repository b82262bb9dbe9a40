"""Thumbs, a word with them, and copying Markdown, with and without JavaScript."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from conversations.models import Feedback, Message
from tests.browser.acting import keep_notes, log, send
from tests.browser.conftest import PHONE, NewPage
from tests.factories import ConversationFactory, exchange
from tests.kit.provider import ScriptedProvider, reply
from tests.kit.server import ChatServer

SOURCE = "It is **Paris**.\n\n```python\nx = 1\n```\n"


@pytest.fixture
def answer(server: ChatServer, user: User) -> Message:
    return exchange(ConversationFactory.create(user=user), "Capital of France?", SOURCE)


@pytest.mark.parametrize(
    "options", [{}, PHONE, {"java_script_enabled": False}], ids=["desktop", "phone", "without scripts"]
)
def test_an_answer_is_rated_commented_and_the_rating_taken_back(
    new_page: NewPage, user: User, answer: Message, options: dict[str, Any]
) -> None:
    page = new_page(user, **options)
    page.goto(answer.conversation.get_absolute_url())
    page.get_by_role("button", name="Bad answer").click()
    expect(page.get_by_role("button", name="Bad answer")).to_have_attribute("aria-pressed", "true")
    if not page.get_by_role("textbox", name="What was wrong").is_visible():
        page.get_by_text("Add a comment").click()
    page.get_by_role("textbox", name="What was wrong").fill("Which Paris?")
    page.get_by_role("button", name="Save").click()
    expect(log(page).locator("summary")).to_have_text("Which Paris?")
    assert Feedback.objects.get().comment == "Which Paris?"
    page.reload()
    expect(log(page).locator("summary")).to_have_text("Which Paris?")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("button", name="Bad answer").click()
    expect(page.get_by_role("button", name="Bad answer")).to_have_attribute("aria-pressed", "false")
    expect(log(page).locator("summary")).to_have_count(0)
    assert not Feedback.objects.exists()


def test_rating_by_keyboard_keeps_the_focus(page: Page, answer: Message) -> None:
    page.goto(answer.conversation.get_absolute_url())
    good = page.get_by_role("button", name="Good answer")
    good.focus()
    good.press("Enter")
    word = page.get_by_role("textbox", name="What was good")
    expect(word).to_be_focused()
    word.fill("Short")
    page.get_by_role("button", name="Save").press("Enter")
    expect(log(page).locator("summary")).to_be_focused()
    good.focus()
    good.press("Enter")
    expect(good).to_have_attribute("aria-pressed", "false")
    expect(good).to_be_focused()


def test_an_answer_that_has_just_come_can_be_rated(page: Page, module_provider: ScriptedProvider) -> None:
    module_provider.play(reply("Paris."))
    page.goto("/")
    send(page, "Capital of France?")
    page.get_by_role("button", name="Good answer").click()
    expect(page.get_by_role("button", name="Good answer")).to_have_attribute("aria-pressed", "true")
    assert Feedback.objects.get().rating == "up"


def test_copying_gives_the_markdown(new_page: NewPage, user: User, answer: Message) -> None:
    page = new_page(user, permissions=["clipboard-read", "clipboard-write"])
    keep_notes(page)
    page.goto(answer.conversation.get_absolute_url())
    page.get_by_role("link", name="Copy reply").click()
    expect(page.get_by_role("link", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == SOURCE
    page.locator("figure button").click()
    expect(page.locator("figure [data-copied]")).to_have_count(1)
    assert page.evaluate("navigator.clipboard.readText()") == "x = 1"


@pytest.mark.parametrize("missing", ["ClipboardItem", "clipboard"])
def test_copying_works_where_the_browser_can_less(new_page: NewPage, user: User, answer: Message, missing: str) -> None:
    page = new_page(user, permissions=["clipboard-read", "clipboard-write"])
    keep_notes(page)
    page.add_init_script(
        "window.reading = navigator.clipboard;"
        "delete window.ClipboardItem;"
        f"if ('{missing}' === 'clipboard') Object.defineProperty(navigator, 'clipboard', {{ value: undefined }});"
    )
    page.goto(answer.conversation.get_absolute_url())
    page.get_by_role("link", name="Copy reply").click()
    expect(page.get_by_role("link", name="Copied")).to_be_visible()
    assert page.evaluate("reading.readText()") == SOURCE


@pytest.mark.parametrize("permissions", [["clipboard-read", "clipboard-write"], []], ids=["allowed", "refused"])
def test_what_cannot_be_fetched_is_not_copied(
    new_page: NewPage, user: User, answer: Message, permissions: list[str]
) -> None:
    page = new_page(user, permissions=permissions)
    keep_notes(page)
    page.goto(answer.conversation.get_absolute_url())
    # The pointer over the link brings the script; without it the page says that the server cannot be reached.
    with page.expect_response(re.compile(r"/copy[.\w]*\.js$")) as script:
        page.get_by_role("link", name="Copy reply").hover()
    script.value.finished()
    page.context.set_offline(offline=True)
    page.get_by_role("link", name="Copy reply").click()
    expect(page.get_by_role("link", name="Not copied")).to_be_visible()


def test_without_scripts_the_link_shows_the_markdown(new_page: NewPage, user: User, answer: Message) -> None:
    page = new_page(user, java_script_enabled=False)
    page.goto(answer.conversation.get_absolute_url())
    page.get_by_role("link", name="Copy reply").click()
    expect(page.get_by_text("It is **Paris**.")).to_be_visible()
