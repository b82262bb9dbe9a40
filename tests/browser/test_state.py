"""What the page says of how things stand: a reply that runs or is ready, a connection that is lost."""

from playwright.sync_api import Page, expect

from accounts.models import User
from tests.browser.acting import log, send
from tests.factories import ConversationFactory, exchange
from tests.kit.provider import END, Gate, ScriptedProvider, Text, reply, stream
from tests.kit.server import ChatServer

HIDE = """hidden => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def test_the_tabs_title_tells_of_a_reply_that_runs(page: Page, module_provider: ScriptedProvider) -> None:
    module_provider.play(stream(Text("One "), Gate("title"), Text("two."), *END))
    page.goto("/")
    send(page, "Count for me")
    expect(page).to_have_title("● Count for me · Chatbot")
    page.reload()
    expect(page).to_have_title("● Count for me · Chatbot")
    module_provider.gate("title").open()
    expect(page).to_have_title("Count for me · Chatbot")


def test_the_title_of_a_hidden_tab_says_that_the_reply_is_ready(page: Page, module_provider: ScriptedProvider) -> None:
    module_provider.play(stream(Text("One "), Gate("hidden"), Text("two."), *END))
    page.goto("/")
    send(page, "Count for me")
    expect(page).to_have_title("● Count for me · Chatbot")
    page.evaluate(HIDE, arg=True)
    module_provider.gate("hidden").open()
    expect(page).to_have_title("✓ Count for me · Chatbot")
    page.evaluate(HIDE, arg=False)
    expect(page).to_have_title("Count for me · Chatbot")


def test_the_title_is_set_once_for_each_state(page: Page, module_provider: ScriptedProvider) -> None:
    module_provider.play(reply("some words " * 200, interval=0.001))
    page.goto("/")
    page.evaluate(
        """() => {
          window.titles = [];
          new MutationObserver(() => window.titles.push(document.title))
            .observe(document.querySelector("title"), { childList: true, characterData: true, subtree: true });
        }"""
    )
    send(page, "Count for me")
    expect(page.locator("[role=status]")).to_contain_text("has answered")
    expect(page).to_have_title("Count for me · Chatbot")
    assert len(page.evaluate("window.titles")) <= 3


def test_who_is_offline_reads_so_and_goes_on_typing(page: Page, user: User, module_provider: ScriptedProvider) -> None:
    module_provider.play(reply("Here again."))
    conversation = exchange(ConversationFactory.create(user=user), "Hello", "Good day").conversation
    page.goto(conversation.get_absolute_url())
    line = page.locator("#connection")
    expect(line).to_be_empty()
    page.context.set_offline(offline=True)
    expect(line).to_have_text("You are offline. What you type stays here.")
    send(page, "Are you there?")
    expect(page.get_by_role("textbox", name="Message")).to_have_value("Are you there?")
    expect(page.get_by_role("button", name="Send")).to_be_enabled()
    page.context.set_offline(offline=False)
    expect(line).to_be_empty()
    page.get_by_role("button", name="Send").click()
    expect(log(page)).to_contain_text("Here again.")


def test_a_lost_stream_is_said_until_it_is_back(
    page: Page, server: ChatServer, module_provider: ScriptedProvider
) -> None:
    module_provider.play(
        stream(Text("Old "), Gate("lost")), stream(Text("A new "), Gate("found"), Text("answer."), *END)
    )
    page.goto("/")
    send(page, "Hello")
    expect(log(page)).to_contain_text("Old")
    server.stop()
    expect(page.locator("#connection")).to_have_text("Reconnecting…")
    server.start()
    expect(page.locator("#connection")).to_be_empty()
    module_provider.gate("found").open()
    expect(log(page)).to_contain_text("A new answer.")
