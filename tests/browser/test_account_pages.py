"""The pages of a person's account, on a desktop, on a phone, and without scripts."""

import os
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from accounts import access_tokens, addresses, refresh_tokens
from accounts.models import AccessToken, User
from accounts.sessions import SessionStore
from tests.browser.conftest import PHONE, NewPage
from tests.factories import PASSWORD, UserFactory
from tests.kit.server import ChatServer

WAYS = pytest.mark.parametrize(
    "options", [{}, PHONE, PHONE | {"java_script_enabled": False}], ids=["desktop", "phone", "without scripts"]
)
SIGNED_IN = ("/accounts/sign-ins/", "/accounts/email/", "/accounts/tokens/", "/accounts/sign-ins/again/", "/import/")
PUBLIC = (
    "/accounts/login/",
    "/accounts/login/code/",
    "/accounts/confirm-email/",
    "/accounts/confirm-email/made-up/",
)


@pytest.fixture(scope="module")
def module_server(django_db_setup: None) -> Iterator[ChatServer]:
    """A site that sends mail, though nobody takes it."""
    with ChatServer(EMAIL_URL="smtp://127.0.0.1:9") as server:
        yield server


def looked_at(page: Page, name: str) -> None:
    """Nothing reaches past the page's side."""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    if folder := os.environ.get("SHOTS"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


def test_links_that_stand_alone_can_be_touched(new_page: NewPage, user: User) -> None:
    for page, paths in ((new_page(**PHONE), PUBLIC[:2]), (new_page(user, **PHONE), SIGNED_IN[:3])):
        for path in paths:
            page.goto(path)
            links = page.locator(".brand, :is(.aside, .help) > a:only-child")
            heights = [box["height"] for link in links.all() if (box := link.bounding_box())]
            assert len(heights) > 1
            assert min(heights) >= 44, path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@WAYS
def test_every_page_fits(new_page: NewPage, user: User, options: dict[str, Any], scheme: str) -> None:
    width = options.get("viewport", {}).get("width", 1280)
    access_tokens.make(user, name="Nightly report", expires_at=timezone.now() + timedelta(days=90))
    access_tokens.make(user, name="A name without any blank " + "x" * 60)
    AccessToken.objects.filter(name="Nightly report").update(last_used_at=timezone.now())
    refresh_tokens.begin(user, agent="shopping-list/2.0 (+https://example.org/" + "y" * 120)
    for person, paths in ((None, PUBLIC), (user, SIGNED_IN)):
        page = new_page(person, **options, color_scheme=scheme)
        for path in paths:
            page.goto(path)
            looked_at(page, f"{path.strip('/').replace('/', '-')}-{width}-{scheme}")


@WAYS
def test_a_code_is_asked_for(new_page: NewPage, options: dict[str, Any]) -> None:
    page = new_page(**options)
    page.goto("/accounts/login/code/")
    page.get_by_label("Email").fill("nobody@example.org")
    page.get_by_role("button", name="Send the code").click()
    expect(page.get_by_role("heading", name="Enter the code")).to_be_visible()
    looked_at(page, f"code-{options.get('viewport', {}).get('width', 1280)}")
    page.get_by_label("Code").fill("WRONG1")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("Incorrect code.")).to_be_visible()


@WAYS
def test_a_token_is_made_after_the_password_was_shown_again(
    new_page: NewPage, user: User, options: dict[str, Any]
) -> None:
    addresses.verify(user)
    page = new_page(user, **options)
    session = page.context.cookies()[0]["value"]
    store = SessionStore(session)
    del store["confirmed"]
    store.save()
    page.goto("/accounts/tokens/")
    page.get_by_label("What is it for?").fill("Nightly report")
    page.get_by_role("button", name="Create token").click()
    expect(page.get_by_role("heading", name="Confirm it is you")).to_be_visible()
    looked_at(page, f"reauthenticate-{options.get('viewport', {}).get('width', 1280)}")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_text("is ready. Copy the token now")).to_be_visible()
    looked_at(page, f"made-{options.get('viewport', {}).get('width', 1280)}")


@WAYS
def test_signing_out_everywhere(new_page: NewPage, user: User, options: dict[str, Any]) -> None:
    here, there = new_page(user, **options), new_page(user, **options)
    there.goto("/accounts/sign-ins/")
    here.goto("/accounts/sign-ins/")
    here.locator("details.everything summary").click()
    looked_at(here, f"everywhere-{options.get('viewport', {}).get('width', 1280)}")
    here.get_by_role("button", name="Sign out everywhere").click()
    expect(here.get_by_text("You are signed out everywhere")).to_be_visible()
    there.reload()
    expect(there.get_by_role("heading", name="Sign in")).to_be_visible()


@WAYS
def test_one_browser_is_signed_out_from_another(new_page: NewPage, options: dict[str, Any]) -> None:
    user = UserFactory.create()
    here, there = new_page(user, **options), new_page(user, **options)
    there.goto("/")
    here.goto("/accounts/sign-ins/")
    here.get_by_role("button", name="Sign out").first.click()
    expect(here.get_by_text("The browser was signed out.")).to_be_visible()
    there.reload()
    expect(there.get_by_role("heading", name="Sign in")).to_be_visible()
