"""A chat of hundreds of long messages: the page stays small, whatever is loaded."""

from playwright.sync_api import Page, expect

from accounts.models import User
from conversations.models import Conversation
from tests.browser.acting import RICH, log
from tests.factories import ConversationFactory, exchange

EXCHANGES = 150
NODES = 8_000
HEAP_BYTES = 40_000_000

LONG = "\n\n".join(
    [
        RICH,
        "Some words on what follows, and **why** it matters. " * 5,
        "1. first\n2. second\n3. third\n   - with more\n   - and more",
        "| Name | Value | Note |\n|---|---|---|\n" + "| one | `1` | the *first* |\n" * 6,
        "```python\n" + "def answer(question: str) -> int:\n    return len(question) + 42  # or so\n\n" * 5 + "```",
    ]
)


def long_chat(user: User) -> Conversation:
    """300 messages, half of them long answers with code, tables and lists."""
    conversation = ConversationFactory.create(user=user)
    for number in range(EXCHANGES):
        exchange(conversation, f"Question {number}. " + "It has some words. " * 20, f"Answer {number}.\n\n{LONG}")
    return conversation


def load_all(page: Page, conversation: Conversation) -> None:
    """Open the chat and scroll up to its first message."""
    page.goto(conversation.get_absolute_url())
    messages = page.locator(".message")
    for count in range(50, 2 * EXCHANGES + 1, 50):
        expect(messages).to_have_count(count)
        log(page).evaluate("log => { log.scrollTop = -log.scrollHeight; }")
    expect(page.get_by_text("Question 0.")).to_be_in_viewport()


def measured(page: Page) -> tuple[int, int]:
    """All nodes of the document, text among them, and the bytes that its scripts hold."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("Performance.enable")
    devtools.send("HeapProfiler.collectGarbage")
    metrics = {metric["name"]: metric["value"] for metric in devtools.send("Performance.getMetrics")["metrics"]}
    nodes = page.evaluate("document.evaluate('count(//node())', document, null, XPathResult.NUMBER_TYPE).numberValue")
    return int(nodes), int(metrics["JSHeapUsedSize"])


def test_300_long_messages_stay_small(page: Page, user: User) -> None:
    conversation = long_chat(user)
    load_all(page, conversation)
    expect(page.locator("[hidden=until-found]").nth(270)).to_be_attached()
    nodes, heap = measured(page)
    assert nodes < NODES
    assert heap < HEAP_BYTES


def test_what_is_packed_comes_back_whole_and_where_it_was(page: Page, user: User) -> None:
    conversation = long_chat(user)
    load_all(page, conversation)
    scroll = page.locator("#scroll")
    first = page.locator(".message.assistant").first
    whole = first.inner_html()
    height = scroll.evaluate("log => log.scrollHeight")
    scroll.evaluate("log => log.scrollTo({ top: 0 })")
    expect(page.get_by_text("Answer 149.")).to_be_attached()
    expect(first.locator("[hidden=until-found]")).to_be_attached()
    scroll.evaluate("log => { log.scrollTop = -log.scrollHeight; }")
    expect(first.get_by_role("table").first).to_be_visible()
    assert first.inner_html() == whole
    assert abs(scroll.evaluate("log => log.scrollHeight") - height) < 2
    first.get_by_role("button", name="Good answer").click()
    expect(first.get_by_role("button", name="Good answer")).to_have_attribute("aria-pressed", "true")
