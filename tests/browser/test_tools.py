"""The assistant acts, in a real browser: its steps, what it asks, and what its person decides."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Locator, Page, Route, expect

from accounts.models import User
from conversations.models import CallState, Decision, Preset, ToolCall
from tasks.models import Task
from tests.browser.acting import log, send, wait_for_the_end, words
from tests.browser.conftest import PHONE, NewPage
from tests.factories import PresetFactory
from tests.kit.provider import END, Gate, ScriptedProvider, Text, calls, reply, stream
from tests.kit.server import ChatServer
from tests.support.replying import locked
from tests.tasks.factories import add, titles

DELETE_MILK = ("delete_task", {"task": "milk"})
ASKS = "Deleting “milk” from your tasks"
DECIDE = re.compile(r"/tool-calls/.+/decide/")


@pytest.fixture(scope="module")
def module_server(django_db_setup: None, module_provider: ScriptedProvider) -> Iterator[ChatServer]:
    """A server whose assistant has the tools of the to-do list, and some that only tests have."""
    with ChatServer(
        OPENAI_BASE_URL=module_provider.url, CHAT_TURNS_PER_MINUTE="1000", TEST_APPS="tests.support.acting"
    ) as server:
        yield server


def step(page: Page, text: str) -> Locator:
    """The step with these words."""
    return log(page).locator(".step").filter(has=page.locator(".words", has_text=text))


def card(page: Page) -> Locator:
    """The step that asks."""
    return page.get_by_role("group", name=f"{ASKS}: Needs your approval")


def decide(page: Page, name: str) -> None:
    """Press a button of the step that asks."""
    card(page).get_by_role("button", name=name).click()


def ask(page: Page, provider: ScriptedProvider, *, then: str = "It is gone.") -> None:
    """Have the assistant want to delete the milk, and wait until it asks."""
    provider.play(calls(DELETE_MILK, text="One moment."), reply(then))
    page.goto("/")
    send(page, "Delete the milk")
    expect(card(page)).to_be_visible()


def results(provider: ScriptedProvider) -> list[str]:
    """What the model has read as results of its calls, in its last request."""
    return [message["content"] for message in provider.chats[-1].json["messages"] if message["role"] == "tool"]


def test_it_adds_milk_for_tomorrow_and_shows_the_list(
    page: Page, user: User, module_provider: ScriptedProvider
) -> None:
    add(user, "Call Ana")
    tasks = page.context.new_page()
    tasks.goto("/tasks/")
    expect(tasks.locator("li.task .words")).to_have_text(["Call Ana"])
    module_provider.play(
        calls(("add_task", {"title": "Milk", "due": "tomorrow"}), text="I add it."),
        calls(("list_tasks", {})),
        reply("That is your **list**."),
    )
    page.goto("/")
    expect(page.locator("#count-tasks")).to_have_text("1 open")
    expect(page.locator("#count-tasks")).to_be_in_viewport()
    send(page, "Add milk for tomorrow and show me my list")
    expect(log(page).locator("strong")).to_have_text("list")
    wait_for_the_end(page)
    assert [" ".join(text.split()) for text in log(page).locator(".step summary").all_inner_texts()] == [
        "Added “Milk” to your tasks Done",
        "Read your tasks Done",
    ]
    step(page, "Read your tasks").locator("summary").click()
    tomorrow = timezone.localdate() + timedelta(days=1)
    table = page.get_by_role("group", name="Result").get_by_role("table")
    expect(table.get_by_role("columnheader")).to_have_text(["Task", "Due", "State"])
    expect(table.locator("tbody tr").first.get_by_role("cell")).to_have_text(["Milk", str(tomorrow), "open"])
    milk = Task.objects.get(title="Milk").get_absolute_url()
    expect(table.get_by_role("link", name="Milk")).to_have_attribute("href", milk)
    # What another page shows of it changes too, without a reload.
    expect(page.locator("#count-tasks")).to_have_text("2 open")
    expect(tasks.locator("li.task .words")).to_have_text(["Milk", "Call Ana"])
    step(page, "Read your tasks").locator("summary").click()
    streamed = words(page)
    page.reload()
    assert words(page) == streamed


def test_five_calls_of_one_round_stand_in_their_order_as_on_a_fresh_page(
    page: Page, user: User, module_provider: ScriptedProvider
) -> None:
    names = ["One", "Two", "Three", "Four", "Five"]
    module_provider.play(
        calls(*(("add", {"name": name}) for name in names), text="I add **five**."),
        stream(Text("All "), Gate("rest"), Text("five."), *END),
    )
    page.goto("/")
    send(page, "Add five")
    expect(log(page)).to_contain_text("All")
    expected = [f"Added “{name}”" for name in names]
    expect(log(page).locator(".step .words")).to_have_text(expected)
    step(page, "Three").locator("summary").click()
    module_provider.gate("rest").open()
    wait_for_the_end(page)
    # What a person has opened stays open.
    expect(step(page, "Three").get_by_text("Added Three.")).to_be_visible()
    step(page, "Three").locator("summary").click()
    body = log(page).locator(".message.assistant .body")
    streamed = body.inner_html()
    page.reload()
    assert body.inner_html() == streamed
    expect(log(page).locator(".step .words")).to_have_text(expected)
    assert sorted(Preset.objects.values_list("name", flat=True)) == sorted(names)


def test_a_declined_deletion_does_not_happen_and_the_model_is_told(
    page: Page, user: User, module_provider: ScriptedProvider
) -> None:
    add(user, "Buy milk")
    ask(page, module_provider, then="Then it stays.")
    decide(page, "Decline")
    expect(log(page)).to_contain_text("Then it stays.")
    expect(step(page, ASKS)).to_contain_text("Declined")
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    assert titles(user) == ["Buy milk"]
    (told,) = results(module_provider)
    assert "declined" in told.lower()


def test_an_approved_step_runs_and_its_reply_goes_on_in_place(
    page: Page, user: User, module_provider: ScriptedProvider
) -> None:
    add(user, "Buy milk", "Call Ana")
    ask(page, module_provider)
    said = page.locator("#status")
    expect(said).to_have_text(re.compile("The assistant needs your approval"))
    waiting = page.get_by_role("link", name="Approvals 1")
    expect(waiting).to_be_visible()
    expect(waiting.get_by_text("1")).to_be_in_viewport()
    page.evaluate("document.title = 'Mine'")
    decide(page, "Approve")
    expect(log(page)).to_contain_text("It is gone.")
    wait_for_the_end(page)
    # It is still the page on which the button was pressed.
    expect(page).to_have_title(re.compile("Mine"))
    expect(step(page, "Deleted “milk” from your tasks")).to_contain_text("Done")
    expect(said).to_have_text(re.compile("The assistant has answered"))
    expect(waiting).to_have_count(0)
    expect(page.locator("#count-tasks")).to_have_text("1 open")
    assert titles(user) == ["Call Ana"]
    streamed = words(page)
    page.reload()
    assert words(page) == streamed


def test_of_two_tabs_that_decide_differently_at_once_one_wins_and_the_other_is_told(
    page: Page, user: User, module_provider: ScriptedProvider
) -> None:
    add(user, "Buy milk")
    ask(page, module_provider, then="So it is.")
    other = page.context.new_page()
    other.goto(page.url)
    held: list[Route] = []
    for tab, name in ((page, "Approve"), (other, "Decline")):
        tab.route(DECIDE, lambda route: held.append(route))
        with tab.expect_request(DECIDE):
            decide(tab, name)
    for route in held:
        route.continue_()
    for tab in (page, other):
        expect(log(tab)).to_contain_text("So it is.")
        wait_for_the_end(tab)
    told = [tab for tab in (page, other) if "decided already" in tab.get_by_role("alert").inner_text()]
    assert len(told) == 1
    assert words(page) == words(other)
    call = ToolCall.objects.get()
    assert call.decision == Decision.PERSON
    assert titles(user) == ([] if call.state == CallState.DONE else ["Buy milk"])
    assert len(module_provider.chats) == 2


def test_a_reload_shows_the_same_while_a_step_waits_and_while_one_runs(
    page: Page, user: User, module_provider: ScriptedProvider
) -> None:
    add(user, "Buy milk")
    PresetFactory.create(user=user, name="eggs")
    ask(page, module_provider)
    # The line of another tool, which the reply calls once it goes on.
    module_provider.reset()
    module_provider.play(calls(("change", {"name": "eggs"}), text="And the eggs."), reply("Both."))
    waiting = words(page)
    page.reload()
    assert words(page) == waiting
    with locked(Preset.objects.all()):
        decide(page, "Approve")
        expect(step(page, "Change")).to_contain_text("Waiting for the lock")
        running = words(page)
        page.reload()
        expect(step(page, "Change")).to_contain_text("Waiting for the lock")
        assert words(page) == running
    expect(log(page)).to_contain_text("Both.")
    wait_for_the_end(page)
    ended = words(page)
    page.reload()
    assert words(page) == ended
    assert Preset.objects.get().system_prompt == "Changed"


def test_without_scripts_a_step_is_approved_by_a_form(
    new_page: NewPage, user: User, module_provider: ScriptedProvider
) -> None:
    add(user, "Buy milk")
    page = new_page(user, java_script_enabled=False)
    ask(page, module_provider)
    # It waits for its reader, who is not to lose their place every two seconds.
    assert page.locator("meta[http-equiv=refresh]").count() == 0
    decide(page, "Approve")
    expect(log(page)).to_contain_text("It is gone.")
    wait_for_the_end(page)
    expect(step(page, "Deleted “milk”")).to_contain_text("Done")
    assert titles(user) == []


def test_the_focus_goes_to_the_step_that_asks_and_the_keyboard_decides(
    page: Page, user: User, module_provider: ScriptedProvider
) -> None:
    add(user, "Buy milk")
    ask(page, module_provider)
    expect(card(page)).to_be_focused()
    page.keyboard.press("Tab")
    expect(card(page).locator("summary")).to_be_focused()
    page.keyboard.press("Tab")
    expect(card(page).get_by_role("button", name="Approve")).to_be_focused()
    page.keyboard.press("Tab")
    expect(card(page).get_by_role("button", name="Decline")).to_be_focused()
    page.keyboard.press("Enter")
    expect(log(page)).to_contain_text("It is gone.")
    wait_for_the_end(page)
    assert titles(user) == ["Buy milk"]


def test_who_types_meanwhile_is_left_alone(page: Page, user: User, module_provider: ScriptedProvider) -> None:
    add(user, "Buy milk")
    module_provider.play(stream(Text("One moment."), Gate("typed"), *calls(DELETE_MILK).steps), reply("It is gone."))
    page.goto("/")
    send(page, "Delete the milk")
    expect(log(page)).to_contain_text("One moment.")
    box = page.get_by_role("textbox", name="Message")
    box.fill("And then")
    module_provider.gate("typed").open()
    expect(card(page)).to_be_visible()
    expect(box).to_be_focused()
    page.keyboard.type(" the eggs")
    decide(page, "Approve")
    wait_for_the_end(page)
    expect(box).to_have_value("And then the eggs")


def test_what_is_always_allowed_in_a_chat_asks_there_no_more(
    page: Page, user: User, module_provider: ScriptedProvider
) -> None:
    add(user, "Buy milk", "Buy eggs")
    ask(page, module_provider)
    module_provider.play(
        calls(("delete_task", {"task": "eggs"})), reply("They are gone too."), calls(("delete_task", {"task": "Ana"}))
    )
    decide(page, "Always allow in this chat")
    expect(log(page)).to_contain_text("It is gone.")
    wait_for_the_end(page)
    send(page, "And the eggs")
    expect(log(page)).to_contain_text("They are gone too.")
    wait_for_the_end(page)
    assert titles(user) == []
    # Another chat asks.
    page.goto("/")
    send(page, "Delete Ana")
    expect(page.get_by_role("button", name="Approve")).to_be_visible()


def test_all_that_waits_is_decided_on_one_page_with_a_phone(
    new_page: NewPage, user: User, module_provider: ScriptedProvider
) -> None:
    add(user, "Buy milk", "Call Ana")
    page = new_page(user, **PHONE)
    module_provider.play(
        calls(DELETE_MILK, ("delete_task", {"task": "Ana " + "x" * 300}), text="One moment."), reply("That was it.")
    )
    page.goto("/")
    send(page, "Delete both")
    expect(log(page)).to_contain_text("2 steps need your approval.")
    small = """() => [...document.querySelectorAll("main :is(a, button, summary)")]
      .filter(element => element.getClientRects().length && !element.closest(".hidden, .actions"))
      .map(element => [element.textContent, element.getBoundingClientRect()])
      .filter(([name, box]) => box.height < 44).map(([name]) => name)"""
    assert page.evaluate(small) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    chat = page.url
    page.goto("/approvals/")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.get_by_role("button", name="Decline").nth(1).tap()
    expect(page.locator(".step")).to_have_count(1)
    assert page.url.endswith("/approvals/")
    page.get_by_role("button", name="Approve").tap()
    expect(page.get_by_text("Nothing waits for you.")).to_be_visible()
    page.goto(chat)
    expect(log(page)).to_contain_text("That was it.")
    assert titles(user) == ["Call Ana"]


def test_a_printed_chat_tells_its_steps_without_buttons(
    page: Page, user: User, module_provider: ScriptedProvider
) -> None:
    add(user, "Buy milk")
    module_provider.play(calls(("add_task", {"title": "Eggs"}), DELETE_MILK, text="One moment."))
    page.goto("/")
    send(page, "Add eggs, delete the milk")
    expect(card(page)).to_be_visible()
    page.emulate_media(media="print", color_scheme="dark")
    expect(step(page, "Added “Eggs” to your tasks")).to_be_visible()
    expect(card(page)).to_contain_text("Needs your approval")
    for button in page.locator("button").all():
        expect(button).not_to_be_visible()
    for part in (page.locator(".sidebar"), page.get_by_role("textbox", name="Message")):
        expect(part).not_to_be_visible()
    expect(page.get_by_role("heading", name="Add eggs")).to_be_visible()
    # All of it, not the part that a screen shows, and dark on white.
    assert log(page).evaluate("log => getComputedStyle(log).overflowY") == "visible"
    light = page.evaluate("getComputedStyle(document.body).color")
    page.emulate_media(media="print", color_scheme="light")
    assert page.evaluate("getComputedStyle(document.body).color") == light
