"""What answers are made of, as the browser shows it: footnotes, tasks, what folds, formulas."""

from playwright.sync_api import Page, expect

from accounts.models import User
from tests.browser.acting import log, send
from tests.factories import ConversationFactory, exchange
from tests.kit.provider import END, Gate, ScriptedProvider, Text, stream


def show(page: Page, user: User, *answers: str) -> None:
    """A conversation with these answers."""
    conversation = ConversationFactory.create(user=user)
    for answer in answers:
        exchange(conversation, "Tell me", answer)
    page.goto(conversation.get_absolute_url())


def test_a_footnote_is_found_in_its_own_answer(page: Page, user: User) -> None:
    show(page, user, *(f"Text[^1] {number}\n\n[^1]: Note {number}" for number in (1, 2)))
    answers = page.locator(".assistant")
    for number in (0, 1):
        answers.nth(number).get_by_role("link", name="1").click()
        expect(page.locator(":target")).to_contain_text(f"Note {number + 1}")
    ids = page.locator("[id]").evaluate_all("all => all.map(one => one.id)")
    assert len(ids) == len(set(ids))


def test_tasks_within_tasks_are_indented_and_numbers_stay(page: Page, user: User) -> None:
    show(page, user, "- [ ] one\n    - [x] two\n        - [ ] three\n\n1. [ ] four\n2. [x] five\n")
    boxes = page.locator(".assistant input")
    left = boxes.evaluate_all("all => all.map(one => one.getBoundingClientRect().left)")
    assert left[1] - left[0] > 16
    assert left[2] - left[1] > 16
    styles = page.locator(".assistant li").evaluate_all("all => all.map(one => getComputedStyle(one).listStyleType)")
    assert styles == ["none", "none", "none", "decimal", "decimal"]
    start = page.locator(".assistant ol").evaluate("list => list.getBoundingClientRect().left")
    assert left[3] - start > 16


def test_what_is_cancelled_is_struck_out_and_a_box_is_not(page: Page, user: User) -> None:
    show(page, user, "$\\cancel{a}$ $\\bcancel{b}$ $\\xcancel{c}$ $\\boxed{d}$")
    marks = page.locator(".assistant menclose").evaluate_all(
        "all => all.map(getComputedStyle).map(({ backgroundImage: lines, borderTopWidth: border }) =>"
        " [lines.split('linear').length - 1, border])"
    )
    assert marks == [[1, "0px"], [1, "0px"], [2, "0px"], [0, "1px"]]


def test_the_numbers_of_a_chemical_formula_are_subscripts(page: Page, user: User) -> None:
    show(page, user, "$\\ce{H2O}$ and H<sub>2</sub>O")
    bottom = "(one) => one.getBoundingClientRect().bottom"
    formula = page.locator(".assistant math")
    assert formula.locator("mn").evaluate(bottom) > formula.locator("mi").first.evaluate(bottom)
    expect(page.locator(".assistant sub")).to_have_css("vertical-align", "sub")


def test_what_folds_stays_unfolded_while_it_grows(page: Page, module_provider: ScriptedProvider) -> None:
    first = "<details>\n<summary>More</summary>\n\n- one\n"
    module_provider.play(
        stream(Text(first), Gate("more"), Text("- two\n\n</details>\n\nAfter"), Gate("end"), Text(" all"), *END)
    )
    page.goto("/")
    send(page, "Tell me")
    page.locator(".assistant summary", has_text="More").click()
    expect(log(page).get_by_text("one")).to_be_visible()
    module_provider.gate("more").open()
    expect(log(page)).to_contain_text("After")
    expect(log(page).get_by_text("two")).to_be_visible()
    module_provider.gate("end").open()
    expect(log(page)).to_contain_text("After all")
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    expect(log(page).get_by_text("two")).to_be_visible()


def test_a_reference_is_a_link_as_soon_as_it_is_defined(page: Page, module_provider: ScriptedProvider) -> None:
    module_provider.play(
        stream(
            *(Text("See [the docs][d] and[^1].\n\nMore.\n\n"), Gate("define")),
            *(Text("[d]: https://x.example/docs\n\n[^1]: Note\n\nAfter"), Gate("end"), *END),
        )
    )
    page.goto("/")
    send(page, "Tell me")
    expect(log(page)).to_contain_text("See [the docs][d] and[^1].")
    page.locator(".assistant p", has_text="More.").evaluate("one => window.more = one")
    module_provider.gate("define").open()
    expect(page.get_by_role("link", name="the docs")).to_have_attribute("href", "https://x.example/docs")
    expect(page.locator(".assistant .footnote")).to_contain_text("Note")
    assert page.evaluate("window.more.isConnected")
    module_provider.gate("end").open()
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    page.locator(".assistant sup a").click()
    expect(page.locator(":target")).to_contain_text("Note")
