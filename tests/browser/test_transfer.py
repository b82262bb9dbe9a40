"""A person takes conversations along: out of one account, into another, with and without JavaScript, on a phone."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from conversations.models import Conversation
from tests.browser.acting import log
from tests.browser.conftest import PHONE, NewPage
from tests.factories import ConversationFactory, exchange


def save(page: Page, folder: Path) -> Path:
    """Press Export and keep the file."""
    with page.expect_download() as found:
        page.get_by_role("button", name="Export").click()
    file = folder / found.value.suggested_filename
    found.value.save_as(file)
    return file


@pytest.mark.parametrize(
    "options", [{}, {"java_script_enabled": False}, PHONE], ids=["with scripts", "without scripts", "on a phone"]
)
def test_conversations_move_to_another_account(
    new_page: NewPage, user: User, stranger: User, tmp_path: Path, options: dict[str, object]
) -> None:
    exchange(ConversationFactory.create(user=user, title="Capitals"), "Capital of France?", "It is **Paris**.")
    page = new_page(user, **options)
    page.goto("/")
    if page.get_by_role("button", name="Show conversations").is_visible():
        page.get_by_role("button", name="Show conversations").click()
    page.get_by_role("button", name="Account").click()
    page.get_by_role("link", name="Export conversations").click()
    page.get_by_role("radio", name="JSON").check()
    file = save(page, tmp_path)
    assert file.suffix == ".json"

    other = new_page(stranger, **options)
    other.goto("/import/")
    other.get_by_label("File").set_input_files(file)
    other.get_by_role("button", name="Import").click()
    expect(other.get_by_role("status")).to_contain_text("1 imported")
    other.get_by_role("link", name="Capitals").click()
    expect(log(other).locator("strong")).to_have_text("Paris")

    other.goto("/import/")
    other.get_by_label("File").set_input_files(file)
    other.get_by_role("button", name="Import").click()
    expect(other.get_by_role("listitem").first).to_contain_text("Already here")
    assert Conversation.objects.count() == 2
    assert other.evaluate("document.documentElement.scrollWidth <= innerWidth") if options is PHONE else True


def test_one_conversation_is_exported_from_its_menu(page: Page, user: User, tmp_path: Path) -> None:
    conversation = exchange(
        ConversationFactory.create(user=user, title="Capitals"), "Of France?", "Paris."
    ).conversation
    page.goto(conversation.get_absolute_url())
    page.get_by_role("button", name="Conversation menu").click()
    page.get_by_role("link", name="Export").first.click()
    file = save(page, tmp_path)
    assert file.name.endswith("Capitals.md")
    assert "Of France?" in file.read_text()


def test_some_conversations_are_exported_from_the_list(page: Page, user: User, tmp_path: Path) -> None:
    for title in ("One", "Two", "Three"):
        exchange(ConversationFactory.create(user=user, title=title), "Hello", "Good day")
    page.goto("/conversations/")
    for title in ("One", "Three"):
        page.get_by_role("checkbox", name=f"Select {title}").check(force=True)
    page.get_by_role("button", name="Export").click()
    page.get_by_role("radio", name="JSON").check()
    exported = json.loads(save(page, tmp_path).read_text())["conversations"]
    assert {conversation["title"] for conversation in exported} == {"One", "Three"}


def test_a_broken_file_is_told_of_in_words(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "holiday.json"
    file.write_text("Not JSON at all")
    page.goto("/import/")
    page.get_by_label("File").set_input_files(file)
    page.get_by_role("button", name="Import").click()
    expect(page.get_by_role("listitem").first).to_contain_text("not an export of Chatbot")
    page.get_by_role("link", name="Choose another file").click()
    expect(page.get_by_role("heading", name="Import conversations")).to_be_visible()


def test_a_time_is_kept_right_while_the_page_is_open(page: Page, user: User) -> None:
    conversation = exchange(ConversationFactory.create(user=user), "Hello", "Good day").conversation
    page.clock.install()
    page.goto(conversation.get_absolute_url())
    time = page.locator("article.assistant time")
    expect(time).to_have_text("just now")
    page.clock.fast_forward("05:10")
    expect(time).to_have_text("5 min ago")
