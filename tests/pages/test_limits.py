"""What a person is told of their limits: how much is left, what is used up, when it begins anew."""

import re
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from conversations.actions import turns
from conversations.models import Period, PersonUsage, TurnWindow, UsageLimit
from conversations.usage import limits
from tests.support.limiting import ended, limit
from tests.support.pages import HTMX

pytestmark = pytest.mark.django_db
KOLKATA = ZoneInfo("Asia/Kolkata")


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (timedelta(seconds=-5), r"at \d\d:\d\d \(in 1 minute\)"),
        (timedelta(minutes=12, seconds=2), r"at \d\d:\d\d \(in 12 minutes\)"),
        (timedelta(hours=5, seconds=2), r"at \d\d:\d\d \(in 5 hours\)"),
        (timedelta(days=9, seconds=2), r"on \d+ \w+ at \d\d:\d\d \(in 9 days\)"),
    ],
)
def test_the_end_is_told_in_words(left: timedelta, words: str) -> None:
    assert re.fullmatch(words, limits.when(timezone.now() + left))


def test_the_end_is_midnight_of_the_site_told_in_the_readers_time_zone() -> None:
    # Longer than a day away, whenever this runs.
    year = timezone.now().year + 2
    day, month = (limits.end_of(period, PersonUsage(date(year, 12, 31))) for period in Period)
    assert day == month == datetime(year + 1, 1, 1, tzinfo=timezone.get_default_timezone())
    with timezone.override(KOLKATA):
        assert limits.when(day).startswith(f"on {day.astimezone(KOLKATA):%-d %B at %H:%M} (")


def test_the_page_gives_back_what_was_typed(user: User, signed_in: Client) -> None:
    limit(messages=1)
    conversation = ended(turns.send(user, text="One")).conversation
    address = conversation.get_absolute_url()
    answer = signed_in.post(address, {"message": "My second"}, headers=HTMX)
    assert answer.status_code == 429
    assert "You have used your 1 message for today." in answer.content.decode()
    page = signed_in.post(address, {"message": "My second"})
    assert page.status_code == 429
    assert "You have used your 1 message for today." in page.content.decode()
    assert ">My second</textarea>" in page.content.decode()


def test_near_the_end_the_answer_to_a_turn_tells_what_is_left(user: User, signed_in: Client) -> None:
    limit(messages=5)
    limit(tokens=1_000, period=Period.MONTH)
    said = signed_in.post("/", {"message": "One"}, headers=HTMX).content.decode()
    assert "left today" not in said
    ended(turns.send(user, text="Two"), 100)
    conversation = ended(turns.send(user, text="Three")).conversation
    said = signed_in.post(conversation.get_absolute_url(), {"message": "Four"}, headers=HTMX).content.decode()
    assert "1 of 5 messages left today" in said
    assert '<p class="fine" id="fine" hx-swap-oob="true">' in said
    limits.count_tokens(user.pk, 880)
    UsageLimit.objects.filter(period=Period.DAY).delete()
    said = signed_in.post("/", {"message": "Five"}, headers=HTMX).content.decode()
    assert "20 of 1,000 tokens left this month" in said


def test_the_sentence_tells_the_end_on_the_readers_clock(user: User, signed_in: Client) -> None:
    limit(messages=1)
    turns.send(user, text="One")
    signed_in.cookies["timezone"] = "Asia/Kolkata"
    said = signed_in.post("/", {"message": "Two"}, headers=HTMX).content.decode()
    end = limits.end_of(Period.DAY, TurnWindow.usage_of(user)).astimezone(KOLKATA)
    assert f"You can write again at {end:%H:%M} (in " in said


def test_a_person_sees_where_they_stand(user: User, stranger: User, signed_in: Client, client: Client) -> None:
    ended(turns.send(stranger, text="Hello"), 999)
    assert signed_in.get("/usage/", headers=HTMX).content == b""
    page = signed_in.get("/usage/").content.decode()
    assert "You have no usage limits." in page
    assert "0 messages, 0 tokens today" in page
    limit(messages=50)
    limit(tokens=4_000, period=Period.MONTH)
    ended(turns.send(user, text="Hello"), 3_400)
    assert signed_in.get("/usage/", headers=HTMX).content == b"3,400 of 4,000 tokens this month"
    page = signed_in.get("/usage/").content.decode()
    assert "1 of 50 messages today" in page
    assert 'value="85"' in page
    assert "999" not in page
    assert client.get("/usage/").status_code == 302
