"""What each picture shows, and how it is written."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page

from tests.kit.server import ChatServer, session_cookie
from tests.pictures.account import Account

FOLDER = Path(__file__).resolve().parent.parent.parent / "docs"
DESKTOP = {"width": 1200, "height": 760}
PHONE = {"width": 360, "height": 740}
SCALE = 1.5
COLOURS = 128
"""Of a picture's palette: text on plain ground needs no more."""


def photograph(chromium: Browser, server: ChatServer, account: Account) -> None:
    """Every picture of the README."""

    def shot(name: str, pose: Callable[[Page], object], *, scheme: str = "light", is_phone: bool = False) -> None:
        context = chromium.new_context(
            base_url=server.url,
            viewport=PHONE if is_phone else DESKTOP,  # type: ignore[arg-type] # a literal
            device_scale_factor=SCALE,
            color_scheme=scheme,  # type: ignore[arg-type] # a literal
            reduced_motion="reduce",
            is_mobile=is_phone,
            has_touch=is_phone,
        )
        context.add_cookies([session_cookie(account.user, server)])
        page = context.new_page()
        pose(page)
        save(page.screenshot(), FOLDER / f"{name}.png")
        context.close()

    def at_settings(page: Page) -> None:
        page.goto(account.orders.get_absolute_url())
        page.get_by_role("link", name="Chat settings").click()
        page.get_by_role("link", name="Code reviewer").click()
        page.locator(".chip[aria-current]").wait_for()

    def at_search(page: Page) -> None:
        page.goto(account.sourdough.get_absolute_url())
        page.get_by_role("searchbox").fill("order")
        page.locator(".found mark").first.wait_for()

    def at_trash(page: Page) -> None:
        page.goto("/conversations/")
        for title in ("A quiet week in Lisbon", "Why the build is slow"):
            page.get_by_role("checkbox", name=title).check()
        page.get_by_role("button", name="Delete").click()
        page.get_by_role("button", name="Undo").wait_for()

    for scheme in ("light", "dark"):
        shot(f"conversation-{scheme}", lambda page: page.goto(account.orders.get_absolute_url()), scheme=scheme)
    shot("branches", lambda page: page.goto(account.letter.get_absolute_url()))
    shot("search", at_search, scheme="dark")
    shot("settings", at_settings)
    shot("phone", lambda page: page.goto(account.orders.get_absolute_url()), is_phone=True)
    shot("phone-new", lambda page: page.goto("/"), scheme="dark", is_phone=True)
    # Last, as it deletes.
    shot("trash", at_trash)


def save(png: bytes, path: Path) -> None:
    """Write a screenshot with a palette: a quarter of its size."""
    picture = Image.open(BytesIO(png)).convert("RGB")
    palette = picture.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, kmeans=2, dither=Image.Dither.NONE)
    palette.save(path, optimize=True)
