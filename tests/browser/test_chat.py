"""Chatting in a real browser, with a scripted model."""

import re

from playwright.sync_api import Page, Route, expect

from accounts.models import User
from conversations.models import Conversation, Message
from tests.browser.acting import RICH, log, send, wait_for_the_end, words
from tests.factories import ConversationFactory, ReplyFactory, exchange
from tests.kit.provider import END, Gate, ScriptedProvider, Text, error, reply, stream
from tests.kit.server import ChatServer


def test_a_turn_streams_in_and_is_there_after_a_reload(page: Page, module_provider: ScriptedProvider) -> None:
    module_provider.play(stream(Text("It is "), Gate("paris"), Text("**Paris**."), *END))
    page.goto("/")
    send(page, "What is the capital of France?")
    expect(log(page)).to_contain_text("What is the capital of France?")
    expect(log(page)).to_contain_text("It is")
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    expect(page.get_by_role("button", name="Send")).to_have_count(0)
    module_provider.gate("paris").open()
    expect(log(page).locator("strong")).to_have_text("Paris")
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    expect(page.get_by_role("textbox", name="Message")).to_have_value("")
    expect(page.get_by_role("textbox", name="Message")).to_be_focused()
    streamed = words(page)
    page.reload()
    assert words(page) == streamed
    page.get_by_role("link", name="New chat").first.click()
    page.get_by_role("navigation", name="Conversations").get_by_role("link", name="What is the capital").click()
    expect(log(page)).to_contain_text("It is Paris.")


def test_the_conversation_goes_on_in_the_same_place(page: Page, module_provider: ScriptedProvider) -> None:
    module_provider.play(reply("Paris."), reply("Madrid."))
    page.goto("/")
    send(page, "Capital of France?")
    expect(log(page)).to_contain_text("Paris.")
    url = page.url
    send(page, "And of Spain?")
    expect(log(page)).to_contain_text("Madrid.")
    assert page.url == url
    assert Conversation.objects.count() == 1
    assert Message.objects.count() == 4
    listed = page.get_by_role("navigation", name="Conversations").get_by_role("link")
    expect(listed).to_have_count(1)


def test_what_streamed_is_what_a_fresh_page_shows(page: Page, module_provider: ScriptedProvider) -> None:
    module_provider.play(reply(RICH, interval=0.005))
    page.goto("/")
    send(page, "Tell me about Paris")
    body = page.locator(".message.assistant .body")
    expect(page.locator("[role=status]")).to_contain_text("has answered")
    streamed = body.inner_html()
    page.reload()
    assert body.inner_html() == streamed
    expect(body.locator("math")).to_be_visible()
    link = body.get_by_role("link", name="river")
    assert "noopener" in (link.get_attribute("rel") or "")


def test_stop_keeps_what_came(page: Page, module_provider: ScriptedProvider) -> None:
    module_provider.play(stream(Text("One two "), Gate("never"), Text("three"), *END))
    page.goto("/")
    send(page, "Count")
    expect(log(page)).to_contain_text("One two")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    expect(log(page)).to_contain_text("You stopped this reply.")
    assert Message.objects.get(role="assistant").content == "One two "
    module_provider.play(reply("Another."))
    page.get_by_role("button", name="Retry").click()
    expect(log(page)).to_contain_text("Another.")


def test_a_failed_reply_says_why_and_retry_makes_it_again(page: Page, module_provider: ScriptedProvider) -> None:
    module_provider.play(error(401, "Incorrect API key"))
    module_provider.always(reply("Here it is."))
    page.goto("/")
    send(page, "Hello")
    expect(log(page)).to_contain_text("did not accept this site's key")
    page.get_by_role("button", name="Retry").click()
    expect(log(page)).to_contain_text("Here it is.")
    expect(page.get_by_role("button", name="Retry")).to_have_count(0)


def test_what_is_typed_while_the_first_message_is_on_its_way_is_kept(
    page: Page, module_provider: ScriptedProvider
) -> None:
    module_provider.play(reply("Here it is."))
    page.goto("/")

    def type_meanwhile(route: Route) -> None:
        page.get_by_role("textbox", name="Message").fill("Next")
        route.continue_()

    page.route(re.compile(r"^http://[^/]+/$"), type_meanwhile)
    send(page, "First")
    expect(log(page)).to_contain_text("First")
    page.unroute_all()
    expect(page.get_by_role("textbox", name="Message")).to_have_value("Next")


def test_a_conversation_deleted_in_another_tab_says_so_and_keeps_the_text(page: Page, user: User) -> None:
    conversation = exchange(ConversationFactory.create(user=user), "Hello", "Good day").conversation
    page.goto(conversation.get_absolute_url())
    conversation.delete()
    send(page, "Are you there?")
    expect(page.get_by_role("alert")).to_contain_text("no longer exists")
    expect(page.get_by_role("textbox", name="Message")).to_have_value("Are you there?")


def test_a_reload_in_mid_reply_goes_on_where_it_was(page: Page, module_provider: ScriptedProvider) -> None:
    module_provider.play(stream(Text("One "), Gate("two"), Text("two."), *END))
    page.goto("/")
    send(page, "Count")
    expect(log(page)).to_contain_text("One")
    page.reload()
    expect(log(page)).to_contain_text("One")
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    module_provider.gate("two").open()
    expect(log(page)).to_contain_text("One two.")
    wait_for_the_end(page)
    assert Message.objects.get(role="assistant").content == "One two."


def test_two_tabs_see_the_same_reply(page: Page, module_provider: ScriptedProvider) -> None:
    module_provider.play(stream(Text("One "), Gate("two-tabs"), Text("two."), *END))
    page.goto("/")
    send(page, "Count")
    expect(log(page)).to_contain_text("One")
    other = page.context.new_page()
    other.goto(page.url)
    expect(log(other)).to_contain_text("One")
    module_provider.gate("two-tabs").open()
    for tab in (page, other):
        expect(log(tab)).to_contain_text("One two.")
        expect(tab.get_by_role("button", name="Send")).to_be_visible()


def test_a_tab_that_missed_a_turn_catches_up_when_it_sends(
    page: Page, user: User, module_provider: ScriptedProvider
) -> None:
    module_provider.play(reply("Four."), reply("Six."), reply("Eight."))
    conversation = exchange(ConversationFactory.create(user=user), "Hello", "Good day").conversation
    other = page.context.new_page()
    for tab in (page, other):
        tab.goto(conversation.get_absolute_url())
    send(other, "2 + 2?")
    expect(log(other)).to_contain_text("Four.")
    wait_for_the_end(other)
    send(page, "3 + 3?")
    expect(log(page)).to_contain_text("Six.")
    expect(log(page)).to_contain_text("Four.")
    send(page, "4 + 4?")
    expect(log(page)).to_contain_text("Eight.")
    assert page.locator(".message").count() == 8


def test_enter_sends_and_shift_enter_breaks_the_line(page: Page, module_provider: ScriptedProvider) -> None:
    module_provider.play(reply("Read."))
    page.goto("/")
    box = page.get_by_role("textbox", name="Message")
    box.press_sequentially("one")
    box.press("Shift+Enter")
    box.press_sequentially("two")
    box.press("Enter")
    expect(log(page)).to_contain_text("Read.")
    assert Message.objects.get(role="user").content == "one\ntwo"


def test_enter_while_an_input_method_composes_does_not_send(page: Page) -> None:
    page.goto("/")
    box = page.get_by_role("textbox", name="Message")
    box.fill("にほん")
    box.evaluate(
        "box => box.dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', isComposing: true, bubbles: true}))"
    )
    expect(box).to_have_value("にほん")
    assert not Message.objects.exists()


def test_a_double_click_on_send_is_one_turn(page: Page, module_provider: ScriptedProvider) -> None:
    module_provider.play(reply("Once."))
    page.goto("/")
    page.get_by_role("textbox", name="Message").fill("Hello")
    page.get_by_role("button", name="Send").dblclick()
    expect(log(page)).to_contain_text("Once.")
    assert Message.objects.count() == 2


def test_a_refused_message_stays_in_the_box(page: Page, user: User, module_provider: ScriptedProvider) -> None:
    module_provider.play(stream(Text("One "), Gate("busy"), Text("two."), *END))
    page.goto("/")
    send(page, "Count")
    expect(log(page)).to_contain_text("One")
    conversation = Conversation.objects.get()
    other = page.context.new_page()
    # A tab that does not know yet that a reply runs.
    other.goto("/")
    other.evaluate(
        "url => document.querySelector('#composer').setAttribute('hx-post', url)", conversation.get_absolute_url()
    )
    other.evaluate("htmx.process(document.querySelector('#composer'))")
    send(other, "Hurry up")
    expect(other.get_by_role("alert")).to_contain_text("still answering")
    expect(other.get_by_role("textbox", name="Message")).to_have_value("Hurry up")
    module_provider.gate("busy").open()
    expect(log(page)).to_contain_text("One two.")


def test_an_unreachable_server_keeps_what_was_typed(page: Page) -> None:
    page.goto("/")
    page.context.set_offline(offline=True)
    send(page, "Are you there?")
    expect(page.get_by_role("alert")).not_to_be_empty()
    expect(page.get_by_role("textbox", name="Message")).to_have_value("Are you there?")


def test_a_replys_start_and_end_are_announced(page: Page, module_provider: ScriptedProvider) -> None:
    module_provider.play(stream(Text("One "), Gate("announce"), Text("two."), *END))
    page.goto("/")
    send(page, "Count")
    expect(page.locator("[role=status]")).to_contain_text("is answering")
    module_provider.gate("announce").open()
    expect(page.locator("[role=status]")).to_contain_text("has answered")


def test_the_streams_server_gone_and_back_ends_with_the_reply(
    page: Page, server: ChatServer, module_provider: ScriptedProvider
) -> None:
    module_provider.play(
        stream(Text("Old "), Gate("gone")), stream(Text("A new "), Gate("back"), Text("answer."), *END)
    )
    page.goto("/")
    send(page, "Hello")
    expect(log(page)).to_contain_text("Old")
    server.stop()
    expect(page.locator("[data-lost]")).to_have_count(1)
    server.start()
    expect(log(page)).to_contain_text("A new")
    expect(page.locator("[data-lost]")).to_have_count(0)
    module_provider.gate("back").open()
    expect(log(page)).to_contain_text("A new answer.")
    expect(page.get_by_role("button", name="Send")).to_be_visible()


def test_a_stored_failure_is_shown_after_a_reload(page: Page, user: User) -> None:
    reply_ = ReplyFactory.create(
        conversation__user=user, content="Half", generation__status="failed", generation__error="The wire broke."
    )
    page.goto(reply_.conversation.get_absolute_url())
    expect(log(page)).to_contain_text("Half")
    expect(log(page)).to_contain_text("The wire broke.")
    expect(page.get_by_role("button", name="Retry")).to_be_visible()
