"""A reply that ended too early: one quiet line, and what can be done about it."""

from playwright.sync_api import Page, expect

from accounts.models import User
from conversations.models import Generation, Message, Role, Status
from tests.browser.acting import log, send, wait_for_the_end
from tests.browser.conftest import PHONE, NewPage
from tests.factories import ConversationFactory, MessageFactory, ReplyFactory
from tests.kit.provider import END, Done, Gate, ScriptedProvider, Text, error, reply, stream
from tests.kit.provider import Finish as FinishStep

# Looked at in the task of the click, before any answer can come.
PRESS = """button => {
  button.click();
  return [...document.querySelectorAll(".outcome button")].map(each => each.disabled);
}"""
CUT = stream(Text("One **two** cut at the lim"), FinishStep("length"), Done())


def test_a_cut_reply_says_so_and_goes_on_in_its_place(page: Page, module_provider: ScriptedProvider) -> None:
    module_provider.play(CUT, stream(Text("it"), Gate("more"), Text(", and on."), *END))
    page.goto("/")
    send(page, "Count")
    expect(log(page)).to_contain_text("The reply reached the model's length limit.")
    expect(page.get_by_role("button", name="Retry")).to_have_count(0)
    page.get_by_role("button", name="Continue").click()
    expect(page.locator(".body").last).to_have_text("One two cut at the limit")
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    module_provider.gate("more").open()
    expect(page.locator(".body").last).to_have_text("One two cut at the limit, and on.")
    expect(log(page)).not_to_contain_text("length limit")
    expect(page.locator("article")).to_have_count(2)
    wait_for_the_end(page)
    assert Message.objects.get(role=Role.ASSISTANT).content == "One **two** cut at the limit, and on."
    page.reload()
    expect(page.locator(".body").last).to_have_text("One two cut at the limit, and on.")


def test_neither_continue_nor_retry_can_be_asked_for_twice(page: Page, module_provider: ScriptedProvider) -> None:
    module_provider.play(stream(Text("One two "), Gate("never"), *END))
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.goto("/")
    send(page, "Count")
    expect(log(page)).to_contain_text("One two")
    page.get_by_role("button", name="Stop").click()
    buttons = page.locator(".outcome button")
    for name, rest in (("Continue", "three."), ("Retry", "Another.")):
        module_provider.play(stream(Text(rest), Gate(f"never {name}"), *END))
        expect(buttons).to_have_count(2)
        assert page.get_by_role("button", name=name).evaluate(PRESS) == [True, True], name
        expect(log(page)).to_contain_text(rest)
        page.get_by_role("button", name="Stop").click()
    expect(buttons).to_have_count(2)
    assert errors == []


def test_continue_works_without_a_script(new_page: NewPage, user: User, module_provider: ScriptedProvider) -> None:
    module_provider.play(reply("whole."))
    conversation = ConversationFactory.create(user=user)
    MessageFactory.create(conversation=conversation)
    ReplyFactory.create(conversation=conversation, content="Half ", generation__status=Status.STOPPED)
    page = new_page(user, java_script_enabled=False)
    page.goto(conversation.get_absolute_url())
    page.get_by_role("button", name="Continue").click()
    expect(log(page)).to_contain_text("Half whole.")


def test_a_retry_of_a_stopped_reply_shows_an_alternative_in_its_place(
    page: Page, module_provider: ScriptedProvider
) -> None:
    module_provider.play(stream(Text("One two "), Gate("never"), *END))
    page.goto("/")
    send(page, "Count")
    expect(log(page)).to_contain_text("One two")
    page.get_by_role("button", name="Stop").click()
    expect(log(page)).to_contain_text("You stopped this reply.")
    module_provider.play(reply("Another."))
    page.get_by_role("button", name="Retry").click()
    expect(log(page)).to_contain_text("Another.")
    wait_for_the_end(page)
    expect(page.locator("article")).to_have_count(2)
    expect(log(page)).not_to_contain_text("You stopped this reply.")
    page.get_by_role("button", name="Previous").click()
    expect(log(page)).to_contain_text("One two")
    expect(log(page)).to_contain_text("You stopped this reply.")
    assert set(Generation.objects.values_list("status", flat=True)) == {Status.STOPPED, Status.COMPLETE}


def test_only_the_last_reply_offers_to_go_on(page: Page, user: User) -> None:
    conversation = ConversationFactory.create(user=user)
    MessageFactory.create(conversation=conversation)
    ReplyFactory.create(conversation=conversation, generation__finish_reason="length")
    page.goto(conversation.get_absolute_url())
    expect(page.get_by_role("button", name="Continue")).to_be_visible()
    MessageFactory.create(conversation=conversation)
    ReplyFactory.create(conversation=conversation)
    page.reload()
    expect(log(page)).to_contain_text("The reply reached the model's length limit.")
    expect(page.get_by_role("button", name="Continue")).to_have_count(0)


def test_a_first_message_that_is_too_long_can_be_edited_at_once(
    new_page: NewPage, user: User, module_provider: ScriptedProvider
) -> None:
    module_provider.play(error(400, "the prompt is too long", code="context_length_exceeded"), reply("Better."))
    page = new_page(user, **PHONE)
    page.goto("/")
    send(page, "A very long message")
    expect(log(page)).to_contain_text("Your message is longer than this model reads.")
    page.get_by_role("link", name="Edit message").last.click()
    page.get_by_role("textbox", name="Your message").fill("Short")
    page.get_by_role("button", name="Save and send").click()
    expect(log(page)).to_contain_text("Better.")
