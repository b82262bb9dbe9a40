"""Text that runs from right to left, measured where it stands: in replies, growing and finished, and elsewhere."""

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from accounts.models import User
from conversations.models import Conversation, Preset
from tests.browser.acting import log, send
from tests.browser.conftest import DESKTOP, PHONE, NewPage
from tests.factories import ConversationFactory, UserFactory, exchange
from tests.kit.provider import END, Gate, ScriptedProvider, Text, stream

REPLY = """# שלום עולם

זוהי פסקה בעברית עם `code` ו-English באמצע. סוף.

1. פריט ראשון
2. פריט שני (הערה).
    - פריט פנימי
3. Use this one.

- پارسی: `npm install`

  فقرة ثانية

> اقتباس بالعربية.

| שם | ערך |
|---|---|
| אחד | 1 |

`pip install x` זו פקודה.

```python
print("hello")  # שלום
```

**README.md** הוא קובץ.

English paragraph after.

- English item
- and one more

The end: המילה האחרונה"""

# For an element of the reply: at which side its first letter stands, and its marker or bar has room.
SIDES = """() => {
  const body = [...document.querySelectorAll(".assistant .body")].at(-1);
  const frame = body.getBoundingClientRect();
  const sides = {};
  const texts = document.createTreeWalker(body, NodeFilter.SHOW_TEXT);
  for (let text; (text = texts.nextNode()); ) {
    const at = text.data.search(/\\S/);
    const element = text.parentElement;
    if (at < 0 || element.closest("figcaption, a, strong, .table, p code, li code")) continue;
    const range = new Range();
    range.setStart(text, at);
    range.setEnd(text, at + 1);
    const box = range.getBoundingClientRect();
    const name = element.closest("pre") ? "code" : text.data.trim().slice(0, 12);
    sides[name] ??= box.left - frame.left < frame.right - box.right ? "left" : "right";
  }
  return sides;
}"""
EXPECTED = {
    "שלום עולם": "right",
    "זוהי פסקה בע": "right",
    "פריט ראשון": "right",
    "פריט שני (הע": "right",
    "פריט פנימי": "right",
    "Use this one": "right",
    "پارسی:": "right",
    "فقرة ثانية": "right",
    "اقتباس بالعر": "right",
    "זו פקודה.": "right",
    "code": "left",
    "הוא קובץ.": "right",
    "English para": "left",
    "English item": "left",
    "and one more": "left",
    "The end: המי": "left",
}
SCREENS = pytest.mark.parametrize("screen", [DESKTOP, PHONE], ids=["desktop", "phone"])


def sides(page: Page) -> dict[str, str]:
    """At which side of the reply each of its blocks begins."""
    return {key: side for key, side in page.evaluate(SIDES).items() if key in EXPECTED}


@SCREENS
def test_each_block_of_a_reply_runs_in_its_own_direction(
    new_page: NewPage, user: User, module_provider: ScriptedProvider, screen: dict[str, object]
) -> None:
    page = new_page(user, **screen)
    module_provider.play(stream(Text(REPLY), Gate("shown"), *END))
    page.goto("/")
    send(page, "שלום")
    expect(log(page)).to_contain_text("המילה האחרונה")
    assert sides(page) == EXPECTED
    module_provider.gate("shown").open()
    expect(page.locator("[role=status]")).to_contain_text("has answered")
    assert sides(page) == EXPECTED
    page.reload()
    assert sides(page) == EXPECTED
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_block_runs_from_right_to_left_from_its_first_letter_on(
    page: Page, module_provider: ScriptedProvider
) -> None:
    module_provider.play(stream(Text("- ש"), Gate("list"), Text("לום\n\n> צ"), Gate("quote"), Text("יטוט"), *END))
    page.goto("/")
    send(page, "Hello")
    block = page.locator("[data-event=tail] > *")
    expect(block).to_have_css("direction", "rtl")
    module_provider.gate("list").open()
    expect(page.locator("[data-event=tail] > blockquote")).to_have_css("direction", "rtl")
    module_provider.gate("quote").open()
    expect(page.locator("[role=status]")).to_contain_text("has answered")


def test_markers_bars_columns_and_code_stand_at_the_right_side(page: Page, user: User) -> None:
    conversation = exchange(ConversationFactory.create(user=user), "Hello", REPLY).conversation
    page.goto(conversation.get_absolute_url())
    style = "(element, name) => getComputedStyle(element)[name]"
    for selector in (".body > ol", ".body > ul:has(li > p)"):
        place = page.locator(f".assistant {selector}").first
        assert place.evaluate(style, "paddingRight") > "1", "room for the numbers"
        assert place.evaluate(style, "paddingLeft") == "0px"
    quote = page.locator(".assistant blockquote")
    assert quote.evaluate(style, "borderRightWidth") == "2px"
    assert quote.evaluate(style, "borderLeftWidth") == "0px"
    first, second = (page.locator(".assistant th").nth(number).bounding_box() for number in (0, 1))
    assert first
    assert second
    assert first["x"] > second["x"], "the first column is the one at the right"
    code = page.locator(".assistant p code").first
    assert code.evaluate(style, "direction") == "ltr"
    # The stop of an English sentence stays at its end, also in a list that runs the other way.
    item = page.get_by_text("Use this one.")
    edges = item.evaluate(
        """item => [0, item.firstChild.length - 1].map(at => {
          const range = new Range();
          range.setStart(item.firstChild, at);
          range.setEnd(item.firstChild, at + 1);
          return range.getBoundingClientRect().left;
        })"""
    )
    assert edges[0] < edges[1]


def begins_right(page: Page, selector: str) -> bool:
    """Whether the element's text begins at its right side."""
    return bool(
        page.locator(selector).first.evaluate(
            """element => {
              const style = getComputedStyle(element);
              return style.direction === "rtl" && ["start", "right"].includes(style.textAlign);
            }"""
        )
    )


def test_what_a_person_wrote_runs_in_its_own_direction_everywhere(page: Page, user: User) -> None:
    title = "שלום, Python 3"
    conversation = exchange(ConversationFactory.create(user=user, title=title), "שלום\nHello there", "כן").conversation
    exchange(ConversationFactory.create(user=user, title="Other"), "Hello", "Good day")
    preset = Preset.objects.create(user=user, name="עורך", system_prompt="תמיד בעברית")
    page.goto(conversation.get_absolute_url())
    for place in (".user .body", ".header h1", f"#c-{conversation.pk} a", "#title"):
        assert begins_right(page, place), place
    lines = page.locator(".user .body").evaluate(
        """body => [0, 5].map(at => {
          const range = new Range();
          range.setStart(body.firstChild, at);
          range.setEnd(body.firstChild, at + 1);
          const { left, right } = range.getBoundingClientRect();
          const box = body.getBoundingClientRect();
          return left - box.left < box.right - right ? "left" : "right";
        })"""
    )
    assert lines == ["right", "left"], "each line of a message for itself"
    for label in ("Message", "Search"):
        box = page.get_by_role("textbox" if label == "Message" else "searchbox", name=label)
        box.fill("שלום")
        expect(box).to_have_css("direction", "rtl")
        box.fill("Hello")
        expect(box).to_have_css("direction", "ltr")
    page.get_by_role("link", name="Edit message").click()
    assert begins_right(page, ".edit textarea")
    page.goto("/search/?q=שלום")
    assert begins_right(page, "#results .title")
    assert begins_right(page, "#results .passage")
    page.goto("/conversations/")
    assert begins_right(page, ".entry .title:has-text('שלום')")
    page.goto(f"/c/{conversation.pk}/export/")
    assert begins_right(page, ".subject")
    page.goto(preset.get_absolute_url())
    for place in ("#name", "#instructions"):
        assert begins_right(page, place), place
    page.goto("/presets/")
    assert begins_right(page, ".preset-list h3")
    assert begins_right(page, ".preset-list p")
    conversation.trashed_at = timezone.now()
    conversation.save(update_fields=["trashed_at"])
    page.goto("/trash/")
    assert begins_right(page, ".entry .title")


def test_staff_read_it_in_its_own_direction(new_page: NewPage) -> None:
    conversation = exchange(ConversationFactory.create(title="שלום"), "שלום\nHello", REPLY).conversation
    page = new_page(UserFactory.create(is_staff=True, is_superuser=True))
    page.goto(f"/admin/conversations/conversation/{conversation.pk}/change/")
    for place in (".said", ".user .body", ".assistant .body > p", ".assistant .body blockquote", ".assistant th"):
        assert begins_right(page, place), place
    assert sides(page) == EXPECTED
    quote = page.locator(".assistant blockquote")
    assert quote.evaluate("quote => getComputedStyle(quote).borderLeftWidth") == "0px"
    page.goto("/admin/conversations/conversation/search/?q=פסקה")
    assert begins_right(page, ".hits p")


def test_it_is_printed_in_its_own_direction(page: Page, user: User) -> None:
    conversation: Conversation = exchange(ConversationFactory.create(user=user), "שלום", REPLY).conversation
    page.goto(conversation.get_absolute_url())
    page.emulate_media(media="print")
    assert sides(page) == EXPECTED
    assert begins_right(page, ".user .body")
