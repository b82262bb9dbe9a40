"""The dashboard as staff see it."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from accounts.models import User
from conversations.models import Conversation
from conversations.usage import counting
from tests.browser.conftest import NewPage
from tests.browser.test_accessibility import AXE, SCREENS, violations
from tests.factories import ConversationFactory, ReplyFactory

WIDTHS = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"


@pytest.fixture
def used(user: User) -> Conversation:
    """A conversation of a person who is staff now, with replies of two models, one of which failed."""
    User.objects.filter(pk=user.pk).update(is_staff=True, is_superuser=True)
    conversation = ConversationFactory.create(user=user)
    now = timezone.now()
    for model, status, code in (("small", "complete", ""), ("large", "complete", ""), ("large", "failed", "timeout")):
        ReplyFactory.create(
            conversation=conversation,
            generation__model=model,
            generation__status=status,
            generation__error_code=code,
            generation__prompt_tokens=1_200,
            generation__completion_tokens=34,
            generation__heartbeat_at=now,
            generation__started_at=now,
            generation__first_token_at=now + timedelta(seconds=0.5),
        )
    # A page waits for a moment only until all is counted.
    counting.catch_up()
    return conversation


def test_staff_read_charts_and_their_tables(new_page: NewPage, used: Conversation) -> None:
    page = new_page(used.user)
    page.goto("/admin/")
    chart = page.get_by_role("figure").filter(has_text="Turns, by model")
    expect(chart.get_by_role("img", name="Turns, by model")).to_be_visible()
    chart.get_by_text("As a table").click()
    expect(chart.get_by_role("table").get_by_role("row").last).to_contain_text("213")
    models = page.get_by_role("table", name="By model", exact=True)
    expect(models.get_by_role("row", name="large")).to_contain_text("50 %")
    page.get_by_role("link", name="24 hours").click()
    expect(page.get_by_role("heading", name="The last 24 hours")).to_be_visible()
    expect(page.locator(".usage .figures")).to_contain_text("3,702")


def test_the_dashboard_is_accessible_and_fits_every_screen(new_page: NewPage, used: Conversation) -> None:
    page = new_page(used.user)
    found: list[str] = []
    for scheme in ("light", "dark"):
        # Loaded in its scheme: the admin's links change their colour slowly.
        page.emulate_media(color_scheme=scheme)
        page.goto("/admin/")
        page.get_by_text("As a table").first.click()
        page.evaluate(AXE)
        for screen, size in SCREENS.items():
            page.set_viewport_size(size)
            found += violations(page, f"{screen}, {scheme}")
    assert found == []
    page.set_viewport_size({"width": 320, "height": 700})
    wide, screen = page.evaluate(WIDTHS)
    assert wide <= screen
