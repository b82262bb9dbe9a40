"""Scripts that come on first use: what a person did before they came happens once they are there."""

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Request, Route, expect

from accounts.models import User
from conversations.models import Conversation, Message
from tests.browser.acting import log, send
from tests.browser.conftest import NewPage
from tests.factories import ConversationFactory, exchange, long_chat
from tests.kit.provider import ScriptedProvider, reply
from tests.support.replying import WAIT_SECONDS

LATER = {"branch", "copy", "dialog", "edit", "latest", "long", "preferences", "sign-out", "stream", "title"}
POLL_MILLISECONDS = 20
SOURCE = "Some `code`.\n\n```python\nx = 1\n```"
CLIPBOARD = {"permissions": ["clipboard-read", "clipboard-write"]}


def address(name: str) -> re.Pattern[str]:
    """The address of the script, by whatever name it is asked for."""
    return re.compile(rf"/js/{name}\.js(\?\d+)?$")


class Late:
    """A script that is on its way from `act` until `comes`."""

    def __init__(self, page: Page, name: str) -> None:
        self._page = page
        self._routes: list[Route] = []
        self._has_come = False
        page.route(address(name), self._handle)

    def act(self, act: Callable[[], Any]) -> None:
        """Do what asks for the script, and wait until it is asked for."""
        act()
        deadline = time.monotonic() + WAIT_SECONDS
        while not self._routes:
            assert time.monotonic() < deadline
            self._page.wait_for_timeout(POLL_MILLISECONDS)

    def comes(self) -> None:
        """Let it come."""
        self._has_come = True
        for route in self._routes:
            route.continue_()

    def _handle(self, route: Route) -> None:
        route.continue_() if self._has_come else self._routes.append(route)


@pytest.fixture
def conversation(user: User) -> Conversation:
    """One that has begun, with code in it."""
    return exchange(ConversationFactory.create(user=user), "Hello", SOURCE).conversation


def test_a_first_visit_loads_none_of_them(page: Page, conversation: Conversation) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(conversation.get_absolute_url(), wait_until="networkidle")
    names = {found[1] for url in asked if (found := re.search(r"/js/([a-z-]+)\.js", url))}
    assert {"first-use", "composer"} <= names
    assert not names & LATER


def test_the_first_click_copies(new_page: NewPage, user: User, conversation: Conversation) -> None:
    page = new_page(user, **CLIPBOARD)
    page.goto(conversation.get_absolute_url())
    copy = Late(page, "copy")
    link, code = page.get_by_role("link", name="Copy reply"), page.locator("[data-copy]")
    copy.act(link.click)
    expect(page.get_by_role("link", name="Copied")).to_have_count(0)
    copy.comes()
    expect(page.get_by_role("link", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == SOURCE
    assert conversation.get_absolute_url() in page.url
    code.click()
    expect(code).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "x = 1"


def test_a_link_opened_in_another_tab_waits_for_no_script(page: Page, conversation: Conversation) -> None:
    page.goto(conversation.get_absolute_url())
    page.route(address("copy"), lambda route: route.abort())
    with page.context.expect_page() as other:
        page.get_by_role("link", name="Copy reply").click(modifiers=["ControlOrMeta"])
    expect(other.value.locator("body")).to_contain_text("Some `code`.")


def test_the_first_choice_of_a_theme_is_shown_and_kept(page: Page) -> None:
    page.goto("/")
    preferences = Late(page, "preferences")
    page.get_by_role("button", name="Account").click()
    preferences.act(page.get_by_role("button", name="Dark").click)
    preferences.comes()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.get_by_role("button", name="Dark")).to_have_attribute("aria-pressed", "true")
    page.wait_for_function("document.querySelector('.htmx-request') === null")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_the_first_click_opens_the_settings(page: Page, conversation: Conversation) -> None:
    page.goto(conversation.get_absolute_url())
    dialog = Late(page, "dialog")
    dialog.act(page.get_by_role("link", name="Chat settings").click)
    dialog.comes()
    expect(page.get_by_role("dialog", name="Chat settings")).to_be_visible()
    page.get_by_role("link", name="Cancel").click()
    expect(page.get_by_role("dialog", name="Chat settings")).to_be_hidden()
    assert conversation.get_absolute_url() in page.url


def test_the_first_key_on_edit_opens_the_message_and_enter_saves_it(
    page: Page, conversation: Conversation, module_provider: ScriptedProvider
) -> None:
    module_provider.play(reply("Good evening."))
    page.goto(conversation.get_absolute_url())
    edit, branch = Late(page, "edit"), Late(page, "branch")
    edit.act(page.get_by_role("link", name="Edit message").focus)
    page.keyboard.press("Enter")
    edit.comes()
    box = page.get_by_role("textbox", name="Your message")
    expect(box).to_be_focused()
    page.keyboard.type(" again")
    page.keyboard.press("Enter")
    branch.comes()
    expect(log(page)).to_contain_text("Good evening.")
    expect(page.get_by_role("textbox", name="Message", exact=True)).to_be_focused()
    assert Message.objects.filter(content="Hello again").count() == 1


def test_a_first_double_click_asks_once_for_another_answer(
    page: Page, conversation: Conversation, module_provider: ScriptedProvider
) -> None:
    module_provider.play(reply("Another one."))
    page.goto(conversation.get_absolute_url())
    branch = Late(page, "branch")
    branch.act(page.get_by_role("button", name="Regenerate reply").dblclick)
    branch.comes()
    expect(log(page)).to_contain_text("Another one.")
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_visible()
    assert Message.objects.count() == 3


def test_a_turn_that_is_sent_before_its_stream_can_be_shown(page: Page, module_provider: ScriptedProvider) -> None:
    module_provider.play(reply("Here it is."))
    page.goto("/")
    stream = Late(page, "stream")
    stream.act(lambda: send(page, "Where is it?"))
    expect(log(page)).to_contain_text("Where is it?")
    stream.comes()
    expect(log(page)).to_contain_text("Here it is.")


def test_a_reply_is_shown_once_its_script_comes_at_last(page: Page, module_provider: ScriptedProvider) -> None:
    module_provider.play(reply("Here it is."))
    page.goto("/")
    refused: list[Request] = []

    def refuse(route: Route) -> None:
        refused.append(route.request)
        route.abort() if len(refused) < 4 else route.continue_()

    page.route(address("stream"), refuse)
    send(page, "Where is it?")
    expect(log(page)).to_contain_text("Here it is.")
    assert len(refused) >= 4


def test_the_first_scrolling_shows_the_way_back(page: Page, user: User) -> None:
    conversation = ConversationFactory.create(user=user)
    long_chat(conversation, 40)
    page.goto(conversation.get_absolute_url())
    latest = Late(page, "latest")
    latest.act(lambda: page.evaluate("document.getElementById('scroll').scrollTop = -1000"))
    expect(page.locator("[data-latest]")).to_be_hidden()
    latest.comes()
    expect(page.locator("[data-latest]")).to_be_visible()


def test_who_signs_out_at_once_leaves_nothing_behind(page: Page) -> None:
    page.goto("/")
    page.get_by_role("textbox", name="Message").fill("A secret")
    assert page.evaluate("Object.keys(localStorage).length") == 1
    sign_out = Late(page, "sign-out")
    page.get_by_role("button", name="Account").click()
    sign_out.act(page.get_by_role("button", name="Sign out").click)
    with page.expect_navigation():
        sign_out.comes()
    assert page.evaluate("Object.keys(localStorage).length") == 0
    page.goto("/")
    expect(page.get_by_role("textbox", name="Message")).to_have_count(0)


def test_a_script_of_another_version_of_the_site_is_found_by_its_plain_name(
    new_page: NewPage, user: User, conversation: Conversation
) -> None:
    page = new_page(user, **CLIPBOARD)
    page.goto(conversation.get_absolute_url())
    page.route(re.compile(r"/js/copy\.js$"), lambda route: route.fulfill(status=404))
    page.locator("[data-copy]").click()
    expect(page.locator("[data-copy]")).to_have_text("Copied")


def test_what_does_not_come_is_said_and_works_later(new_page: NewPage, user: User, conversation: Conversation) -> None:
    page = new_page(user, **CLIPBOARD)
    page.clock.install()
    page.goto(conversation.get_absolute_url())
    page.route(address("copy"), lambda route: route.abort())
    page.get_by_role("link", name="Copy reply").click()
    expect(page.get_by_role("alert")).to_contain_text("could not be reached")
    assert conversation.get_absolute_url() in page.url
    page.unroute(address("copy"))
    page.clock.fast_forward(1_000)
    page.locator("[data-copy]").click()
    expect(page.locator("[data-copy]")).to_have_text("Copied")


def test_what_needs_no_script_works_where_none_comes(page: Page) -> None:
    page.goto("/")
    page.route(address("sign-out"), lambda route: route.abort())
    page.get_by_role("button", name="Account").click()
    with page.expect_navigation():
        page.get_by_role("button", name="Sign out").click()
    page.goto("/")
    expect(page.get_by_role("textbox", name="Message")).to_have_count(0)
