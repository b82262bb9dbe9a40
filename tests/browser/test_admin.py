"""Staff at work in the admin."""

from pathlib import Path

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.utils import timezone
from playwright.sync_api import Page, expect

from accounts.models import User
from conversations.actions import branches
from conversations.models import Conversation, Feedback, Generation, Message, Preset, Status, TurnWindow
from tests.admin.conftest import READ, VIEW, member
from tests.browser.acting import RICH, log, send
from tests.browser.conftest import PHONE, NewPage
from tests.browser.test_accessibility import AXE
from tests.factories import ConversationFactory, exchange
from tests.kit.provider import END, Gate, ScriptedProvider, Text, stream

LIST = "/admin/conversations/conversation/"


@pytest.fixture
def conversation(user: User) -> Conversation:
    """One whose first answer was rated, then made again."""
    first = exchange(ConversationFactory.create(user=user, title="Paris"), "Capital of France?", "It is **Lyon**.")
    Feedback.objects.create(message=first, user=user, rating="down", comment="It is Paris")
    answer = branches.regenerate(first)
    Generation.objects.filter(pk=answer.pk).update(status=Status.COMPLETE, model="large", reasoning="Hm.")
    Message.objects.filter(pk=answer.pk).update(content=RICH, tool_calls=[{"name": "look_up"}])
    return first.conversation


def sees_no_violation(page: Page) -> None:
    """What is ours on the page is accessible, in light and dark; the rest is Django's."""
    page.evaluate(AXE)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme="light" if scheme == "light" else "dark")
        # Links of the admin change their colour gradually.
        page.evaluate("document.getAnimations().forEach(animation => animation.finish())")
        found = page.evaluate("async () => (await axe.run('.transcript', { resultTypes: ['violations'] })).violations")
        told = [(rule["id"], node["html"], node["failureSummary"]) for rule in found for node in rule["nodes"]]
        assert not told, (scheme, told)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("options", [{}, PHONE | {"java_script_enabled": False}], ids=["desktop", "phone, no script"])
def test_a_conversation_is_found_and_read_on_every_branch(
    new_page: NewPage, conversation: Conversation, options: dict[str, object]
) -> None:
    page = new_page(member(*READ), **options)
    page.goto(LIST)
    page.get_by_role("textbox").first.fill(conversation.user.email)
    page.get_by_role("button", name="Search").click()
    page.locator(".field-last_message a").click()
    answer = page.locator("article.assistant")
    expect(answer.get_by_role("heading", name="Paris")).to_be_visible()
    expect(answer.locator("math")).to_be_visible()
    answer.get_by_text("Look up").click()
    expect(answer.get_by_text("look_up")).to_be_visible()
    answer.get_by_text("complete").click()
    expect(answer.get_by_text("First token")).to_be_visible()
    if not options:
        sees_no_violation(page)
    answer.get_by_role("link", name="Previous alternative").click()
    expect(answer.locator("strong", has_text="Lyon")).to_be_visible()
    expect(answer).to_contain_text("It is Paris")
    expect(page.get_by_text("not the person's current branch")).to_be_visible()
    page.goto(LIST)
    page.get_by_role("link", name="Search what was said").click()
    page.get_by_role("searchbox", name="Words").fill("lyon")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("mark")).to_have_text("Lyon")
    if not options:
        sees_no_violation(page)
    page.locator(".hits a").click()
    expect(answer.locator("strong", has_text="Lyon")).to_be_visible()
    assert LogEntry.objects.filter(object_id=str(conversation.pk)).count() == 4


def test_erasing_asks_first_and_tells_what_goes(new_page: NewPage, conversation: Conversation, tmp_path: Path) -> None:
    other = exchange(ConversationFactory.create(), "Hello", "Hi").conversation
    page = new_page(member(*READ, "delete_conversation"))
    page.goto(f"{LIST}{conversation.pk}/change/")
    with page.expect_download() as found:
        page.get_by_role("button", name="Export as Markdown").click()
    found.value.save_as(tmp_path / "export.md")
    assert "# Paris" in (tmp_path / "export.md").read_text()
    page.get_by_role("button", name="Erase permanently…").click()
    expect(page.get_by_text("3 messages")).to_be_visible()
    sees_no_violation(page)
    page.get_by_role("link", name="Cancel").click()
    assert Conversation.objects.count() == 2
    page.get_by_role("row", name=conversation.user.email).get_by_role("checkbox").check()
    page.get_by_role("combobox").select_option(label="Erase permanently…")
    page.get_by_role("button", name="Run").click()
    page.get_by_role("button", name="Erase permanently").click()
    expect(page.get_by_text("1 conversation with 3 messages erased permanently")).to_be_visible()
    assert list(Conversation.objects.all()) == [other]


def test_staff_stop_a_reply_while_it_runs(new_page: NewPage, user: User, module_provider: ScriptedProvider) -> None:
    module_provider.play(stream(Text("One two "), Gate("never"), Text("three"), *END))
    chat = new_page(user)
    chat.goto("/")
    send(chat, "Count")
    expect(log(chat)).to_contain_text("One two")
    page = new_page(member(*VIEW, "stop_generation"))
    page.goto(f"{LIST}{Conversation.objects.get().pk}/change/")
    page.get_by_role("button", name="Stop the reply").click()
    expect(page.get_by_text("1 reply will stop")).to_be_visible()
    expect(log(chat)).to_contain_text("You stopped this reply.")
    expect(log(chat)).to_contain_text("One two")


def test_every_other_page_of_the_admin_opens_on_a_phone(new_page: NewPage, conversation: Conversation) -> None:
    today = timezone.localdate()
    TurnWindow.objects.filter(user=conversation.user).update(messages_on=today, day_messages=2, month_messages=9)
    Preset.objects.create(name="A shared preset for letters", system_prompt="Be brief.", model="large")
    group = Group.objects.create(name="Readers")
    LogEntry.objects.create(
        user=conversation.user, object_id=str(conversation.pk), action_flag=4, change_message="Read 3 messages."
    )
    page, errors = new_page(member(is_superuser=True), **PHONE), list[str]()
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)

    def opens(path: str) -> None:
        answer = page.goto(f"/admin/{path}")
        assert answer is not None
        assert answer.status == 200, path
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path

    for path in (
        *(f"conversations/{name}/" for name in ("conversation", "message", "generation", "feedback", "preset")),
        *(f"conversations/{name}/" for name in ("usagelimit", "usagelimit/add", "turnwindow", "preset/add")),
        "admin/logentry/",
        "accounts/user/",
        f"accounts/user/{conversation.user_id}/change/",
        f"accounts/user/{conversation.user_id}/delete/",
        "auth/group/",
        f"auth/group/{group.pk}/change/",
    ):
        opens(path)
    opens("conversations/usagelimit/add/")
    page.get_by_label("Period").select_option("day")
    page.get_by_label("Messages").fill("50")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("link", name="everybody", exact=True).click()
    page.get_by_label("Messages").fill("60")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".field-messages")).to_have_text("60")
    assert errors == []


def test_who_may_not_read_sees_facts_and_no_way_to_the_words(new_page: NewPage, conversation: Conversation) -> None:
    page = new_page(member(*VIEW))
    page.goto(LIST)
    expect(page.get_by_role("link", name="Search what was said")).to_have_count(0)
    page.locator(".field-last_message a").click()
    expect(page.get_by_text("do not have permission to read it")).to_be_visible()
    expect(page.get_by_text(conversation.user.email)).to_be_visible()
    expect(page.locator("article")).to_have_count(0)
    expect(page.get_by_role("button", name="Export as JSON")).to_have_count(0)
    sees_no_violation(page)
    answer = page.goto(f"{LIST}search/?q=paris")
    assert answer is not None
    assert answer.status == 403
    assert not LogEntry.objects.exists()
