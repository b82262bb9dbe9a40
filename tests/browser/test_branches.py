"""Editing, regenerating and going between alternatives, in a real browser."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from accounts.models import User
from conversations.models import Conversation, Generation, Message
from tests.browser.acting import log, send, timeless
from tests.browser.conftest import PHONE, NewPage
from tests.factories import ConversationFactory, exchange, long_chat
from tests.kit.provider import END, Gate, ScriptedProvider, Text, reply, stream
from tests.kit.server import ChatServer

WITHOUT_SCRIPT = {"java_script_enabled": False}


@pytest.fixture(scope="module")
def module_server(django_db_setup: None, module_provider: ScriptedProvider) -> Iterator[ChatServer]:
    """A server with two models."""
    with ChatServer(
        OPENAI_BASE_URL=module_provider.url, CHAT_MODELS="small,large", CHAT_TURNS_PER_MINUTE="1000"
    ) as server:
        yield server


@pytest.fixture
def conversation(user: User) -> Conversation:
    """Two exchanges."""
    conversation = ConversationFactory.create(user=user, title="Capitals")
    exchange(conversation, "Capital of France?", "It is Paris.")
    exchange(conversation, "And of Spain?", "It is Madrid.")
    return conversation


def article(page: Page, text: str) -> Locator:
    """The message that says this."""
    return page.locator("article").filter(has_text=text)


def says(page: Page, *texts: str) -> None:
    """Wait until the log holds these messages and no others."""
    expect(log(page).locator("article .body")).to_have_text([re.compile(re.escape(text)) for text in texts])


def same_as_fresh(page: Page) -> None:
    """What the page ended up with is what a fresh one shows."""
    expect(page.locator("article[data-stream]")).to_have_count(0)
    read = "document.getElementById('messages').innerHTML.replace(/ ?class=\"\"/g, '').replace(/\\s+/g, ' ').trim()"
    before = timeless(page.evaluate(read))
    page.reload()
    assert timeless(page.evaluate(read)) == before


@pytest.mark.parametrize("options", [{}, WITHOUT_SCRIPT, PHONE], ids=["desktop", "without script", "phone"])
def test_a_message_is_edited_and_both_branches_stay(
    new_page: NewPage,
    user: User,
    conversation: Conversation,
    module_provider: ScriptedProvider,
    options: dict[str, bool],
) -> None:
    module_provider.play(reply("It is Rome."))
    page = new_page(user, **options)
    page.goto(conversation.get_absolute_url())
    article(page, "Capital of France?").get_by_role("link", name="Edit message").click()
    box = page.get_by_role("textbox", name="Your message")
    expect(box).to_have_value("Capital of France?")
    box.fill("Capital of Italy?")
    page.get_by_role("button", name="Save and send").click()
    says(page, "Capital of Italy?", "It is Rome.")
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_visible()
    assert module_provider.chats[-1].json["messages"][-1]["content"] == "Capital of Italy?"
    page.get_by_role("group", name="Alternative 2 of 2").get_by_role("button", name="Previous").click()
    says(page, "Capital of France?", "It is Paris.", "And of Spain?", "It is Madrid.")
    page.get_by_role("group", name="Alternative 1 of 2").get_by_role("button", name="Next").click()
    says(page, "Capital of Italy?", "It is Rome.")
    page.goto(conversation.get_absolute_url())
    says(page, "Capital of Italy?", "It is Rome.")


@pytest.mark.parametrize("options", [{}, WITHOUT_SCRIPT], ids=["desktop", "without script"])
def test_cancel_gives_the_message_back(
    new_page: NewPage, user: User, conversation: Conversation, options: dict[str, bool]
) -> None:
    page = new_page(user, **options)
    page.goto(conversation.get_absolute_url())
    article(page, "And of Spain?").get_by_role("link", name="Edit message").click()
    page.get_by_role("textbox", name="Your message").fill("Something else")
    page.get_by_role("link", name="Cancel").click()
    says(page, "Capital of France?", "It is Paris.", "And of Spain?", "It is Madrid.")
    assert Message.objects.count() == 4


def test_editing_by_keyboard(page: Page, conversation: Conversation, module_provider: ScriptedProvider) -> None:
    module_provider.play(reply("It is Lisbon."))
    page.goto(conversation.get_absolute_url())
    edit = article(page, "And of Spain?").get_by_role("link", name="Edit message")
    edit.focus()
    page.keyboard.press("Enter")
    box = page.get_by_role("textbox", name="Your message")
    expect(box).to_be_focused()
    page.keyboard.press("Escape")
    expect(box).to_have_count(0)
    expect(edit).to_be_focused()
    page.keyboard.press("Enter")
    expect(box).to_be_focused()
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("And of Portugal?")
    page.keyboard.press("Enter")
    says(page, "Capital of France?", "It is Paris.", "And of Portugal?", "It is Lisbon.")
    assert Message.objects.filter(content="And of Spain?\nAnd of Portugal?").exists()
    expect(page.get_by_role("textbox", name="Message", exact=True)).to_be_focused()
    same_as_fresh(page)


def test_a_refused_edit_stays_in_the_form(new_page: NewPage, user: User, conversation: Conversation) -> None:
    for options in ({}, WITHOUT_SCRIPT):
        page = new_page(user, **options)
        page.goto(conversation.get_absolute_url())
        article(page, "And of Spain?").get_by_role("link", name="Edit message").click()
        box = page.get_by_role("textbox", name="Your message")
        box.fill("x" * 10_001)
        page.get_by_role("button", name="Save and send").click()
        expect(page.get_by_role("alert")).to_contain_text("too long")
        expect(box).to_have_value("x" * 10_001)


@pytest.mark.parametrize("options", [{}, WITHOUT_SCRIPT, PHONE], ids=["desktop", "without script", "phone"])
def test_a_second_answer_stands_beside_the_first(
    new_page: NewPage,
    user: User,
    conversation: Conversation,
    module_provider: ScriptedProvider,
    options: dict[str, bool],
) -> None:
    module_provider.play(reply("Still Madrid."))
    page = new_page(user, **options)
    page.goto(conversation.get_absolute_url())
    article(page, "It is Madrid.").get_by_role("button", name="Regenerate reply").click()
    says(page, "Capital of France?", "It is Paris.", "And of Spain?", "Still Madrid.")
    expect(page.get_by_role("group", name="Alternative 2 of 2")).to_be_visible()
    asked = module_provider.chats[-1].json["messages"]
    assert [message["content"] for message in asked][-3:] == ["Capital of France?", "It is Paris.", "And of Spain?"]
    if options != WITHOUT_SCRIPT:
        same_as_fresh(page)


@pytest.mark.parametrize("options", [{}, WITHOUT_SCRIPT], ids=["desktop", "without script"])
def test_another_model_is_asked(
    new_page: NewPage,
    user: User,
    conversation: Conversation,
    module_provider: ScriptedProvider,
    options: dict[str, bool],
) -> None:
    Generation.objects.update(model="small")
    module_provider.play(reply("Madrid, of course."))
    page = new_page(user, **options)
    page.goto(conversation.get_absolute_url())
    article(page, "It is Madrid.").get_by_role("link", name="Regenerate with another model").click()
    choice = page.get_by_role("log").get_by_role("combobox", name="Model")
    expect(choice).to_have_value("large")
    article(page, "It is Madrid.").get_by_role("button", name="Regenerate").click()
    expect(article(page, "Madrid, of course.")).to_contain_text("large")
    assert module_provider.chats[-1].json["model"] == "large"
    if options != WITHOUT_SCRIPT:
        same_as_fresh(page)


def test_a_double_click_asks_once(page: Page, conversation: Conversation, module_provider: ScriptedProvider) -> None:
    module_provider.play(stream(Text("Only "), Gate("end"), Text("once."), *END))
    page.goto(conversation.get_absolute_url())
    article(page, "It is Madrid.").get_by_role("button", name="Regenerate reply").dblclick()
    expect(log(page)).to_contain_text("Only")
    module_provider.gate("end").open()
    expect(log(page)).to_contain_text("Only once.")
    assert Message.objects.count() == 5


def test_while_a_reply_runs_going_elsewhere_is_refused_in_words(
    page: Page, conversation: Conversation, module_provider: ScriptedProvider
) -> None:
    module_provider.play(reply("Still Madrid."), stream(Text("Third "), Gate("end"), Text("time."), *END))
    page.goto(conversation.get_absolute_url())
    article(page, "It is Madrid.").get_by_role("button", name="Regenerate reply").click()
    says(page, "Capital of France?", "It is Paris.", "And of Spain?", "Still Madrid.")
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_visible()
    send(page, "Once more")
    expect(log(page)).to_contain_text("Third")
    page.get_by_role("group", name="Alternative 2 of 2").get_by_role("button", name="Previous").click()
    expect(page.get_by_role("alert")).to_contain_text("still answering")
    module_provider.gate("end").open()
    expect(log(page)).to_contain_text("Third time.")


def test_going_between_alternatives_keeps_the_place_and_the_focus(page: Page, user: User) -> None:
    conversation = ConversationFactory.create(user=user)
    messages = long_chat(conversation, 30)
    first = messages[11]
    Message.objects.filter(pk=first.pk).update(content="First answer\n\n" + "A line.\n\n" * 40)
    second = Message.objects.create(
        conversation=conversation, user=user, parent=messages[10], role="assistant", content="Second answer"
    )
    Generation.objects.create(message=second, conversation=conversation, status="complete")
    page.goto(conversation.get_absolute_url())
    following = page.get_by_role("group", name="Alternative 1 of 2").get_by_role("button", name="Next")
    following.scroll_into_view_if_needed()
    following.focus()
    page.keyboard.press("Enter")
    expect(article(page, "Second answer")).to_be_in_viewport()
    expect(page.locator("[role=status]")).to_contain_text("Alternative 2 of 2")
    ended = page.get_by_role("group", name="Alternative 2 of 2").get_by_role("button", name="Next")
    expect(ended).to_be_focused()
    top = ended.bounding_box()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(article(page, "First answer")).to_be_in_viewport()
    again = page.get_by_role("group", name="Alternative 1 of 2").get_by_role("button", name="Previous")
    expect(again).to_be_focused()
    box = again.bounding_box()
    assert top
    assert box
    assert abs(box["y"] - top["y"]) < 2


@pytest.mark.parametrize("options", [{}, WITHOUT_SCRIPT], ids=["desktop", "without script"])
def test_an_address_leads_to_a_message_on_another_branch(
    new_page: NewPage, user: User, conversation: Conversation, options: dict[str, bool]
) -> None:
    long_chat(conversation, 200)
    message = Message.objects.get(content="And of Spain?")
    page = new_page(user, **options)
    page.goto(f"/messages/{message.pk}/")
    expect(article(page, "And of Spain?")).to_be_in_viewport()
    page.get_by_role("button", name="Continue from here").click()
    expect(page.get_by_role("textbox", name="Message")).to_be_visible()
    says(page, "Capital of France?", "It is Paris.", "And of Spain?", "It is Madrid.")


def test_an_address_leads_into_the_middle_of_a_long_chat(page: Page, user: User) -> None:
    messages = long_chat(ConversationFactory.create(user=user), 300)
    page.goto(messages[100].get_absolute_url())
    expect(article(page, "Message-00100")).to_be_in_viewport()
    page.get_by_role("link", name="Newest messages").click()
    expect(article(page, "Message-00299")).to_be_in_viewport()


@pytest.mark.parametrize("width", [320, 360])
def test_on_a_phone_nothing_is_wider_than_the_screen(
    new_page: NewPage, user: User, conversation: Conversation, module_provider: ScriptedProvider, width: int
) -> None:
    module_provider.play(reply("Still Madrid."))
    Generation.objects.update(model="a-model-with-quite-a-long-name-2026-11-22")
    page = new_page(user, **(PHONE | {"viewport": {"width": width, "height": 640}}))
    page.goto(conversation.get_absolute_url())
    article(page, "It is Madrid.").get_by_role("button", name="Regenerate reply").tap()
    says(page, "Capital of France?", "It is Paris.", "And of Spain?", "Still Madrid.")
    article(page, "Still Madrid.").get_by_role("link", name="Regenerate with another model").tap()
    expect(page.get_by_role("log").get_by_role("combobox", name="Model")).to_be_visible()
    article(page, "Capital of France?").get_by_role("link", name="Edit message").tap()
    expect(page.get_by_role("textbox", name="Your message")).to_be_visible()
    assert page.evaluate("document.querySelector('[role=log]').scrollWidth") <= width
    small = page.locator(".actions :is(a, button, select), .edit :is(a, button)").evaluate_all(
        "all => all.map(e => e.getBoundingClientRect()).filter(r => r.width && r.height < 44).length"
    )
    assert small == 0
