"""Reading on while a reply grows: nothing moves under the reader's eyes."""

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from tests.browser.acting import RICH, log, send
from tests.factories import ConversationFactory, exchange
from tests.provider import END, Gate, Script, ScriptedProvider, Step, Text, Wait, stream

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
    conversation = ConversationFactory.create(user=user)
    for number in range(10):
        exchange(conversation, f"Question {number}", RICH)
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
    conversation = ConversationFactory.create(user=user)
    for number in range(10):
        exchange(conversation, f"Question {number}", RICH)
    module_provider.play(growing(RICH, f"{RICH}\n\n" * 4 + "last"))
    page.goto(conversation.get_absolute_url())
    send(page, "Go on")
    expect(page.locator("[data-stream] figure")).to_have_count(1)
    module_provider.gate("on").open()
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    assert at_the_end(page)
    expect(page.locator(".message .body > p").last).to_be_in_viewport()
