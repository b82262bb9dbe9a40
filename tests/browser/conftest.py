"""A real Chromium, for one module at a time: Playwright's event loop must not outlive the module's tests."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from accounts.models import User
from tests.kit.install_chromium import ARGUMENTS, find_chromium
from tests.kit.server import ChatServer, session_cookie

PHONE: dict[str, Any] = {
    "viewport": {"width": 360, "height": 740},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}
DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
TIMEOUT_MILLISECONDS = 60_000

NewPage = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium."""
    program = find_chromium()
    if program is None:
        raise RuntimeError("There is no Chromium: run `python -m tests.kit.install_chromium`.")
    expect.set_options(timeout=TIMEOUT_MILLISECONDS)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def new_page(browser: Browser, server: ChatServer) -> Iterator[NewPage]:
    """Makes pages on the server: `new_page(user, **context_options)`; what a page logs as an error fails the test."""
    contexts: list[BrowserContext] = []
    problems: list[str] = []

    def make(user: User | None = None, *, at: ChatServer = server, **options: Any) -> Page:
        context = browser.new_context(base_url=at.url, **(DESKTOP | options))
        context.set_default_timeout(TIMEOUT_MILLISECONDS)
        contexts.append(context)
        if user:
            context.add_cookies([session_cookie(user, at)])
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "console", lambda message: problems.append(message.text) if "Content Security" in message.text else None
        )
        return page

    yield make
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture
def page(new_page: NewPage, user: User) -> Page:
    """A page in which `user` has signed in, on a desktop's screen."""
    return new_page(user)
