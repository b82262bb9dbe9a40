"""A page of the site in a real Chromium, for a person who has just signed in."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from playwright.sync_api import Page, sync_playwright

from benchmarks import machine
from benchmarks.people import Person, sign_in
from benchmarks.site import Server
from tests.kit.install_chromium import ARGUMENTS, find_chromium


@contextmanager
def chat_page(server: Server, script: str = "") -> Iterator[Page]:
    """The page of a new chat, with `script` run before the page's own."""
    (person,) = sign_in(1)
    with browser_page(server, person, script) as page:
        page.goto("/")
        yield page


@contextmanager
def browser_page(server: Server, person: Person, script: str = "") -> Iterator[Page]:
    """A page of a new Chromium in which the person has signed in, with `script` run before what is opened in it."""
    program = find_chromium(whole=True)
    if program is None:
        raise RuntimeError("There is no Chromium: run `python -m tests.kit.install_chromium`.")
    # A person's browser has a machine of its own; here it may at least use every core.
    with machine.on_cores(set(machine.CORES)), sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        context = chromium.new_context(base_url=server.url, viewport={"width": 1280, "height": 800})
        context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": person.session_key, "url": server.url}])
        context.add_init_script(script)
        yield context.new_page()
        chromium.close()
