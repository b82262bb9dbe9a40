"""What the message box says: how much it holds, and what the key of a keyboard on the screen does."""

import pytest
from django.conf import settings
from django.core.exceptions import ValidationError
from playwright.sync_api import Page, expect

from accounts.models import User
from conversations.forms.messages import MessageField
from conversations.models import Message
from tests.browser.acting import log
from tests.browser.conftest import PHONE, NewPage
from tests.factories import ConversationFactory, exchange
from tests.kit.provider import ScriptedProvider, reply


def counted(text: str) -> tuple[str, bool]:
    """How many characters the server counts in what a browser sends, and whether they are too many."""
    try:
        return f"{len(MessageField().clean(text.replace('\n', '\r\n'))):,}", False
    except ValidationError as error:
        return error.messages[0].partition(": ")[2].partition(" ")[0], True


MAX = settings.CHAT_MESSAGE_MAX_CHARS
FULL = "x" * (MAX - 60)


@pytest.mark.parametrize(
    "end",
    [
        "y" * 60,
        "\U0001f600" * 60,
        "a\nb\n" * 15,
        "y" + " \n\t\u00a0\u3000" * 30 + "z",
        "y" + " \n\t\u00a0\u3000\u2028\x85\x1f" * 30,
        "\ufeff" * 60,
        "👩‍👩‍👧‍👦" * 8,
        "é" * 30,
    ],
    ids=["plain", "emoji", "lines", "space within", "space around", "marks", "family", "accents"],
)
@pytest.mark.parametrize("more", ["", "y"])
@pytest.mark.parametrize("before", [" ", "\n \n\u3000\n  "], ids=["indent", "lines before"])
def test_the_count_is_the_servers(page: Page, before: str, end: str, more: str) -> None:
    text = f"{before}{FULL}{more}{end}"
    page.goto("/")
    page.get_by_role("textbox", name="Message").evaluate(
        "(box, text) => { box.value = text; box.dispatchEvent(new Event('input', { bubbles: true })); }", text
    )
    characters, is_over = counted(text)
    count = page.locator("#count")
    expect(count).to_have_text(f"{characters} / {MAX:,}")
    assert (count.get_attribute("data-over") is not None) is is_over


def test_the_phones_key_breaks_the_line_and_says_so(
    new_page: NewPage, user: User, module_provider: ScriptedProvider
) -> None:
    module_provider.play(reply("Read."))
    conversation = exchange(ConversationFactory.create(user=user), "Hello", "Good day").conversation
    page = new_page(user, **PHONE)
    for address in ("/", conversation.get_absolute_url()):
        page.goto(address)
        box = page.get_by_role("textbox", name="Message")
        expect(box).to_have_js_property("enterKeyHint", "enter")
        box.press_sequentially("one")
        box.press("Enter")
        box.press_sequentially("two")
        expect(box).to_have_value("one\ntwo")
    page.get_by_role("link", name="Edit message").click()
    expect(page.locator("[data-edit] textarea")).to_have_js_property("enterKeyHint", "enter")
    page.locator("[data-edit] textarea").press("Enter")
    expect(page.locator("[data-edit] textarea")).to_have_value("Hello\n")
    assert Message.objects.count() == 2


def test_where_the_key_sends_it_says_so(page: Page, module_provider: ScriptedProvider) -> None:
    module_provider.play(reply("Read."))
    page.goto("/")
    box = page.get_by_role("textbox", name="Message")
    expect(box).to_have_js_property("enterKeyHint", "send")
    box.fill("one")
    box.press("Enter")
    expect(log(page)).to_contain_text("Read.")
    # The box of the conversation is another one.
    expect(box).to_have_js_property("enterKeyHint", "send")
    page.get_by_role("link", name="Edit message").click()
    expect(page.locator("[data-edit] textarea")).to_have_js_property("enterKeyHint", "send")
