"""The admin's front page: who sees how the chat is used, and that it says what was counted."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.contrib.staticfiles import finders
from django.db import connection
from django.template.loader import render_to_string
from django.test import Client
from django.utils.timezone import localtime

from accounts.models import User
from conversations.models import Generation, Grain, Measure, Usage, UsageLatency, UsageMark, UsagePeople
from conversations.pages import charts
from conversations.pages.dashboard import count, dashboard_context, duration, share, short
from tests.factories import ConversationFactory, ReplyFactory, UserFactory
from tests.support.elements import read

pytestmark = pytest.mark.django_db

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def now() -> datetime:
    return datetime.now(UTC)


def today() -> datetime:
    return now().replace(hour=0, minute=0, second=0, microsecond=0)


def used(replies: int, *, back: int = 3, model: str = "small", code: str = "", people: int = 1) -> None:
    """So many turns of a day so long ago (what is younger is counted anew), by people who had not been there before."""
    day: dict[str, Any] = {"grain": Grain.DAY, "began_at": today() - back * DAY}
    status = "failed" if code else "complete"
    Usage.objects.create(
        **day, model=model, status=status, error_code=code, replies=replies, prompt_tokens=1_000, completion_tokens=234
    )
    if people:
        for name in (model, None):
            UsageLatency.objects.create(**day, model=name, measure=Measure.FIRST_TOKEN, bucket=58, replies=replies)
        UsagePeople.objects.create(**day, people=people)
    UsageMark.objects.get_or_create(defaults={"counted_to": now()})


@pytest.fixture
def staff() -> Client:
    """Somebody who may see the dashboard and nothing else."""
    person = UserFactory.create(is_staff=True)
    person.user_permissions.add(Permission.objects.get(codename="view_usage"))
    client = Client()
    client.force_login(person)
    return client


def text(client: Client, period: str = "7d") -> str:
    response = client.get("/admin/", {"period": period})
    assert response.status_code == 200
    return read(response.content.decode()).words


def test_staff_see_it_who_may(staff: Client) -> None:
    used(3_210, people=12)
    assert "The last 7 days" in text(staff)
    assert "Turns 3,210" in text(staff)
    assert "Active people 12" in text(staff)
    assert "Tokens 1,234" in text(staff)


def test_other_staff_see_the_plain_page() -> None:
    used(3_210)
    client = Client()
    client.force_login(UserFactory.create(is_staff=True))
    said = text(client)
    assert "3,210" not in said
    assert "Site administration" in said


def test_nobody_else_gets_in(client: Client, signed_in: Client) -> None:
    used(3_210)
    for who in (client, signed_in):
        response = who.get("/admin/")
        assert response.status_code == 302
        assert "/login/" in response["Location"]


def test_it_compares_with_the_time_before(staff: Client) -> None:
    used(150)
    used(100, back=7)
    used(1_000, back=30)
    assert "Turns 150 +50 % · 100 before" in text(staff)
    assert "Turns 250 −75 % · 1,000 before" in text(staff, "30d")
    assert "Turns 1,250 none before" in text(staff, "90d")


def test_errors_are_shown_by_code_and_models_by_name(staff: Client) -> None:
    used(90, model="large")
    used(8, model="large", code="timeout", people=0)
    used(2, model="", code="too_many_replies", people=0)
    said = text(staff)
    assert "Error rate 10 %" in said
    assert "10 turns failed" in said
    assert "When timeout too_many_replies All" in said
    assert "large 98 98 % 2,468 8.2 %" in said
    assert "none asked 2 2 % 1,234 100 %" in said


def test_times_are_shown_as_percentiles(staff: Client) -> None:
    used(10)
    assert "First token, p50 / p95 767 ms / 767 ms" in text(staff)
    assert "Added latency, p50 / p95 –" in text(staff)


def test_hours_are_those_of_the_reader(staff: Client) -> None:
    hour = now().replace(minute=0, second=0, microsecond=0) - 5 * HOUR
    Usage.objects.create(
        grain=Grain.HOUR, began_at=hour, model="m", status="complete", replies=7, prompt_tokens=0, completion_tokens=0
    )
    UsageMark.objects.create(counted_to=now())
    staff.cookies["timezone"] = "Asia/Kathmandu"
    (step,) = (step for step in dashboard_context("24h")["charts"][0].steps if "7" in step.values)
    assert step.name == f"{localtime(hour):%H:%M}"
    said = text(staff, "24h")
    local = hour + timedelta(hours=5, minutes=45)
    assert "Hours are in Asia/Kathmandu." in said
    assert f" {local:%H:%M}" in said


def test_opening_the_page_counts_what_is_new(staff: Client) -> None:
    assert "No turns ended in the last 7 days" in text(staff)
    reply = ReplyFactory.create(conversation=ConversationFactory.create(), generation__model="fresh")
    Generation.objects.filter(pk=reply.pk).update(heartbeat_at=now(), started_at=now(), first_token_at=now())
    assert "No turns ended in the last 7 days" in text(staff), "it was counted a moment ago"
    UsageMark.objects.update(counted_to=now() - 2 * MINUTE)
    said = text(staff)
    assert "Turns 1 " in said
    assert "fresh 1 100 %" in said
    assert "As of " in said


def test_it_says_so_while_not_all_is_counted() -> None:
    used(5)
    UsageMark.objects.update(counted_to=now() - 50 * DAY)
    context = dashboard_context("7d", seconds=0)
    assert "The rest is being counted" in render_to_string("admin/_dashboard.html", {"usage": context})
    context = dashboard_context("7d")
    assert "being counted" not in render_to_string("admin/_dashboard.html", {"usage": context})


@pytest.mark.django_db(transaction=True)
def test_a_look_does_not_wait_until_all_is_counted() -> None:
    reply = ReplyFactory.create(conversation=ConversationFactory.create())
    Generation.objects.filter(pk=reply.pk).update(heartbeat_at=now(), started_at=now(), first_token_at=now())
    UsageMark.objects.create(counted_to=now() - HOUR)
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE conversations_usage IN SHARE MODE")
        try:
            for _ in range(2):
                context = dashboard_context("7d", seconds=0.001)
                assert (context["is_counting"], context["turns"]) == (True, 0)
            (thread,) = (thread for thread in threading.enumerate() if thread.name == "usage")
        finally:
            other.close()
    thread.join()
    context = dashboard_context("7d")
    assert (context["is_counting"], context["turns"]) == (False, 1)


def test_a_name_with_markup_is_only_text(staff: Client) -> None:
    used(5, model="<script>alert(1)</script>", code='"><img src=x>')
    html = staff.get("/admin/").content.decode()
    assert "<script>alert" not in html
    assert "<img" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


def test_an_unknown_period_is_the_usual_one(staff: Client) -> None:
    for period in ("", "1000d", "'"):
        assert "The last 7 days" in text(staff, period)


@pytest.mark.parametrize("period", ["24h", "90d"])
def test_the_page_asks_as_many_questions_however_much_there_is(
    staff: Client, django_assert_num_queries: Any, period: str
) -> None:
    text(staff, period)
    for models in (0, 60):
        for back in range(3, models):
            used(5, back=back, model=f"model {back}", code=f"code{back}")
        with django_assert_num_queries(13):
            text(staff, period)
        UsageMark.objects.update(counted_to=now() - HOUR)
        with django_assert_num_queries(29):
            text(staff, period)


def test_nothing_in_it_needs_a_script_or_an_inline_style(staff: Client) -> None:
    used(5)
    html = staff.get("/admin/").content.decode()
    section = html[html.index('<section class="usage"') : html.index("</section>")]
    assert "style=" not in section
    assert "<script" not in section
    assert finders.find("css/dashboard.css")


def test_a_superuser_may_see_it(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_staff=True, is_superuser=True)
    client = Client()
    client.force_login(user)
    assert "The last 7 days" in text(client)


@pytest.mark.parametrize(
    ("value", "top"),
    [(0, 1), (1, 1), (3, 4), (7, 8), (9, 10), (11, 20), (41, 60), (999, 1_000), (0.3, 0.4), (0.05, 0.06)],
)
def test_an_axis_ends_at_a_round_number(value: float, top: float) -> None:
    assert charts.nice(value) == pytest.approx(top)


def test_bars_stand_on_each_other_up_to_the_axis() -> None:
    chart = charts.bars("k", "T", "S", names=["a", "b"], series={"one": [3, 0], "two": [1, 4]}, say=count)
    assert [series.path for series in chart.series] == ["M1.5 100V25h7V100Z", "M1.5 25V0h7V25ZM11.5 100V0h7V100Z"]
    assert chart.ticks == ["4", "2", "0"]
    assert chart.headings == ["one", "two", "All"]
    assert chart.steps[0].values == ["3", "1", "4"]


def test_a_line_is_broken_where_nothing_was_measured() -> None:
    chart = charts.lines("k", "T", "S", names=list("abcd"), series={"p": [500, None, 1_000, 0]}, say=duration)
    assert chart.series[0].path == "M5 50h0M25 0h0L35 100h0"
    assert [step.values for step in chart.steps] == [["500 ms"], ["–"], ["1 s"], ["0 ms"]]


def test_numbers_are_written_for_people() -> None:
    assert [count(1_234_567), short(999), short(12_345), short(1_230_000), short(45_600_000_000)] == [
        "1,234,567",
        "999",
        "12.3 k",
        "1.2 M",
        "45.6 G",
    ]
    shares = [share(part) for part in (0, 0.0123, 0.0999, 0.5, 2 / 3, 1)]
    assert shares == ["0 %", "1.2 %", "10 %", "50 %", "67 %", "100 %"]
    assert [duration(19), duration(994), duration(1_540), duration(12_345)] == ["19 ms", "994 ms", "1.5 s", "12 s"]
