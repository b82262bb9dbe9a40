"""A person who has nothing left for today."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from django.utils import timezone
from playwright.sync_api import expect

from accounts.models import User
from conversations.models import Message, UsageLimit
from tests.browser.acting import log, send
from tests.browser.conftest import NewPage
from tests.kit.provider import ScriptedProvider, reply


def end_of_the_day(zone: str) -> str:
    """When the site's day ends, as a clock in this zone shows it."""
    site = ZoneInfo(settings.TIME_ZONE)
    tomorrow = timezone.now().astimezone(site).date() + timedelta(days=1)
    return f"{datetime.combine(tomorrow, time(), site).astimezone(ZoneInfo(zone)):%H:%M}"


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_what_is_refused_stays_in_the_box_with_the_sentence_that_says_when_it_ends(
    new_page: NewPage,
    user: User,
    module_provider: ScriptedProvider,
    scripts: bool,  # noqa: FBT001
) -> None:
    module_provider.always(reply("Good day"))
    UsageLimit.objects.create(messages=1)
    page = new_page(user, java_script_enabled=scripts, timezone_id="Asia/Kolkata")
    page.goto("/")
    send(page, "Hello")
    if not scripts:
        # The page loads itself anew until the reply is there.
        page.wait_for_url("**/c/**")
    expect(log(page)).to_contain_text("Good day")
    if scripts:
        expect(page.get_by_role("main")).to_contain_text("0 of 1 message left today")
    send(page, "And another thing")
    clock = end_of_the_day("Asia/Kolkata") if scripts else "00:00"
    expect(page.get_by_role("alert")).to_contain_text("You have used your 1 message for today. You can write again at")
    expect(page.get_by_role("alert")).to_contain_text(clock)
    expect(page.get_by_role("textbox", name="Message")).to_have_value("And another thing")
    assert Message.objects.count() == 2
    page.get_by_role("button", name=user.email).click()
    if scripts:
        expect(page.get_by_role("link", name="Usage")).to_contain_text("1 of 1 message today")
    page.get_by_role("link", name="Usage").click()
    expect(page.get_by_role("progressbar", name="1 of 1 message today")).to_be_visible()
    expect(page.get_by_role("main")).to_contain_text(f"Resets at {clock}")
