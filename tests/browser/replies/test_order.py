"""Pinning, archiving, throwing away and finding conversations in a real browser."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from accounts.models import User
from conversations.models import Conversation
from tests.browser.conftest import PHONE, NewPage
from tests.factories import ConversationFactory, exchange

WAYS = pytest.mark.parametrize(
    "options", [{}, {"java_script_enabled": False}, PHONE], ids=["desktop", "plain", "phone"]
)


def listed(page: Page) -> Locator:
    """The sidebar's list."""
    return page.get_by_role("navigation", name="Conversations", include_hidden=True)


def choose(page: Page, action: str) -> None:
    """Choose an action in the conversation's menu."""
    page.get_by_role("button", name="Conversation menu").click()
    page.locator("#conversation-menu").get_by_role("button", name=action, exact=True).click()


@WAYS
def test_pin_archive_and_throw_away_and_take_it_back(new_page: NewPage, user: User, options: dict[str, object]) -> None:
    conversation = exchange(ConversationFactory.create(user=user, title="Capitals"), "Hello", "Good day").conversation
    page = new_page(user, **options)
    page.goto(conversation.get_absolute_url())
    choose(page, "Pin")
    expect(listed(page).locator("section", has_text="Pinned")).to_contain_text("Capitals")
    choose(page, "Unpin")
    expect(listed(page).locator("section", has_text="Pinned")).to_have_count(0)
    choose(page, "Archive")
    expect(page.get_by_role("status").filter(has_text="Archived.")).to_be_visible()
    expect(listed(page)).not_to_contain_text("Capitals")
    page.get_by_role("button", name="Undo").click()
    expect(listed(page)).to_contain_text("Capitals")
    choose(page, "Delete")
    expect(page).to_have_url(re.compile(r"/$"))
    expect(page.get_by_text("Moved to the trash.")).to_be_visible()
    expect(listed(page)).not_to_contain_text("Capitals")
    page.get_by_role("button", name="Undo").click()
    expect(page).to_have_url(re.compile(str(conversation.pk)))
    expect(page.get_by_text("Good day")).to_be_visible()


@WAYS
def test_several_are_selected_thrown_away_and_deleted_for_ever(
    new_page: NewPage, user: User, options: dict[str, object]
) -> None:
    for number in range(4):
        ConversationFactory.create(user=user, title=f"Chat {number}")
    page = new_page(user, **options)
    page.goto("/conversations/")
    for number in (1, 2):
        page.get_by_role("checkbox", name=f"Select Chat {number}").check()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("Moved to the trash: 2 conversations.")).to_be_visible()
    page.goto("/trash/")
    page.get_by_role("button", name="Restore Chat 1").click()
    expect(page.get_by_text("Restored.")).to_be_visible()
    page.get_by_role("checkbox", name="Select Chat 2").check()
    page.get_by_role("button", name="Delete forever").click()
    assert Conversation.objects.count() == 4
    page.locator("#forever").get_by_role("button", name="Delete forever").click()
    expect(page.get_by_text("The trash is empty.")).to_be_visible()
    assert Conversation.objects.owned_by(user).count() == Conversation.objects.count() == 3


def test_all_and_a_range_are_selected_at_once(page: Page, user: User) -> None:
    for number in range(5):
        ConversationFactory.create(user=user, title=f"Chat {number}")
    page.goto("/conversations/")
    boxes = page.get_by_role("checkbox", name=re.compile("Select Chat"))
    page.get_by_role("checkbox", name="Select all").check()
    assert [box.is_checked() for box in boxes.all()] == [True] * 5
    page.get_by_role("checkbox", name="Select all").uncheck()
    boxes.nth(1).click()
    boxes.nth(3).click(modifiers=["Shift"])
    assert [box.is_checked() for box in boxes.all()] == [False, True, True, True, False]


@WAYS
def test_what_was_said_is_found_and_leads_to_its_message(
    new_page: NewPage, user: User, options: dict[str, object]
) -> None:
    conversation = ConversationFactory.create(user=user, title="Long ago")
    for number in range(40):
        exchange(conversation, f"Question {number}", f"Answer {number}" + (" about needles" if number == 3 else ""))
    page = new_page(user, **options)
    page.goto("/search/")
    page.get_by_role("searchbox", name="Search for").fill("EEDLE")
    page.get_by_role("button", name="Search", exact=True).click()
    hit = page.locator("#results").get_by_role("link", name=re.compile("Long ago"))
    expect(hit.locator("mark")).to_have_text("eedle")
    hit.click()
    expect(page.get_by_text("about needles")).to_be_in_viewport()


def test_the_sidebar_finds_while_one_types(page: Page, user: User) -> None:
    exchange(ConversationFactory.create(user=user, title="Capitals"), "Hello", "It is Paris")
    page.goto("/")
    search = page.get_by_role("searchbox", name="Search")
    search.press_sequentially("pari")
    found = page.locator("#found")
    expect(found.locator("mark")).to_have_text("Pari")
    expect(listed(page)).not_to_be_visible()
    search.fill("")
    expect(listed(page)).to_be_visible()
    search.fill("paris")
    found.get_by_role("link").click()
    expect(page.get_by_text("It is Paris")).to_be_visible()


def test_a_toast_can_be_closed(page: Page, user: User) -> None:
    conversation = ConversationFactory.create(user=user)
    page.goto(conversation.get_absolute_url())
    choose(page, "Archive")
    page.get_by_role("button", name="Close", exact=True).click()
    expect(page.get_by_text("Archived.")).not_to_be_visible()


@pytest.mark.parametrize("path", ["/conversations/", "/archive/", "/trash/", "/search/?q=word"])
def test_nothing_scrolls_sideways_on_a_small_phone(new_page: NewPage, user: User, path: str) -> None:
    for fields in ({}, {"archived_at": "2026-01-01T00:00Z"}):
        exchange(ConversationFactory.create(user=user, title="x" * 200, **fields), "word " + "y" * 300, "word")
    page = new_page(user, **(PHONE | {"viewport": {"width": 320, "height": 640}}))
    page.goto(path)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert page.evaluate("document.querySelector('.column').scrollWidth") <= 320
