"""Where the reader is: nothing moves under their eyes, the way back to the end, the place that is kept."""

import pytest
from playwright.sync_api import Locator, Page, expect

from accounts.models import User
from conversations.models import Conversation
from tests.browser.acting import RICH, log, send
from tests.browser.conftest import PHONE, NewPage
from tests.factories import ConversationFactory, exchange
from tests.kit.provider import END, Gate, Script, ScriptedProvider, Step, Text, Wait, stream
from tests.support.replying import wait_until

# Notes, in every frame, where the text stands that the reader looks at; its element may be replaced by its like.
WATCH = """() => {
  const log = document.getElementById("scroll").getBoundingClientRect();
  const lines = () => [...document.querySelectorAll(".message .body :is(p, li, pre)")];
  const number = lines().findIndex((line) => line.getBoundingClientRect().bottom > log.top + 20);
  window.places = [];
  const note = () => {
    window.places.push(lines()[number].getBoundingClientRect().top);
    requestAnimationFrame(note);
  };
  note();
}"""
PROGRAM = "```python\n" + "print('line')\n" * 120


def growing(before: str, after: str) -> Script:
    """A reply whose second part comes word by word, once the gate is open."""
    words: list[Step] = [step for word in after.split(" ") for step in (Wait(0.002), Text(f"{word} "))]
    return stream(Text(before), Gate("on"), *words, *END)


def at_the_end(page: Page) -> bool:
    """Whether the newest line is in view."""
    return bool(page.evaluate("document.getElementById('scroll').scrollTop > -2"))


@pytest.mark.parametrize(
    ("pixels", "before", "after"),
    [
        (30, f"{RICH}\n\n" * 4 + "So far", f"{RICH}\n\n" * 4 + "word " * 300),
        (400, f"{RICH}\n\n" * 4 + "So far", f"{RICH}\n\n" * 4 + "word " * 300),
        (2_000, f"{RICH}\n\n" * 4 + "So far", f"{RICH}\n\n" * 4 + "word " * 300),
        # The block that still grows fills the screen, and more.
        (400, f"{PROGRAM}# So far", PROGRAM.replace("```python", "") + "```\n\nThere."),
        (400, "word " * 2_000 + "So far", " word" * 500),
    ],
)
def test_what_is_being_read_stays_where_it_is_while_the_reply_grows(
    page: Page, user: User, module_provider: ScriptedProvider, pixels: int, before: str, after: str
) -> None:
    conversation = long_chat(user)
    module_provider.play(growing(before, after))
    page.goto(conversation.get_absolute_url())
    send(page, "Go on")
    expect(page.locator("[data-stream] .body")).to_contain_text("So far")
    log(page).hover()
    page.mouse.wheel(0, -pixels)
    expect(page.locator("#scroll")).to_have_js_property("scrollTop", -pixels)
    page.evaluate(WATCH)
    module_provider.gate("on").open()
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    places = page.evaluate("window.places")
    assert max(places) - min(places) < 2
    assert not at_the_end(page)


def test_at_the_end_the_page_follows_the_reply(page: Page, user: User, module_provider: ScriptedProvider) -> None:
    conversation = long_chat(user)
    module_provider.play(growing(RICH, f"{RICH}\n\n" * 4 + "last"))
    page.goto(conversation.get_absolute_url())
    send(page, "Go on")
    expect(page.locator("[data-stream] figure")).to_have_count(1)
    module_provider.gate("on").open()
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    assert at_the_end(page)
    expect(page.locator(".message .body > p").last).to_be_in_viewport()


def long_chat(user: User, exchanges: int = 10) -> Conversation:
    """Some screens of messages."""
    conversation = ConversationFactory.create(user=user)
    for number in range(exchanges):
        exchange(conversation, f"Question {number}.", f"Answer {number}.\n\n{RICH}")
    return conversation


def top(element: Locator) -> float:
    """Where it stands on the screen."""
    box = element.bounding_box()
    assert box
    return box["y"]


def scroll_up(page: Page, pixels: int) -> None:
    """Turn the wheel, and wait for the page to have moved."""
    log(page).hover()
    page.mouse.wheel(0, -pixels)
    expect(page.locator("#scroll")).to_have_js_property("scrollTop", -pixels)


def test_a_button_leads_back_to_the_newest_line_and_tells_of_new_text(
    page: Page, user: User, module_provider: ScriptedProvider
) -> None:
    module_provider.play(growing("So far ", "and on and on"))
    latest = page.get_by_role("button", name="Jump to latest")
    page.goto(long_chat(user).get_absolute_url())
    send(page, "Go on")
    expect(page.locator("[data-stream]")).to_contain_text("So far")
    expect(latest).not_to_be_visible()
    scroll_up(page, 900)
    expect(latest).to_be_visible()
    expect(latest).to_have_accessible_name("Jump to latest")
    module_provider.gate("on").open()
    expect(latest).to_have_accessible_name("Jump to latest · new text")
    latest.focus()
    page.keyboard.press("Enter")
    assert at_the_end(page)
    expect(latest).not_to_be_visible()
    expect(page.get_by_role("textbox", name="Message")).to_be_focused()


def test_on_a_phone_the_way_back_is_large_and_brings_no_keyboard(new_page: NewPage, user: User) -> None:
    page = new_page(user, **PHONE)
    page.goto(long_chat(user).get_absolute_url())
    page.locator("#scroll").evaluate("log => { log.scrollTop = -900; }")
    latest = page.get_by_role("button", name="Jump to latest")
    expect(latest).to_be_visible()
    box = latest.bounding_box()
    assert box
    assert box["height"] >= 44
    latest.tap()
    expect(latest).not_to_be_visible()
    assert at_the_end(page)
    expect(log(page)).to_be_focused()


def test_the_place_is_kept_between_conversations_and_over_a_reload(page: Page, user: User) -> None:
    conversation, other = long_chat(user), long_chat(user, 3)
    page.goto(conversation.get_absolute_url())
    read = page.get_by_text("Answer 6.")
    read.evaluate("element => element.scrollIntoView({ block: 'center' })")
    expect(read).to_be_in_viewport()
    place = top(read)
    for leave in (
        lambda: page.reload(),
        lambda: (page.goto(other.get_absolute_url()), page.go_back()),
        lambda: (page.goto(other.get_absolute_url()), page.goto(conversation.get_absolute_url())),
    ):
        leave()
        expect(read).to_be_in_viewport()
        wait_until(lambda: abs(top(read) - place) <= 2)
    page.goto(other.get_absolute_url())
    assert at_the_end(page)


def test_the_place_on_an_older_page_is_found_again(page: Page, user: User) -> None:
    conversation = long_chat(user, 40)
    page.goto(conversation.get_absolute_url())
    page.locator("#scroll").evaluate("log => { log.scrollTop = -log.scrollHeight; }")
    expect(page.locator(".message")).to_have_count(80)
    # The article: in a chat of this length, its contents may be put away at any moment.
    read = page.get_by_role("article").filter(has_text="Answer 9.")
    read.evaluate("element => element.scrollIntoView({ block: 'center' })")
    expect(read).to_be_in_viewport()
    page.reload()
    expect(read).to_be_in_viewport()
    expect(page.locator(".message")).to_have_count(80)


def test_who_was_at_the_end_comes_back_to_the_end(page: Page, user: User) -> None:
    conversation = long_chat(user)
    page.goto(conversation.get_absolute_url())
    scroll_up(page, 1_500)
    page.reload()
    expect(page.get_by_role("button", name="Jump to latest")).to_be_visible()
    log(page).hover()
    page.mouse.wheel(0, 9_000)
    expect(page.locator("#scroll")).to_have_js_property("scrollTop", 0)
    page.reload()
    assert at_the_end(page)
