"""Limits in the admin: who may change them, and what is shown beside them."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.utils import timezone

from accounts.models import User
from conversations.models import Period, TurnWindow, UsageLimit
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db
USE = "/admin/conversations/turnwindow/"
LIMITS = "/admin/conversations/usagelimit/"


@pytest.fixture
def staff() -> Client:
    """A client in which an administrator has signed in."""
    client = Client()
    client.force_login(UserFactory.create(is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def group() -> Group:
    return Group.objects.create(name="Guests")


def used(
    user: User, messages: int, tokens: int, *, messages_on: date | None = None, tokens_on: date | None = None
) -> None:
    """The person has used so much today, or on other days, and ten times as much in the month."""
    now = timezone.now()
    TurnWindow.objects.create(
        user=user,
        began_at=now,
        turns=1,
        messages_on=messages_on or timezone.localdate(now),
        day_messages=messages,
        month_messages=10 * messages,
        tokens_on=tokens_on or timezone.localdate(now),
        day_tokens=tokens,
        month_tokens=10 * tokens,
    )


def inline(*rows: dict[str, Any], user: User | None = None, group: Group | None = None) -> dict[str, Any]:
    """What the page of a person or group sends."""
    sent: dict[str, Any] = {"usage_limits-TOTAL_FORMS": len(rows), "usage_limits-INITIAL_FORMS": 0}
    for number, row in enumerate(rows):
        sent |= {f"usage_limits-{number}-{name}": value for name, value in row.items()}
    if user:
        sent |= {"email": user.email, "is_active": "on"}
    return sent | ({"name": group.name} if group else {})


def test_a_limit_is_made_changed_and_deleted(staff: Client, user: User, group: Group) -> None:
    targets: list[dict[str, Any]] = [{}, {"user": user.pk}, {"group": group.pk}]
    for target in targets:
        data: dict[str, Any] = {"period": "day", "messages": "50", "tokens": ""} | target
        assert staff.post(f"{LIMITS}add/", data).status_code == 302
        assert b"already" in staff.post(f"{LIMITS}add/", data).content
    assert UsageLimit.objects.count() == 3
    mine = UsageLimit.objects.get(user=user)
    data = {"period": "month", "messages": "", "tokens": "1000", "user": user.pk}
    assert staff.post(f"{LIMITS}{mine.pk}/change/", data).status_code == 302
    mine.refresh_from_db()
    assert (mine.period, mine.messages, mine.tokens) == (Period.MONTH, None, 1_000)
    assert staff.post(f"{LIMITS}{mine.pk}/delete/", {"post": "yes"}).status_code == 302
    assert UsageLimit.objects.count() == 2


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"period": "day"}, "Enter a number of messages, of tokens, or both."),
        ({"period": "day", "messages": "1", "both": "yes"}, "Choose a person or a group, not both."),
    ],
)
def test_what_is_no_limit_is_refused_in_words(
    staff: Client, user: User, group: Group, data: dict[str, Any], sentence: str
) -> None:
    if data.get("both"):
        data = data | {"user": user.pk, "group": group.pk}
    assert sentence in staff.post(f"{LIMITS}add/", data).content.decode()
    assert not UsageLimit.objects.exists()


def test_the_list_shows_what_is_used_in_the_same_queries_however_long(
    staff: Client, user: User, group: Group, django_assert_max_num_queries: Any
) -> None:
    used(user, 12, 3_400)
    UsageLimit.objects.create(user=user, messages=50)
    UsageLimit.objects.create(user=user, messages=500, period=Period.MONTH)
    UsageLimit.objects.create(group=group, messages=20)
    UsageLimit.objects.create(tokens=20)
    for person in UserFactory.create_batch(20):
        used(person, 1, 1)
        UsageLimit.objects.create(user=person, tokens=5)
    with django_assert_max_num_queries(9):
        html = staff.get(LIMITS).content.decode()
    for words in ("12 messages, 3,400 tokens today", "120 messages, 34,000 tokens this month", "Guests", "everybody"):
        assert words in html
    assert "12 messages" in staff.get(LIMITS, {"q": user.email}).content.decode()
    with django_assert_max_num_queries(9):
        html = staff.get(USE).content.decode()
    assert "34,000" in html
    assert "12 messages, 3,400 tokens today" in html


def test_the_list_of_use_knows_only_this_month(staff: Client) -> None:
    last_month = timezone.localdate().replace(day=1) - timedelta(days=1)
    used(UserFactory.create(email="asked@example.org"), 12, 9_900, tokens_on=last_month)
    used(UserFactory.create(email="answered@example.org"), 7_700, 50, messages_on=last_month)
    used(UserFactory.create(email="gone@example.org"), 3, 3, messages_on=last_month, tokens_on=last_month)
    used(UserFactory.create(email="busy@example.org"), 1, 60)
    rows = [row.user.email for row in staff.get(USE).context["cl"].result_list]
    assert rows == ["busy@example.org", "answered@example.org", "asked@example.org"]
    html = staff.get(USE).content.decode()
    for words in (">120<", "12 messages, 0 tokens today", ">500<", "0 messages, 50 tokens today"):
        assert words in html
    for last in ("77,000", "99,000", "gone@"):
        assert last not in html
    for order, first in (("1", "answered"), ("-1", "asked"), ("2", "asked"), ("-2", "busy")):
        assert staff.get(USE, {"o": order}).context["cl"].result_list[0].user.email.startswith(first)


def test_the_page_of_a_person_has_their_limits_and_what_holds(staff: Client, user: User, group: Group) -> None:
    used(user, 12, 3_400)
    user.groups.add(group)
    UsageLimit.objects.create(group=group, messages=20)
    page = f"/admin/accounts/user/{user.pk}/change/"
    assert "Limit: 12 of 20 messages today" in staff.get(page).content.decode()
    row = {"period": "day", "messages": "50", "tokens": ""}
    assert b"only one limit per day" in staff.post(page, inline(row, row, user=user)).content
    sent = inline(row, row | {"period": "month"}, user=user) | {"groups": [group.pk]}
    assert staff.post(page, sent).status_code == 302
    assert UsageLimit.objects.filter(user=user).count() == 2
    assert "Limit: 12 of 50 messages today" in staff.get(page).content.decode()
    assert b"usage_limits" not in staff.get("/admin/accounts/user/add/").content


def test_the_page_of_a_group_has_the_limits_of_its_people(staff: Client, group: Group) -> None:
    page = f"/admin/auth/group/{group.pk}/change/"
    assert staff.post(page, inline({"period": "day", "messages": "5"}, group=group)).status_code == 302
    assert UsageLimit.objects.get().group == group


def test_each_deed_needs_its_permission(user: User, signed_in: Client, client: Client) -> None:
    row = UsageLimit.objects.create(messages=1)
    for who in (signed_in, client):
        assert "/login/" in who.get(LIMITS)["Location"]
    User.objects.filter(pk=user.pk).update(is_staff=True)
    assert signed_in.get(LIMITS).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="view_usagelimit"))
    assert signed_in.get(LIMITS).status_code == 200
    data = {"period": "day", "messages": "99"}
    for path in ("add/", f"{row.pk}/change/", f"{row.pk}/delete/"):
        assert signed_in.post(LIMITS + path, data | {"post": "yes"}).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="change_usagelimit"))
    assert signed_in.post(f"{LIMITS}{row.pk}/change/", data).status_code == 302
    assert UsageLimit.objects.get().messages == 99
    assert signed_in.post(f"{USE}add/").status_code == 403
