"""axe-core finds no violation: on any page, in any state of it that a person can bring about, light and dark, on a
desktop's screen and on a phone's.

A new page needs an entry in `PAGES`, by the name of its URL; a state of a page (a menu that is open, a dialog) needs
one in `STATES`. Each is loaded once, then looked at in both schemes and on both screens.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from importlib.resources import files
from typing import Any
from uuid import UUID

import pytest
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from django.contrib.auth.tokens import default_token_generator
from django.template.loader import render_to_string
from django.urls import URLPattern, get_resolver, reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from accounts import access_tokens
from accounts.models import User
from conversations.models import Conversation, Feedback, Message, Role, ToolCall, UsageLimit
from tasks import actions
from tests.browser.acting import RICH
from tests.browser.conftest import DESKTOP, PHONE, NewPage
from tests.factories import ConversationFactory, MessageFactory, PresetFactory, ReplyFactory, exchange
from tests.kit.provider import ScriptedProvider
from tests.kit.server import ChatServer
from tests.tasks.factories import add

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text()
SCREENS = {"desktop": DESKTOP["viewport"], "phone": PHONE["viewport"]}
COLOURS = ("color-contrast", "link-in-text-block")
"""The rules whose outcome depends on the colours: one look at the others is enough for a screen."""


Where = Callable[[Conversation], str]
"""The address of a page, for somebody with this conversation and some others."""


def at(name: str, **arguments: Any) -> Where:
    return lambda conversation: reverse(name, kwargs=arguments)


PAGES: dict[str, Where] = {
    "conversation-new": at("conversation-new"),
    "conversation-detail": lambda conversation: conversation.get_absolute_url(),
    "conversation-export": lambda conversation: reverse("conversation-export", args=(conversation.pk,)),
    "conversation-settings": lambda conversation: reverse("conversation-settings", args=(conversation.pk,)),
    "preset-list": at("preset-list"),
    "preset-new": at("preset-new"),
    "preset-detail": lambda conversation: conversation.user.presets.get().get_absolute_url(),
    "message-edit": lambda conversation: reverse("message-edit", args=(last_said(conversation, Role.USER),)),
    "message-part": lambda conversation: (
        f"{reverse('message-part', args=(last_said(conversation, Role.ASSISTANT),))}?from=0"
    ),
    "message-regenerate": lambda conversation: reverse(
        "message-regenerate", args=(last_said(conversation, Role.ASSISTANT),)
    ),
    "conversations": at("conversations"),
    "archive": at("archive"),
    "trash": at("trash"),
    "search": lambda conversation: f"{reverse('search')}?q=madrid",
    "conversations-export": at("conversations-export"),
    "conversations-import": at("conversations-import"),
    "account_change_password": at("account_change_password"),
    "account_email": at("account_email"),
    "account_logout": at("account_logout"),
    "account_reauthenticate": at("account_reauthenticate"),
    "access-tokens": at("access-tokens"),
    "sign-ins": at("sign-ins"),
    "sign-in-again": at("sign-in-again"),
    "usage": at("usage"),
    "approvals": at("approvals"),
    "tasks": at("tasks"),
    "task-detail": lambda conversation: conversation.user.tasks.all()[0].get_absolute_url(),
    "api-docs": at("api-docs"),
}
"""Pages of somebody who has signed in, by the names of their URLs."""

PUBLIC: dict[str, Where] = {
    "account_login": at("account_login"),
    "account_signup": at("account_signup"),
    "account_request_login_code": at("account_request_login_code"),
    "account_email_verification_sent": at("account_email_verification_sent"),
    "account_confirm_email": lambda conversation: confirming_address(conversation.user),
    "account_reset_password": at("account_reset_password"),
    "account_reset_password_done": at("account_reset_password_done"),
    "account_reset_password_from_key": lambda conversation: reset_address(conversation.user),
    "account_reset_password_from_key_done": at("account_reset_password_from_key_done"),
}
"""Pages of somebody who has not."""

NO_PAGES = {
    # Answers to a form, or parts of a page.
    *(
        "conversation-model",
        "preset-delete",
        "conversation-rename",
        "message-stream",
        "message-stop",
        "message-retry",
        "message-continue",
        "message-feedback",
    ),
    *("message-detail", "message-choose", "message-markdown", "preferences", "trash-empty", "health"),
    *("tool-call-decide", "message-decide"),
    *("task-complete", "task-reopen", "task-move", "task-delete", "tasks-restore"),
    *("access-token-revoke", "browser-end", "program-end", "sign-out-everywhere"),
    *(
        f"{noun}-{verb}"
        for noun in ("conversation", "conversations")
        for verb in ("archive", "unarchive", "pin", "unpin", "delete", "restore", "delete-forever", "erase")
    ),
    # Ways to sign in that this site does not offer: their addresses lead to the sign-in page.
    *("account_inactive", "account_set_password"),
    *("account_request_reauthentication_code", "account_confirm_reauthentication_code"),
    # It opens after a code was asked for: tests/browser/test_account_pages.py looks at it.
    "account_confirm_login_code",
}


def press(name: str, *, role: Any = "button") -> Callable[[Page], None]:
    return lambda page: page.get_by_role(role, name=name).first.click()


def both(*actions: Callable[[Page], None]) -> Callable[[Page], None]:
    def act(page: Page) -> None:
        for action in actions:
            action(page)

    return act


def shows(selector: str) -> Callable[[Page], None]:
    return lambda page: expect(page.locator(selector)).to_be_visible()


def show_sidebar(page: Page) -> None:
    if page.get_by_role("button", name="Show conversations").is_visible():
        page.get_by_role("button", name="Show conversations").click()


def look_for(words: str) -> Callable[[Page], None]:
    def act(page: Page) -> None:
        page.get_by_role("searchbox", name="Search").fill(words)
        expect(page.locator("#found mark").first).to_be_visible()

    return act


def delete_a_task(page: Page) -> None:
    page.get_by_role("link", name="Buy milk").click()
    page.locator("[data-editing]").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("button", name="Undo")).to_be_visible()


def open_steps(page: Page) -> None:
    page.wait_for_url("**/c/**")
    for line in page.locator(".step:not([data-asks]) summary").all():
        line.click()
    expect(page.get_by_role("group", name="Result").first).to_be_visible()


def show_another_branch(page: Page) -> None:
    way = page.get_by_role("button", name="Previous alternative").get_attribute("formaction")
    assert way
    page.goto(way.removesuffix("choose/"))


STATES: dict[str, tuple[str, Callable[[Page], None]]] = {
    "the drawer": ("conversation-detail", show_sidebar),
    "the account menu": ("conversation-detail", both(show_sidebar, press("Account"))),
    "the conversation's menu": ("conversation-detail", press("Conversation menu")),
    "renaming": ("conversation-detail", both(press("Conversation menu"), press("Rename"), shows("#rename"))),
    "the settings": ("conversation-detail", both(press("Chat settings", role="link"), shows("#settings form"))),
    "the settings of a new chat": ("conversation-new", both(press("Chat settings"), shows("#settings"))),
    "deleting a preset": ("preset-detail", press("Delete preset")),
    "a thought": ("conversation-detail", lambda page: page.locator("details.reasoning summary").first.click()),
    "steps": ("approvals", both(press("Shopping", role="link"), open_steps)),
    "editing": ("conversation-detail", both(press("Edit message", role="link"), shows("[data-edit] textarea"))),
    "another branch": ("conversation-detail", show_another_branch),
    "results in the sidebar": ("conversation-detail", both(show_sidebar, look_for("madrid"))),
    "a task's row": ("tasks", lambda page: page.locator("li.task .title").first.focus()),
    "editing a task": ("tasks", both(press("Buy milk", role="link"), shows("[data-editing] textarea"))),
    "a deleted task": ("tasks", delete_a_task),
    "a selection": ("conversations", lambda page: page.get_by_role("checkbox").first.check()),
}
"""Further states: the page that they begin on, and how a person gets there."""


@pytest.fixture(scope="module")
def module_server(django_db_setup: None, module_provider: ScriptedProvider) -> Iterator[ChatServer]:
    """A site that sends mail, so that its pages about mail open."""
    with ChatServer(
        OPENAI_BASE_URL=module_provider.url,
        CHAT_TURNS_PER_MINUTE="1000",
        EMAIL_URL="smtp://127.0.0.1:9",
        VERIFY_EMAIL="false",
    ) as server:
        yield server


@pytest.fixture
def conversation(user: User) -> Conversation:
    """A conversation with all that a page can show of one; others in the list, the archive and the trash."""
    answer = exchange(ConversationFactory.create(user=user, title="Capitals of Europe"), "Capital of France?", RICH)
    conversation = answer.conversation
    Feedback.objects.create(message=answer, user=user, rating="down", comment="Too long")
    PresetFactory.create(user=user, name="Translator", system_prompt="Translate.", temperature=0.2)
    PresetFactory.create(user=None, name="House style")
    access_tokens.make(user, name="Nightly report", is_read_only=True)
    UsageLimit.objects.create(messages=50)
    done, *_ = add(user, "Send the invoice", "Buy milk", "לקנות חלב", due=date(2026, 1, 31), description="Two litres")
    actions.complete(done)
    shopping(user)
    asked = exchange(conversation, "And of Spain?", "Madrid.").parent
    ReplyFactory.create(
        conversation=conversation,
        parent=asked,
        content="It is Madrid.",
        generation__status="failed",
        generation__error="The model did not answer in time.",
        generation__reasoning="Spain, then.",
        generation__reasoning_seconds=2,
        generation__model="a-model",
    )
    for title, fields in {
        "Pinned": {"pinned_at": timezone.now()},
        "Archived": {"archived_at": timezone.now()},
        "Thrown away": {"trashed_at": timezone.now()},
        "Another": {},
    }.items():
        exchange(ConversationFactory.create(user=user, title=title, **fields), "Hello", "Good day")
    return conversation


def shopping(user: User) -> None:
    """Make a conversation in which the assistant has read the list, failed at something, and waits for its person."""
    conversation = ConversationFactory.create(user=user, title="Shopping")
    table = {"columns": ["Task", "Due"], "rows": [["Buy milk", "2026-01-31"]], "links": ["/tasks/"]}
    steps = [
        {"id": "1", "name": "list_tasks", "status": "done", "result": {"text": "", "table": table}},
        {
            "id": "2",
            "name": "complete_task",
            "arguments": {"task": "tea"},
            "status": "failed",
            "error": "There is none.",
        },
        {"id": "3", "name": "delete_task", "arguments": {"task": "milk"}, "status": "declined", "decision": "person"},
    ]
    answer = exchange(conversation, "What is on my list?", "Milk, and no more.")
    Message.objects.filter(pk=answer.pk).update(tool_calls=steps)
    reply = ReplyFactory.create(
        conversation=conversation,
        parent=MessageFactory.create(conversation=conversation, content="Delete it, and the invoice."),
        content="",
        generation__status="waiting",
        generation__draft="One moment.",
        generation__rounds=1,
        generation__waiting_until=timezone.now() + timedelta(hours=1),
    )
    for position, (state, task) in enumerate({"waiting": "milk", "unknown": "the invoice"}.items()):
        ToolCall.objects.create(
            message=reply,
            user=user,
            position=position,
            place=11,
            provider_id=str(position),
            tool="delete_task",
            arguments=json.dumps({"task": task}),
            state=state,
        )


def last_said(conversation: Conversation, role: Role) -> UUID:
    key: UUID = conversation.messages.filter(role=role).newest_first()[0].pk
    return key


def confirming_address(user: User) -> str:
    address = EmailAddress.objects.create(user=user, email=user.email)
    return reverse("account_confirm_email", args=[EmailConfirmationHMAC.create(address).key])


def reset_address(user: User) -> str:
    key = f"{user.pk.hex}-{default_token_generator.make_token(user)}"
    return f"/accounts/password/reset/key/{key}/"


FIND = """async (rules) => {
  const only = rules.length ? { runOnly: { type: "rule", values: rules } } : {};
  return (await axe.run(document, { resultTypes: ["violations"], ...only })).violations;
}"""


def violations(page: Page, where: str, rules: Iterable[str] = ()) -> list[str]:
    """What axe-core finds, a line each."""
    return [
        f"{where}: {rule['id']}: {rule['help']}\n    {node['html'][:200]}\n    {node['failureSummary']}"
        for rule in page.evaluate(FIND, [*rules])
        for node in rule["nodes"]
    ]


def look(page: Page, name: str, screens: Iterable[str] = SCREENS) -> list[str]:
    """What is found on a page as it stands, in both schemes and on these screens."""
    page.evaluate(AXE)
    found = []
    for screen in screens:
        page.set_viewport_size(SCREENS[screen])
        page.emulate_media(color_scheme="light", reduced_motion="reduce")
        found += violations(page, f"{name}, {screen}, light")
        page.emulate_media(color_scheme="dark", reduced_motion="reduce")
        found += violations(page, f"{name}, {screen}, dark", COLOURS)
    return found


def look_at(page: Page, addresses: dict[str, str]) -> list[str]:
    """What is found on the pages at these addresses, each called by its name."""
    found = []
    for name, address in addresses.items():
        answer = page.goto(address)
        assert answer
        assert answer.status == 200, name
        found += look(page, name)
    return found


def test_the_pages_of_a_person(new_page: NewPage, conversation: Conversation) -> None:
    addresses = {name: where(conversation) for name, where in PAGES.items()}
    assert look_at(new_page(conversation.user), addresses) == []


def test_the_public_pages(new_page: NewPage, conversation: Conversation) -> None:
    addresses = {name: where(conversation) for name, where in PUBLIC.items()}
    assert look_at(new_page(), addresses) == []


def test_the_empty_pages(new_page: NewPage, stranger: User) -> None:
    lists = ("conversations", "archive", "trash", "tasks", "approvals")
    names = ("conversation-new", *lists, "conversations-export", "preset-list")
    assert look_at(new_page(stranger), {name: reverse(name) for name in names}) == []


@pytest.mark.parametrize("screen", SCREENS)
def test_the_states_of_pages(new_page: NewPage, conversation: Conversation, screen: str) -> None:
    page = new_page(conversation.user, **{"desktop": DESKTOP, "phone": PHONE}[screen])
    found = []
    for name, (begins_on, act) in STATES.items():
        page.goto(PAGES[begins_on](conversation))
        act(page)
        found += look(page, name, [screen])
    assert found == []


def test_the_error_pages(new_page: NewPage) -> None:
    page = new_page()
    # From here on, the addresses in the page are those of the site.
    page.goto(reverse("account_login"))
    found = []
    for name in ("400", "401", "403", "403_csrf", "404", "413", "429", "500", "503"):
        page.set_content(render_to_string(f"{name}.html", {"typed": "What I typed", "sign_in_url": "/accounts/login/"}))
        found += look(page, name)
    assert found == []


def test_the_results_of_an_import(new_page: NewPage, conversation: Conversation) -> None:
    page = new_page(conversation.user)
    there = {"id": str(conversation.pk), "title": conversation.title, "messages": []}
    there |= dict.fromkeys(("created_at", "updated_at"), conversation.created_at.isoformat())
    file = {"format": "chatbot-conversations", "version": 1, "conversations": [there, {"title": "Broken"}]}
    page.goto(reverse("conversations-import"))
    page.get_by_label("File").set_input_files(
        {"name": "export.json", "mimeType": "application/json", "buffer": json.dumps(file).encode()}
    )
    page.get_by_role("button", name="Import").click()
    expect(page.get_by_role("status")).to_contain_text("1 already here")
    assert look(page, "results") == []


def test_each_page_is_looked_at() -> None:
    # Django's admin is its own; allauth's further ways to sign in are not offered.
    resolvers = [
        get_resolver("conversations.urls"),
        get_resolver("tasks.urls"),
        get_resolver("accounts.urls"),
        get_resolver("allauth.account.urls"),
    ]
    patterns = [pattern for resolver in resolvers for pattern in resolver.url_patterns]
    names = {pattern.name for pattern in patterns if isinstance(pattern, URLPattern)}
    assert names - NO_PAGES - set(PAGES) - set(PUBLIC) == set()
