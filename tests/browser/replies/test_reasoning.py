"""What the model thinks before it answers, folded above the answer."""

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from conversations.models import Generation
from tests.browser.acting import keep_notes, log, send, timeless
from tests.browser.conftest import PHONE, NewPage
from tests.factories import ConversationFactory, ReplyFactory
from tests.kit.provider import END, Gate, Reasoning, ScriptedProvider, Text, stream

THINKING = stream(
    Reasoning("Let me <b>think</b>.\n\n"),
    Gate("further"),
    Reasoning("  Six times seven is forty-two."),
    Gate("thought"),
    Text("It is "),
    Gate("said"),
    Text("**42**."),
    *END,
)


def test_reasoning_is_folded_above_the_answer_and_stays_open_for_who_opened_it(
    page: Page, module_provider: ScriptedProvider
) -> None:
    module_provider.play(THINKING)
    page.goto("/")
    send(page, "What is the answer?")
    reasoning, title = page.locator("details.reasoning"), page.locator("details.reasoning summary")
    expect(title).to_have_text("Thinking…")
    expect(reasoning).not_to_have_attribute("open", "")
    title.click()
    expect(reasoning.locator("div")).to_have_text("Let me <b>think</b>.")
    element = reasoning.element_handle()
    module_provider.gate("further").open()
    expect(reasoning.locator("div")).to_contain_text("  Six times seven is forty-two.")
    module_provider.gate("thought").open()
    expect(title).to_contain_text("Thought for")
    expect(page.locator(".body").last).to_have_text("It is")
    # The very element: what is open, selected or focused in it is left alone.
    assert element.evaluate("element => element.isConnected && element.open")
    module_provider.gate("said").open()
    expect(page.locator("[role=status]")).to_contain_text("has answered")
    expect(reasoning).to_have_attribute("open", "")
    page.reload()
    expect(reasoning).not_to_have_attribute("open", "")
    expect(reasoning.locator("div")).to_have_text("Let me <b>think</b>.\n\n  Six times seven is forty-two.")


def test_the_answer_after_reasoning_is_what_a_fresh_page_shows(page: Page, module_provider: ScriptedProvider) -> None:
    for name in ("further", "thought", "said"):
        module_provider.gate(name).open()
    module_provider.play(THINKING)
    page.goto("/")
    send(page, "What is the answer?")
    expect(page.locator("[role=status]")).to_contain_text("has answered")
    message = page.locator(".message.assistant")
    streamed = timeless(message.inner_html())
    assert "Thought for" in streamed
    page.reload()
    assert timeless(message.inner_html()) == streamed


def test_a_reload_in_mid_reasoning_goes_on_where_it_was(page: Page, module_provider: ScriptedProvider) -> None:
    module_provider.play(THINKING)
    page.goto("/")
    send(page, "What is the answer?")
    expect(page.locator("summary")).to_have_text("Thinking…")
    page.reload()
    expect(page.locator("details.reasoning div")).to_contain_text("Let me <b>think</b>.")
    for name in ("further", "thought", "said"):
        module_provider.gate(name).open()
    expect(log(page)).to_contain_text("It is 42.")
    expect(page.locator("details.reasoning div")).to_have_text(
        "Let me <b>think</b>.\n\n  Six times seven is forty-two."
    )


def test_a_closed_reasoning_is_closed_at_the_end(page: Page, module_provider: ScriptedProvider) -> None:
    module_provider.play(THINKING)
    page.goto("/")
    send(page, "What is the answer?")
    page.locator("summary").click()
    module_provider.gate("further").open()
    expect(page.locator("details.reasoning div")).to_contain_text("Six times seven")
    page.locator("summary").click()
    for name in ("thought", "said"):
        module_provider.gate(name).open()
    expect(page.locator("[role=status]")).to_contain_text("has answered")
    expect(page.locator("details.reasoning")).not_to_have_attribute("open", "")


def test_copying_a_reply_leaves_its_reasoning_out(new_page: NewPage, user: User) -> None:
    page = new_page(user, permissions=["clipboard-read", "clipboard-write"])
    keep_notes(page)
    answer = ReplyFactory.create(
        conversation__user=user,
        content="It is 42.",
        generation__reasoning="Let me think.",
        generation__reasoning_seconds=4,
    )
    page.goto(answer.conversation.get_absolute_url())
    page.locator("summary").click()
    expect(page.get_by_text("Let me think.")).to_be_visible()
    page.get_by_role("link", name="Copy reply").click()
    expect(page.get_by_role("link", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == "It is 42."


def test_a_stopped_and_an_empty_reply_keep_their_reasoning(page: Page, module_provider: ScriptedProvider) -> None:
    module_provider.play(stream(Reasoning("I wonder"), *END), THINKING)
    page.goto("/")
    send(page, "What is the answer?")
    expect(log(page)).to_contain_text("ended without an answer")
    expect(page.locator("summary")).to_contain_text("Thought for")
    page.get_by_role("button", name="Retry").click()
    expect(page.locator("summary")).to_have_text("Thinking…")
    page.get_by_role("button", name="Stop").click()
    expect(log(page)).to_contain_text("You stopped this reply.")
    expect(page.locator("details.reasoning div")).to_contain_text("Let me")


@pytest.mark.parametrize("seconds", [None, 125.5])
def test_reasoning_opens_without_a_script(new_page: NewPage, user: User, seconds: float | None) -> None:
    page = new_page(user, java_script_enabled=False)
    answer = ReplyFactory.create(
        conversation__user=user, generation__reasoning="Let me think.", generation__reasoning_seconds=seconds
    )
    page.goto(answer.conversation.get_absolute_url())
    expect(page.locator("summary")).to_have_text("Thought for 2 min 5 s" if seconds else "Thought")
    expect(page.get_by_text("Let me think.")).not_to_be_visible()
    page.locator("summary").click()
    expect(page.get_by_text("Let me think.")).to_be_visible()


def test_a_long_word_in_reasoning_makes_no_sideways_scroll(new_page: NewPage, user: User) -> None:
    answer = ReplyFactory.create(conversation=ConversationFactory.create(user=user), generation__reasoning="x" * 2_000)
    Generation.objects.filter(pk=answer.pk).update(reasoning_seconds=4)
    page = new_page(user, **PHONE)
    page.goto(answer.conversation.get_absolute_url())
    page.locator("summary").click()
    assert page.evaluate("document.querySelector('[role=log]').scrollWidth") <= 360
    box = page.locator("summary").bounding_box()
    assert box
    assert box["height"] >= 44
