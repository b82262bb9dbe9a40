"""What a person does on the chat page."""

import re

from playwright.sync_api import Locator, Page, expect


def send(page: Page, text: str) -> None:
    """Type and send a message."""
    page.get_by_role("textbox", name="Message").fill(text)
    page.get_by_role("button", name="Send").click()


def log(page: Page) -> Locator:
    """The conversation's messages."""
    return page.get_by_role("log", name="Conversation")


def wait_for_the_end(page: Page) -> None:
    """Wait until the reply is stored; its last words are shown a moment before."""
    expect(page.get_by_role("button", name="Send")).to_be_visible()


def words(page: Page) -> str:
    """The conversation as one reads it, without how long ago it was."""
    return str(
        log(page).evaluate(
            """log => {
              const times = [...log.querySelectorAll("time[data-ago]")];
              for (const time of times) time.style.display = "none";
              const words = log.innerText;
              for (const time of times) time.style.display = "";
              return words;
            }"""
        )
    )


def timeless(html: str) -> str:
    """The HTML without how long ago it was."""
    return re.sub(r"(?<=data-ago=\"\">)[^<]*", "", html)


def keep_notes(page: Page) -> None:
    """From the next page on, what a copy button says stays until `forget_notes`, not for a moment only."""
    page.add_init_script(
        """(() => {
          const later = window.setTimeout;
          const notes = [];
          window.setTimeout = (act, milliseconds, ...rest) =>
            milliseconds === 1500 ? notes.push(act) : later(act, milliseconds, ...rest);
          window.forgetNotes = () => notes.splice(0).forEach((act) => act());
        })()"""
    )


def forget_notes(page: Page) -> None:
    """Let the moment be over for which a copy button says what it did."""
    page.evaluate("forgetNotes()")


RICH = """## Paris

The capital is **Paris**. It has:

- the *Louvre*
- a [river](https://example.org/seine)

| Place | Height |
|:------|-------:|
| Tower | 330 m  |

```python
def capital() -> str:
    return "Paris"
```

And $a^2 + b^2 = c^2$.
"""
