"""What a person does on the chat page."""

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
