"""The block that is being written: what a person does in it outlives each frame, the block's end and the reply's."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.acting import forget_notes, keep_notes, log, send
from tests.kit.provider import END, Gate, ScriptedProvider, Text, Wait, stream

WIDE = (
    "value = compute_something(argument_one=0, argument_two='0', argument_three=[0, 0, 0, 0], argument_four=None)  # "
)
HEAD = f"|{' Some column |' * 14}\n|{'---|' * 14}\n"
CODE = ["```python\nfirst = 1\n" + "".join(f"{WIDE}{n}\n" for n in range(5)), f"{WIDE}more", "\n```\n\nThere is"]
TABLE = [f"{HEAD}|{' a cell |' * 14}\n", f"|{' more of it |' * 14}\n", "\nThere is"]
PROSE = ["First of all **some words** and", " then more words", " and a last one.\n\nThere is"]
LIST = ["- First of all some words\n- and", " then more words\n    - nested", "\n\nThere is"]
QUOTE = ["> First of all some words\n> and", " then more words", "\n\nThere is"]
SELECT = """words => {
  const walker = document.createTreeWalker(document.querySelector("[data-stream] .body"), NodeFilter.SHOW_TEXT);
  for (let text; (text = walker.nextNode()); ) {
    const at = text.data.indexOf(words);
    if (at < 0) continue;
    window.node = text;
    return getSelection().setBaseAndExtent(text, at, text, at + words.length);
  }
}"""
SELECTED = "getSelection().toString()"


def begin(page: Page, provider: ScriptedProvider, parts: list[str], *, at: str) -> None:
    """A reply in parts, the first of which has come; each gate lets one more come, the last one the end."""
    first, second, third = parts
    words = [step for piece in second.split(" ") for step in (Wait(0.002), Text(f"{piece} "))]
    steps = [Text(first), Gate("more"), *words, Gate("next"), Text(third), Gate("end"), *END]
    provider.play(stream(*steps))
    page.goto("/")
    send(page, "Tell me")
    expect(page.locator("[data-stream] .body")).to_contain_text(at)


def stages(page: Page, provider: ScriptedProvider) -> Iterator[str]:
    """Let the reply go on: yields after more of the block, after the block's end, after the reply's."""
    for gate, words in {"more": "more", "next": "There is", "end": ""}.items():
        provider.gate(gate).open()
        if words:
            expect(log(page)).to_contain_text(words)
        else:
            expect(page.get_by_role("button", name="Send")).to_be_visible()
        yield gate


@pytest.mark.parametrize(("parts", "box"), [(CODE, "pre"), (TABLE, ".table")], ids=["code", "table"])
def test_a_block_stays_scrolled_sideways(
    page: Page, module_provider: ScriptedProvider, parts: list[str], box: str
) -> None:
    begin(page, module_provider, parts, at="first" if box == "pre" else "a cell")
    place = page.locator(f".assistant {box}")
    place.evaluate("box => { box.scrollLeft = 120; box.focus(); }")
    for stage in stages(page, module_provider):
        assert place.evaluate("box => box.scrollLeft") == 120, stage
        expect(place).to_be_focused()


@pytest.mark.parametrize(
    ("parts", "words"),
    [(CODE, "first = 1"), (PROSE, "some words"), (LIST, "some words"), (QUOTE, "some words"), (TABLE, "Some column")],
    ids=["code", "prose", "list", "quote", "table"],
)
def test_what_is_selected_stays_selected(
    page: Page, module_provider: ScriptedProvider, parts: list[str], words: str
) -> None:
    begin(page, module_provider, parts, at=words)
    page.evaluate(SELECT, words)
    assert page.evaluate(SELECTED) == words
    for stage in stages(page, module_provider):
        assert page.evaluate(SELECTED) == words, stage
        if stage == "more":
            assert page.evaluate("window.node.isConnected"), "the text was written anew"


def test_a_selection_from_the_message_above_into_the_reply_stays(page: Page, module_provider: ScriptedProvider) -> None:
    begin(page, module_provider, CODE, at="first")
    page.evaluate(SELECT, "first")
    page.evaluate(
        "getSelection().setBaseAndExtent(document.querySelector('.user .body').firstChild, 0, window.node, 5)"
    )
    before = page.evaluate(SELECTED)
    assert before.startswith("Tell me")
    assert before.endswith("first")
    for stage in stages(page, module_provider):
        assert page.evaluate(SELECTED).endswith("first"), stage
        assert page.evaluate(SELECTED).startswith("Tell me"), stage


def test_a_click_that_takes_longer_than_a_frame_copies_and_says_so(
    page: Page, module_provider: ScriptedProvider
) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    keep_notes(page)
    begin(page, module_provider, CODE, at="first")
    button = page.locator("[data-copy]")
    box = button.bounding_box()
    assert box
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.down()
    module_provider.gate("more").open()
    expect(log(page)).to_contain_text("more")
    page.mouse.up()
    expect(button).to_have_text("Copied")
    page.evaluate(
        """() => {
          window.words = [];
          const note = () => {
            window.words.push(document.querySelector("[data-copy]").textContent);
            requestAnimationFrame(note);
          };
          note();
        }"""
    )
    module_provider.gate("next").open()
    expect(log(page)).to_contain_text("There is")
    module_provider.gate("end").open()
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    expect(button).to_have_text("Copied")
    forget_notes(page)
    expect(button).to_have_text("Copy code")
    words = page.evaluate("window.words")
    assert words == sorted(words), "Copied, then Copy code again"
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("first = 1\nvalue = compute")
    assert copied.strip().endswith("more")


@pytest.mark.parametrize("code", ["one line", "two\nlines", "an empty line\n"])
def test_copied_code_has_no_line_feed_at_its_end(page: Page, module_provider: ScriptedProvider, code: str) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    keep_notes(page)
    module_provider.play(stream(Text(f"```sh\n{code}\n```\n"), *END))
    page.goto("/")
    send(page, "Tell me")
    expect(page.locator("[role=status]")).to_contain_text("has answered")
    page.locator("[data-copy]").click()
    expect(page.locator("[data-copy]")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == code
