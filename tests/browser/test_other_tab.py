"""What another tab did to the conversation that is open here."""

import pytest
from playwright.sync_api import Page, Request, expect

from accounts.models import User
from conversations.actions import branches, organizing
from conversations.models import Conversation, Message
from tests.browser.acting import log, send
from tests.browser.conftest import NewPage
from tests.factories import ConversationFactory, exchange
from tests.kit.provider import END, Gate, ScriptedProvider, Text, reply, stream

GONE = "no longer exists"
LOOKS = pytest.mark.parametrize(
    "look",
    ["document.dispatchEvent(new Event('visibilitychange'))", "dispatchEvent(new Event('focus'))"],
    ids=["visible", "focused"],
)
LOOK = "document.dispatchEvent(new Event('visibilitychange'))"


@pytest.fixture
def conversation(user: User) -> Conversation:
    """One that has begun."""
    return exchange(ConversationFactory.create(user=user), "Hello", "Good day").conversation


@LOOKS
def test_new_turns_are_there_when_the_tab_is_looked_at(
    page: Page, conversation: Conversation, module_provider: ScriptedProvider, look: str
) -> None:
    module_provider.play(reply("Four."), reply("Six."))
    other = page.context.new_page()
    for tab in (page, other):
        tab.goto(conversation.get_absolute_url())
    page.get_by_role("textbox", name="Message").fill("half a")
    send(other, "2 + 2?")
    expect(log(other)).to_contain_text("Four.")
    expect(other.get_by_role("button", name="Send")).to_be_visible()
    page.evaluate(look)
    expect(log(page)).to_contain_text("Four.")
    expect(page.locator(".message")).to_have_count(4)
    expect(page.get_by_role("textbox", name="Message")).to_have_value("half a")
    # It goes on from there like any other.
    send(page, "3 + 3?")
    expect(log(page)).to_contain_text("Six.")
    expect(page.locator(".message")).to_have_count(6)


def test_a_reply_that_runs_elsewhere_is_followed(
    page: Page, conversation: Conversation, module_provider: ScriptedProvider
) -> None:
    module_provider.play(stream(Text("One "), Gate("elsewhere"), Text("two."), *END))
    other = page.context.new_page()
    for tab in (page, other):
        tab.goto(conversation.get_absolute_url())
    send(other, "Count")
    expect(log(other)).to_contain_text("One")
    page.evaluate(LOOK)
    expect(log(page)).to_contain_text("One")
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    module_provider.gate("elsewhere").open()
    expect(log(page)).to_contain_text("One two.")
    expect(page.get_by_role("button", name="Send")).to_be_visible()


def test_another_branch_is_shown(page: Page, conversation: Conversation) -> None:
    page.goto(conversation.get_absolute_url())
    other = branches.regenerate(Message.objects.get(role="assistant"))
    Message.objects.filter(pk=other.pk).update(content="Good evening")
    conversation.generations.filter(message=other).update(status="complete")
    page.evaluate(LOOK)
    expect(log(page)).to_contain_text("Good evening")
    expect(log(page)).not_to_contain_text("Good day")


def test_nothing_is_asked_unless_somebody_looks(page: Page, conversation: Conversation) -> None:
    asked: list[Request] = []
    page.on("request", lambda request: asked.append(request))
    page.goto(conversation.get_absolute_url(), wait_until="networkidle")
    assert not [request.url for request in asked if "seen=" in request.url]
    with page.expect_response(lambda response: "seen=" in response.url) as answer:
        page.evaluate(LOOK)
    assert answer.value.status == 204
    assert len([request.url for request in asked if "seen=" in request.url]) == 1


def test_the_place_where_one_reads_stays(page: Page, user: User) -> None:
    conversation = ConversationFactory.create(user=user)
    for number in range(12):
        exchange(conversation, f"Question {number}.", f"Answer {number}. " + "word " * 200)
    page.goto(conversation.get_absolute_url())
    read = page.get_by_text("Answer 6.")
    read.evaluate("element => element.scrollIntoView({ block: 'center' })")
    before = read.bounding_box()
    assert before
    exchange(conversation, "One more.", "It is here.")
    page.evaluate(LOOK)
    expect(log(page)).to_contain_text("It is here.")
    page.wait_for_function(
        "y => Math.abs([...document.querySelectorAll('.body')].find(e => e.textContent.includes('Answer 6.'))"
        ".querySelector('p').getBoundingClientRect().y - y) < 3",
        arg=before["y"],
    )


def test_a_message_that_is_being_edited_is_left_alone(page: Page, conversation: Conversation) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(conversation.get_absolute_url())
    page.get_by_role("link", name="Edit message").click()
    page.locator("[data-edit] textarea").fill("Hello again")
    exchange(conversation, "One more.", "It is here.")
    page.evaluate(LOOK)
    page.evaluate("dispatchEvent(new Event('focus'))")
    expect(page.locator("[data-edit] textarea")).to_have_value("Hello again")
    # What was asked before this is told before.
    assert page.evaluate("fetch('/healthz').then((answer) => answer.status)") == 200
    assert any("/healthz" in url for url in asked)
    assert not [url for url in asked if "seen=" in url]


@LOOKS
@pytest.mark.parametrize("gone", ["trash", "forever"])
def test_a_conversation_that_is_gone_says_so_when_looked_at(
    page: Page, conversation: Conversation, module_provider: ScriptedProvider, look: str, gone: str
) -> None:
    module_provider.play(reply("Here."))
    page.goto(conversation.get_absolute_url())
    page.get_by_role("textbox", name="Message").fill("Are you there?")
    this = Conversation.objects.filter(pk=conversation.pk)
    organizing.trash(this) if gone == "trash" else this.delete()
    page.evaluate(look)
    expect(page.get_by_role("alert")).to_contain_text(GONE)
    expect(page.get_by_role("textbox", name="Message")).to_have_value("Are you there?")
    page.get_by_role("button", name="Send in a new chat").click()
    expect(log(page)).to_contain_text("Here.")
    expect(page.get_by_role("textbox", name="Message")).to_have_value("")
    expect(page.get_by_role("alert")).to_be_empty()
    assert Message.objects.get(content="Are you there?").conversation_id != conversation.pk
    assert str(conversation.pk) not in page.url


def test_sending_to_a_conversation_that_is_gone_offers_a_new_chat(
    page: Page, conversation: Conversation, module_provider: ScriptedProvider
) -> None:
    module_provider.play(reply("Here."))
    page.goto(conversation.get_absolute_url())
    conversation.delete()
    send(page, "Are you there?")
    expect(page.get_by_role("alert")).to_contain_text(GONE)
    page.get_by_role("button", name="Send in a new chat").click()
    expect(log(page)).to_contain_text("Here.")
    assert Message.objects.filter(content="Are you there?").count() == 1


def test_a_conversation_deleted_while_its_reply_runs_says_so(
    page: Page, conversation: Conversation, module_provider: ScriptedProvider
) -> None:
    module_provider.play(stream(Text("One "), Gate("deleted"), Text("two."), *END))
    page.goto(conversation.get_absolute_url())
    send(page, "Count")
    expect(log(page)).to_contain_text("One")
    organizing.trash(Conversation.objects.filter(pk=conversation.pk))
    module_provider.gate("deleted").open()
    expect(page.get_by_role("alert")).to_contain_text(GONE)


def test_without_a_script_the_page_that_says_so_offers_a_new_chat(
    new_page: NewPage, user: User, conversation: Conversation, module_provider: ScriptedProvider
) -> None:
    module_provider.play(reply("Here."))
    page = new_page(user, java_script_enabled=False)
    page.goto(conversation.get_absolute_url())
    conversation.delete()
    send(page, "Are you there?")
    expect(page.get_by_label("What you typed")).to_have_value("Are you there?")
    page.get_by_role("button", name="Send in a new chat").click()
    expect(log(page)).to_contain_text("Are you there?")
