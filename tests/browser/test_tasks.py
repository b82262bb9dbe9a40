"""The to-do list in a real browser: by pointer and keyboard, on a phone, without scripts, while others change it."""

import re
from datetime import timedelta

from django.utils import timezone
from playwright.sync_api import Locator, Page, Response, Route, expect

from accounts.models import User
from tasks import actions
from tasks.models import Task
from tests.browser.conftest import PHONE, NewPage
from tests.tasks.factories import add, titles

BYTES = 56_000
TAB = """state => {
  Object.defineProperty(document, "hidden", { value: state === "hidden", configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""
NASTY = "<script>document.title = 'broken'</script><b>bold</b>"


def row(page: Page, title: str) -> Locator:
    """The row of the task with this title."""
    return page.locator("li.task").filter(has=page.locator(".words", has_text=re.compile(f"^{re.escape(title)}$")))


def expect_titles(page: Page, *expected: str) -> None:
    """Wait until the page shows these tasks in this order."""
    expect(page.locator("li.task .words")).to_have_text(list(expected))


def count(page: Page) -> Locator:
    """The number of open tasks in the sidebar."""
    return page.locator("#count-tasks")


def test_tasks_are_added_completed_and_reopened_without_losing_the_focus(page: Page, user: User) -> None:
    page.goto("/tasks/")
    field = page.get_by_role("textbox", name="New task")
    for title in ("Buy milk", NASTY, "Call Ana"):
        field.fill(title)
        field.press("Enter")
        expect(row(page, title)).to_be_visible()
        expect(field).to_have_value("")
        expect(field).to_be_focused()
    expect_titles(page, "Call Ana", NASTY, "Buy milk")
    expect(count(page)).to_contain_text("3")
    page.get_by_role("button", name="Complete Call Ana").focus()
    page.keyboard.press("Enter")
    expect_titles(page, NASTY, "Buy milk")
    expect(page.locator("#said")).to_have_text("Completed “Call Ana”.")
    expect(page.get_by_role("button", name=f"Complete {NASTY}")).to_be_focused()
    expect(count(page)).to_contain_text("2")
    page.get_by_role("link", name="Done 1").click()
    page.get_by_role("button", name="Reopen Call Ana").click()
    expect(page.locator(".tasks .help")).to_contain_text("kept here")
    expect(field).to_be_focused()
    assert titles(user) == ["Call Ana", NASTY, "Buy milk"]


def test_a_task_is_changed_in_its_row(page: Page, user: User) -> None:
    add(user, "Buy milk", "Call Ana")
    page.goto("/tasks/")
    row(page, "Call Ana").get_by_role("link").click()
    title = page.get_by_role("textbox", name="Title")
    expect(title).to_be_focused()
    title.press("Escape")
    expect(row(page, "Call Ana").get_by_role("link")).to_be_focused()
    page.keyboard.press("Enter")
    expect(title).to_be_focused()
    title.fill("  ")
    title.press("Enter")
    expect(page.locator("#notice")).to_contain_text("what is to be done")
    expect(title).to_have_value("  ")
    title.fill("Call Ben")
    page.get_by_label("Description").fill("About the roof")
    page.locator("[data-editing]").get_by_label("Due").fill(timezone.localdate().isoformat())
    page.get_by_role("button", name="Save").click()
    expect(row(page, "Call Ben")).to_contain_text("About the roof")
    expect(row(page, "Call Ben").get_by_role("link")).to_be_focused()
    expect(page.locator("#notice")).to_be_empty()
    expect_titles(page, "Buy milk", "Call Ben")


def test_a_deleted_task_comes_back_with_undo(page: Page, user: User) -> None:
    add(user, "One", "Two", "Three")
    page.goto("/tasks/")
    row(page, "Two").hover()
    row(page, "Two").get_by_role("button", name="Delete").click()
    expect_titles(page, "One", "Three")
    expect(page.locator("#said")).to_contain_text("Deleted “Two”.")
    page.get_by_role("button", name="Undo").click()
    expect_titles(page, "One", "Two", "Three")
    expect(page.get_by_role("button", name="Undo")).to_have_count(0)
    assert page.url.endswith("/tasks/")


def test_tasks_are_ordered_by_keyboard(page: Page, user: User) -> None:
    add(user, "One", "Two", "Three")
    page.goto("/tasks/")
    up = row(page, "Three").get_by_role("button", name="Move up")
    up.focus()
    page.keyboard.press("Enter")
    expect_titles(page, "One", "Three", "Two")
    expect(up).to_be_focused()
    page.keyboard.press("Space")
    expect_titles(page, "Three", "One", "Two")
    expect(up).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#notice")).to_contain_text("at the end")
    row(page, "One").get_by_role("button", name="Move down").press("Enter")
    expect_titles(page, "Three", "Two", "One")


def drag(page: Page, title: str, onto: str) -> None:
    """Hold the task by its grip, over the far half of another one."""
    grip, other = row(page, title).locator("[data-grip]"), row(page, onto)
    begin, end = grip.bounding_box(), other.bounding_box()
    assert begin
    assert end
    is_upwards = end["y"] < begin["y"]
    page.mouse.move(begin["x"] + 5, begin["y"] + 20)
    page.mouse.down()
    page.mouse.move(begin["x"] + 5, end["y"] + (4 if is_upwards else end["height"] - 4), steps=5)
    expect(row(page, title)).to_have_attribute("data-dragged", "")


def test_tasks_are_ordered_by_the_pointer(page: Page, user: User) -> None:
    add(user, "One", "Two", "Three")
    page.goto("/tasks/")
    drag(page, "Three", "One")
    expect_titles(page, "Three", "One", "Two")
    page.mouse.up()
    expect(page.locator("#said")).to_have_text("Moved “Three”.")
    assert titles(user) == ["Three", "One", "Two"]
    drag(page, "Three", "Two")
    expect_titles(page, "One", "Two", "Three")
    page.keyboard.press("Escape")
    expect_titles(page, "Three", "One", "Two")
    page.mouse.up()
    drag(page, "Three", "Two")
    with page.expect_response(re.compile("/move/")):
        page.mouse.up()
    assert titles(user) == ["One", "Two", "Three"]


def test_what_others_change_is_shown_while_one_types(page: Page, user: User) -> None:
    one, two, three = add(user, "One", "Two", "Three")
    page.goto("/tasks/")
    row(page, "Two").get_by_role("link").click()
    editing = page.get_by_role("textbox", name="Title")
    editing.fill("Two and a half")
    field = page.get_by_role("textbox", name="New task")
    field.fill("Not sent yet")
    actions.complete(one)
    actions.update(three, title="Third")
    actions.add(user, title="Zero")
    actions.update(two, title="Second")
    expect(page.locator("li.task .words")).to_have_text(["Zero", "Third"])
    expect(count(page)).to_contain_text("3")
    expect(editing).to_have_value("Two and a half")
    expect(field).to_have_value("Not sent yet")
    expect(field).to_be_focused()
    # Its task is gone, what was typed stays.
    actions.delete(two)
    actions.delete(three)
    expect(page.locator("li.task .words")).to_have_text(["Zero"])
    expect(editing).to_have_value("Two and a half")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#notice")).to_contain_text("deleted meanwhile")
    expect(editing).to_have_value("Two and a half")


def test_a_move_that_fails_shows_the_order_that_is_stored(page: Page, user: User) -> None:
    add(user, "One", "Two")
    page.goto("/tasks/")
    page.route(re.compile("/move/"), lambda route: route.abort())
    drag(page, "Two", "One")
    page.mouse.up()
    expect(page.locator("#notice")).to_contain_text("could not be reached")
    expect_titles(page, "One", "Two")


def test_a_row_that_nobody_changes_stays_the_element_it_is(page: Page, user: User) -> None:
    add(user, "One", "Two")
    page.goto("/tasks/")
    page.evaluate("document.querySelectorAll('li.task').forEach(row => row.mark = row.textContent)")
    row(page, "Two").get_by_role("button", name="Delete").focus()
    actions.add(user, title="Zero")
    expect_titles(page, "Zero", "One", "Two")
    kept = page.evaluate("[...document.querySelectorAll('li.task')].map(row => Boolean(row.mark))")
    assert kept == [False, True, True]
    expect(row(page, "Two").get_by_role("button", name="Delete")).to_be_focused()


def test_a_hidden_tab_asks_nothing_and_looks_when_it_is_shown(page: Page, user: User) -> None:
    add(user, "One")
    page.clock.install()
    page.goto("/tasks/")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "seen=" in request.url else None)
    page.evaluate(TAB, "hidden")
    page.clock.run_for(600_000)
    assert asked == []
    actions.add(user, title="Zero")
    page.evaluate(TAB, "visible")
    expect_titles(page, "Zero", "One")
    assert len(asked) == 1


def test_a_server_that_is_away_is_asked_ever_less(page: Page, user: User) -> None:
    add(user, "One")
    page.clock.install()
    page.goto("/tasks/")
    asked: list[str] = []

    def refuse(route: Route) -> None:
        asked.append(route.request.url)
        route.abort()

    page.route(re.compile("seen="), refuse)
    for _ in range(60):
        before = len(asked)
        page.clock.run_for(10_000)
        page.evaluate("0")
        assert len(asked) <= before + 4
    assert len(asked) < 30
    page.unroute(re.compile("seen="))
    actions.add(user, title="Zero")
    page.clock.run_for(61_000)
    expect_titles(page, "Zero", "One")


def test_a_phone_shows_targets_that_a_finger_hits_and_no_sideways_scroll(new_page: NewPage, user: User) -> None:
    today = timezone.localdate()
    add(user, "Buy milk", "x" * 200, "לקנות חלב", due=today - timedelta(days=400), description="y" * 300)
    page = new_page(user, **PHONE)
    page.goto("/tasks/")
    small = """() => [...document.querySelectorAll("main :is(a, button, input, [data-grip])")]
      .filter(element => element.getClientRects().length && !element.closest(".hidden"))
      .map(element => [element.className, element.getBoundingClientRect()])
      .filter(([name, box]) => box.height < 44 || box.width < 44).map(([name]) => name)"""
    assert page.evaluate(small) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.locator(".column").evaluate("column => column.scrollWidth <= column.clientWidth")
    row(page, "Buy milk").get_by_role("link").tap()
    page.locator("[data-editing]").get_by_role("button", name="Move down").tap()
    expect(page.locator("li.task").nth(1)).to_contain_text("Buy milk")
    assert page.evaluate(small) == []


def test_a_text_runs_in_its_own_direction(page: Page, user: User) -> None:
    add(user, "לקנות חלב", "Buy milk")
    page.goto("/tasks/")
    directions = "[...document.querySelectorAll('li.task .words')].map(words => getComputedStyle(words).direction)"
    assert page.evaluate(directions) == ["rtl", "ltr"]


def test_without_scripts_everything_is_a_form(new_page: NewPage, user: User) -> None:
    page = new_page(user, java_script_enabled=False)
    page.goto("/")
    page.get_by_role("link", name="Tasks").click()
    for title in ("Three", "Two", "One"):
        page.get_by_role("textbox", name="New task").fill(title)
        page.get_by_role("button", name="Add").click()
    expect_titles(page, "One", "Two", "Three")
    row(page, "Three").get_by_role("button", name="Move up").click()
    expect_titles(page, "One", "Three", "Two")
    row(page, "Two").get_by_role("link").click()
    page.get_by_role("textbox", name="Title").fill("Second")
    page.get_by_role("button", name="Save").click()
    expect_titles(page, "One", "Three", "Second")
    page.get_by_role("button", name="Complete Three").click()
    expect_titles(page, "One", "Second")
    row(page, "One").get_by_role("button", name="Delete").click()
    expect_titles(page, "Second")
    page.get_by_role("button", name="Undo").click()
    expect_titles(page, "One", "Second")
    page.get_by_role("link", name=re.compile("Done")).click()
    page.get_by_role("button", name="Reopen Three").click()
    assert titles(user) == ["One", "Three", "Second"]


def test_a_first_visit_is_small_with_two_hundred_tasks(new_page: NewPage, user: User) -> None:
    Task.objects.bulk_create(Task(user=user, title=f"Task {number}", position=number) for number in range(200))
    page = new_page(user)
    responses: list[Response] = []
    page.on("response", lambda response: responses.append(response))
    page.goto("/tasks/", wait_until="networkidle")
    expect(page.locator("li.task")).to_have_count(100)
    sizes = [response.request.sizes() for response in responses]
    assert {response.status for response in responses} == {200}
    assert sum(size["responseBodySize"] + size["responseHeadersSize"] for size in sizes) <= BYTES
    page.get_by_role("link", name="More tasks").click()
    expect(row(page, "Task 199")).to_be_visible()
    expect(page.get_by_role("link", name="More tasks")).to_have_count(0)
