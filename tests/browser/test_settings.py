"""Picking a model, instructions and presets, with and without JavaScript, on a desktop and on a phone."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from conversations.models import Configuration, Conversation, Preset
from tests.browser.acting import log, send
from tests.browser.conftest import PHONE, NewPage
from tests.factories import ConversationFactory, PresetFactory, exchange
from tests.kit.provider import ScriptedProvider, reply
from tests.kit.server import ChatServer

WAYS = pytest.mark.parametrize(
    "options", [{}, PHONE, {"java_script_enabled": False}], ids=["desktop", "phone", "without scripts"]
)


@pytest.fixture(scope="module")
def module_server(django_db_setup: None, module_provider: ScriptedProvider) -> Iterator[ChatServer]:
    """A site that offers two models."""
    with ChatServer(
        OPENAI_BASE_URL=module_provider.url, CHAT_MODELS="large,small", CHAT_TURNS_PER_MINUTE="1000"
    ) as server:
        yield server


def fits(page: Page) -> bool:
    """Whether nothing reaches past the page's side."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


@WAYS
def test_a_new_chat_is_asked_of_the_picked_model(
    new_page: NewPage, user: User, module_provider: ScriptedProvider, options: dict[str, Any]
) -> None:
    module_provider.always(reply("Here it is."))
    page = new_page(user, **options)
    page.goto("/")
    page.get_by_role("combobox", name="Model").select_option("small")
    page.get_by_role("button", name="Chat settings").click()
    page.get_by_role("textbox", name="Instructions").fill("Speak French.")
    page.get_by_role("textbox", name="Temperature").fill("0.5")
    assert fits(page)
    page.get_by_role("button", name="Done").click()
    send(page, "Hello")
    expect(log(page)).to_contain_text("Here it is.")
    expect(page.locator(".model")).to_have_text("small")
    expect(page.get_by_role("combobox", name="Model")).to_have_value("small")
    asked = module_provider.chats[0].json
    assert (asked["model"], asked["temperature"]) == ("small", 0.5)
    assert asked["messages"][0]["content"].endswith("Speak French.")
    assert Conversation.objects.get().configuration == Configuration("small", "Speak French.", 0.5)


@WAYS
def test_the_model_and_the_settings_of_a_chat_are_changed(
    new_page: NewPage, user: User, module_provider: ScriptedProvider, options: dict[str, Any]
) -> None:
    module_provider.always(reply("Here it is."))
    conversation = exchange(ConversationFactory.create(user=user), "Hello", "Good day").conversation
    page = new_page(user, **options)
    page.goto(conversation.get_absolute_url())
    page.get_by_role("combobox", name="Model").select_option("small")
    if (use := page.get_by_role("button", name="Use")).is_visible():
        use.click()
    else:
        expect(page.locator("#status")).to_contain_text("Saved")
    page.get_by_role("link", name="Chat settings").click()
    page.get_by_role("textbox", name="Instructions").fill("Speak French.")
    page.get_by_role("textbox", name="Temperature").fill("3")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert").filter(has_text="from 0 to 2")).to_be_visible()
    expect(page.get_by_role("textbox", name="Instructions")).to_have_value("Speak French.")
    page.get_by_role("textbox", name="Temperature").fill("0")
    assert fits(page)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("button", name="Save")).to_have_count(0)
    send(page, "And now?")
    expect(log(page)).to_contain_text("Here it is.")
    asked = module_provider.chats[0].json
    assert (asked["model"], asked["temperature"]) == ("small", 0)
    assert asked["messages"][0]["content"].endswith("Speak French.")


@WAYS
def test_a_preset_is_made_and_a_chat_begun_with_it(
    new_page: NewPage, user: User, module_provider: ScriptedProvider, options: dict[str, Any]
) -> None:
    module_provider.always(reply("Bonjour."))
    page = new_page(user, **options)
    page.goto("/")
    page.get_by_role("link", name="Create a preset").click()
    page.get_by_role("link", name="Translator").click()
    page.get_by_role("combobox", name="Model").select_option("small")
    assert fits(page)
    page.get_by_role("button", name="Save").click()
    page.get_by_role("link", name="Start a chat with Translator").click()
    expect(page.get_by_text("Starting with Translator")).to_be_visible()
    expect(page.get_by_role("combobox", name="Model")).to_have_value("small")
    send(page, "Good day")
    expect(log(page)).to_contain_text("Bonjour.")
    asked = module_provider.chats[0].json
    assert asked["model"] == "small"
    assert "Translate what I write" in asked["messages"][0]["content"]
    preset = Preset.objects.get()
    page.goto(preset.get_absolute_url())
    page.get_by_role("button", name="Delete preset").click()
    page.get_by_role("button", name="Delete forever").click()
    expect(page.get_by_text("You have no presets yet.")).to_be_visible()
    assert Conversation.objects.get().system_prompt == preset.system_prompt


@WAYS
def test_a_chat_takes_a_preset_over(new_page: NewPage, server: ChatServer, user: User, options: dict[str, Any]) -> None:
    PresetFactory.create(user=None, name="House style", system_prompt="Be brief.", temperature=0.1)
    conversation = exchange(ConversationFactory.create(user=user), "Hello", "Good day").conversation
    page = new_page(user, **options)
    page.goto(conversation.get_absolute_url())
    page.get_by_role("link", name="Chat settings").click()
    page.get_by_role("link", name="House style").click()
    expect(page.get_by_role("textbox", name="Instructions")).to_have_value("Be brief.")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("button", name="Save")).to_have_count(0)
    conversation.refresh_from_db()
    assert conversation.configuration == Configuration("", "Be brief.", 0.1)


def test_settings_that_are_cancelled_change_nothing_and_give_the_focus_back(page: Page, user: User) -> None:
    conversation = exchange(ConversationFactory.create(user=user), "Hello", "Good day").conversation
    page.goto(conversation.get_absolute_url())
    opener = page.get_by_role("link", name="Chat settings")
    for close in ("Escape", "Cancel"):
        opener.press("Enter")
        expect(page.get_by_role("textbox", name="Instructions")).to_be_focused()
        page.get_by_role("textbox", name="Instructions").fill("Never")
        if close == "Escape":
            page.keyboard.press("Escape")
        else:
            page.get_by_role("link", name="Cancel").click()
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(opener).to_be_focused()
    conversation.refresh_from_db()
    assert conversation.configuration == Configuration()


def test_an_example_prompt_is_asked_of_the_picked_model(page: Page, module_provider: ScriptedProvider) -> None:
    module_provider.always(reply("Like this."))
    page.goto("/")
    page.get_by_role("combobox", name="Model").select_option("small")
    page.get_by_role("button", name="Explain an idea").click()
    expect(log(page)).to_contain_text("Like this.")
    assert module_provider.chats[0].json["model"] == "small"


def test_a_removed_model_is_said_until_another_is_picked(
    page: Page, user: User, module_provider: ScriptedProvider
) -> None:
    module_provider.always(reply("Here it is."))
    conversation = exchange(ConversationFactory.create(user=user, model="gone"), "Hello", "Good day").conversation
    page.goto(conversation.get_absolute_url())
    expect(page.get_by_text("The model gone is no longer available.")).to_be_visible()
    send(page, "And now?")
    expect(page.locator(".model")).to_have_text("large")
    page.get_by_role("combobox", name="Model").focus()
    page.get_by_role("combobox", name="Model").select_option("small")
    expect(page.get_by_text("no longer available")).to_have_count(0)
    expect(page.get_by_role("combobox", name="Model")).to_be_focused()
