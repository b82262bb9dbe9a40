"""The main job with nothing configured: sign up, chat with the real local model, find it all again."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from conversations.models import Message, Status
from tests.browser.conftest import NewPage
from tests.factories import PASSWORD, UserFactory
from tests.kit.server import ChatServer

QUESTION = "What is the capital of France?"
MODEL_MILLISECONDS = 60_000


@pytest.fixture(scope="module")
def module_server(django_db_setup: None) -> Iterator[ChatServer]:
    """A server without a provider: the local model answers."""
    with ChatServer() as server:
        yield server


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_sign_up_ask_reload_and_find_it_again(new_page: NewPage, scripts: bool) -> None:  # noqa: FBT001 (a parameter)
    page = new_page(java_script_enabled=scripts)
    page.goto("/")
    expect(page).to_have_url(re.compile("/accounts/login/"))
    page.get_by_role("link", name="Sign up").click()
    page.get_by_role("textbox", name="E-mail").or_(page.get_by_role("textbox", name="Email")).fill("ada@example.org")
    page.get_by_label("Password").first.fill(PASSWORD)
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_text("small demo model")).to_be_visible()

    page.get_by_role("textbox", name="Message").fill(QUESTION)
    page.get_by_role("button", name="Send").click()
    answer = page.locator(".message.assistant .body")
    expect(answer).to_contain_text("Paris", timeout=MODEL_MILLISECONDS)
    expect(page.get_by_role("button", name="Send")).to_be_visible(timeout=MODEL_MILLISECONDS)

    stored = Message.objects.select_related("generation").get(role="assistant")
    assert "Paris" in stored.content
    assert stored.generation.status == Status.COMPLETE
    assert stored.generation.completion_tokens
    text = answer.inner_text()
    page.reload()
    assert answer.inner_text() == text
    page.get_by_role("link", name="New chat").first.click()
    page.get_by_role("navigation", name="Conversations").get_by_role("link", name=QUESTION).click()
    expect(page.get_by_role("log", name="Conversation")).to_contain_text(QUESTION)
    assert answer.inner_text() == text
    sign_out(page)


def sign_out(page: Page) -> None:
    page.get_by_role("button", name="Account").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(re.compile("/accounts/login/"))


def test_the_example_prompts_are_answered(new_page: NewPage) -> None:
    page = new_page(UserFactory.create())
    page.goto("/")
    page.get_by_role("button", name="Explain an idea").click()
    expect(page.get_by_role("log", name="Conversation")).to_contain_text("rainbow")
    expect(page.get_by_role("button", name="Send")).to_be_visible(timeout=MODEL_MILLISECONDS)
    assert Message.objects.get(role="assistant").content
