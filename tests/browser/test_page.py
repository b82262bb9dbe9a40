"""The page around the chat in a real browser: reading, lists, phone, theme."""

import re

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from conversations.models import Conversation
from tests.browser.acting import RICH, keep_notes, log, send
from tests.browser.conftest import PHONE, NewPage
from tests.factories import ConversationFactory, exchange
from tests.kit.provider import END, Gate, ScriptedProvider, Text, stream


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("One line", "p"),
        (f"{RICH}\nDone", "p"),
        ("Text\n\n## Title", "h2"),
        ("## Title\n\nText", "p"),
        ("- a\n- b\n\nText", "p"),
    ],
)
def test_nothing_moves_when_the_reply_ends(page: Page, module_provider: ScriptedProvider, text: str, last: str) -> None:
    module_provider.play(stream(Text(text.rstrip()), Gate("end"), *END))
    page.goto("/")
    send(page, "Go")
    body = page.locator(".message.assistant .body")
    expect(body).to_contain_text(text.split()[-1].strip("$."))
    before = body.locator(last).last.bounding_box()
    module_provider.gate("end").open()
    expect(page.locator("[role=status]")).to_contain_text("has answered")
    after = body.locator(last).last.bounding_box()
    assert before
    assert after
    assert abs(before["y"] - after["y"]) < 1


def test_code_is_copied_whole(new_page: NewPage, user: User) -> None:
    page = new_page(user, permissions=["clipboard-read", "clipboard-write"])
    keep_notes(page)
    conversation = exchange(ConversationFactory.create(user=user), "Code", RICH).conversation
    page.goto(conversation.get_absolute_url())
    page.get_by_role("button", name="Copy code").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.rstrip() == 'def capital() -> str:\n    return "Paris"'


def test_a_buttons_name_does_not_stand_behind_the_menu_that_it_opened(page: Page, user: User) -> None:
    page.goto(exchange(ConversationFactory.create(user=user), "Hello", "Good day").conversation.get_absolute_url())
    button = page.get_by_role("button", name="Conversation menu")
    shown = "button => getComputedStyle(button, '::after').display"
    button.hover()
    assert button.evaluate(shown) == "block"
    button.click()
    expect(page.get_by_role("button", name="Rename")).to_be_visible()
    assert button.evaluate(shown) == "none"


def test_rename_and_delete(page: Page, user: User) -> None:
    conversation = exchange(ConversationFactory.create(user=user, title="Old name"), "Hello", "Good day").conversation
    page.goto(conversation.get_absolute_url())
    page.get_by_role("button", name="Conversation menu").click()
    page.get_by_role("button", name="Rename").click()
    page.get_by_role("textbox", name="Title").fill("New name")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="New name")).to_be_visible()
    expect(page.get_by_role("navigation", name="Conversations")).to_contain_text("New name")
    page.get_by_role("button", name="Conversation menu").click()
    page.get_by_role("button", name="Delete").click()
    page.wait_for_url("/")
    assert not Conversation.objects.owned_by(user).exists()


def test_older_messages_load_as_one_scrolls_up(page: Page, user: User) -> None:
    conversation = ConversationFactory.create(user=user)
    for number in range(60):
        exchange(conversation, f"Question {number}", f"Answer {number}")
    page.goto(conversation.get_absolute_url())
    expect(page.get_by_text("Answer 59", exact=True)).to_be_in_viewport()
    expect(page.get_by_text("Question 0", exact=True)).to_have_count(0)
    for count in (50, 100, 120):
        expect(page.locator(".message")).to_have_count(count)
        log(page).evaluate("log => { log.scrollTop = -log.scrollHeight; }")
    expect(page.get_by_text("Question 0", exact=True)).to_be_in_viewport()


def test_more_conversations_load_as_one_scrolls(page: Page, user: User) -> None:
    for number in range(70):
        ConversationFactory.create(user=user, title=f"Conversation {number}")
    page.goto("/")
    listed = page.get_by_role("navigation", name="Conversations").get_by_role(
        "link", name=re.compile(r"^Conversation \d+$")
    )
    expect(listed).to_have_count(30)
    listed.last.scroll_into_view_if_needed()
    expect(listed).to_have_count(60)
    listed.last.scroll_into_view_if_needed()
    expect(listed).to_have_count(70)


def test_the_reading_place_holds_while_a_reply_grows(page: Page, user: User, module_provider: ScriptedProvider) -> None:
    conversation = exchange(ConversationFactory.create(user=user), "Long", "Paragraph\n\n" * 80).conversation
    module_provider.play(stream(Text("Begin\n\n"), Gate("grow"), *[Text("More\n\n")] * 60, *END))
    page.goto(conversation.get_absolute_url())
    send(page, "Go on")
    expect(page.get_by_text("Begin")).to_be_in_viewport()
    log(page).hover()
    page.mouse.wheel(0, -1_500)
    expect(page.locator("#scroll")).to_have_js_property("scrollTop", -1_500)
    expect(page.get_by_text("Begin")).not_to_be_in_viewport()
    mark = page.locator(".message.assistant").first.locator("p").nth(40)
    before = mark.bounding_box()
    module_provider.gate("grow").open()
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    after = mark.bounding_box()
    assert before
    assert after
    assert abs(before["y"] - after["y"]) < 2


@pytest.mark.parametrize("width", [320, 360])
def test_a_phone_has_a_drawer_and_no_sideways_scroll(new_page: NewPage, user: User, width: int) -> None:
    exchange(ConversationFactory.create(user=user, title="Capitals"), "x" * 300, RICH + "y" * 300)
    page = new_page(user, **(PHONE | {"viewport": {"width": width, "height": 640}}))
    page.goto("/")
    expect(page.get_by_role("navigation", name="Conversations")).not_to_be_visible()
    page.get_by_role("button", name="Show conversations").click()
    page.get_by_role("link", name="Capitals").click()
    expect(log(page)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.querySelector('[role=log]').scrollWidth") <= width


def test_the_theme_is_kept(page: Page) -> None:
    page.goto("/")
    page.get_by_role("button", name="Account").click()
    with page.expect_response("/preferences/"):
        page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
