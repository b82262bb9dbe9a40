"""Whatever stands in an address, the answer is no error of the site's: numbers, dates and keys are checked."""

from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.contrib import admin
from django.db.models import Model
from django.test import Client, RequestFactory

from accounts import access_tokens
from accounts.models import User
from conversations.models import Conversation, UsageLimit
from tests.factories import UserFactory
from tests.support.addresses import SENSELESS, filled, quoted, routes

pytestmark = pytest.mark.django_db

NAMES = (
    *("q", "before", "after", "period", "preset", "example", "next", "limit", "cursor", "archived", "format", "model"),
    *("p", "o", "e", "all", "from", "to", "email", "titles", "messages", "page", "term", "_to_field", "token", "pause"),
    *("app_label", "model_name", "field_name", "_changelist_filters", "user", "group"),
)
"""What the site's pages read of an address."""
LOOKUPS = ("", "__year", "__gte", "__range", "__in")


@pytest.fixture
def boss(conversation: Conversation) -> User:
    """A superuser, with a row in the lists that would be empty."""
    person = UserFactory.create(is_staff=True, is_superuser=True)
    EmailAddress.objects.create(user=person, email=person.email)
    UsageLimit.objects.create(user=person, period="day", messages=3)
    return person


def walked(person: User, addresses: list[str], **headers: Any) -> list[str]:
    """What went wrong with the addresses."""
    client = Client(raise_request_exception=False)
    client.force_login(person)
    answers = [(address, client.get(address, headers=headers).status_code) for address in addresses]
    return [f"{status} {address[:120]}" for address, status in answers if status >= 500]


@pytest.mark.parametrize("value", SENSELESS[:4], ids=lambda value: ascii(value)[:30])
def test_no_value_in_a_path_is_an_error(boss: User, conversation: Conversation, value: str) -> None:
    paths = {filled(route, key=str(conversation.pk), other=quoted(value)) for route, _ in routes() if "<" in route}
    assert not walked(boss, sorted(paths))


@pytest.mark.parametrize("value", SENSELESS[:4], ids=lambda value: ascii(value)[:30])
def test_no_value_of_a_parameter_is_an_error(boss: User, conversation: Conversation, value: str) -> None:
    key, owner = str(conversation.pk), conversation.user
    every = "&".join(f"{name}={quoted(value)}" for name in NAMES)
    filled_in = [(route, f"{filled(route, key=key, other=str(owner.pk))}?{every}") for route, _ in routes()]
    token = access_tokens.make(owner, name="Program")[1]
    programs = [address for route, address in filled_in if route.startswith(("api/", "v1/"))]
    pages = [address for route, address in filled_in if not route.startswith(("api/", "v1/", "admin/"))]
    programs += [f"/api/{owner.pk}/conversations?{name}={quoted(value)}" for name in ("limit", "cursor", "archived")]
    programs += [f"/api/{owner.pk}/conversations/{key}/messages?{name}={quoted(value)}" for name in ("limit", "before")]
    pages += [f"/?{name}={quoted(value)}" for name in ("before", "after", "q", "preset", "model")]
    pages += [f"/c/{key}/?{name}={quoted(value)}" for name in ("before", "after", "q")]
    of_staff = [address for route, address in filled_in if route.startswith("admin/") and "/<" not in route]
    search = "/admin/conversations/conversation/search/?q=x"
    of_staff += [f"{search}&{name}={quoted(value)}" for name in ("email", "from", "to", "titles", "messages")]
    assert not walked(owner, programs, Authorization=f"Bearer {token}")
    assert not walked(owner, pages)
    assert not walked(boss, of_staff)


@pytest.mark.parametrize("model", admin.site._registry, ids=lambda model: model._meta.label)
def test_no_filter_of_a_list_of_the_admin_is_an_error(boss: User, model: type[Model]) -> None:
    model_admin = admin.site.get_model_admin(model)
    base = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
    request = RequestFactory().get(base)
    request.user = boss
    # One column of each kind: they are read alike.
    columns = {field.get_internal_type(): field.name for field in model._meta.concrete_fields}
    names = [f"{column}{lookup}" for column in columns.values() for lookup in LOOKUPS]
    names += [
        "user__id__exact",
        "conversation__id__exact",
        "user__groups__id__exact",
        "group__id__exact",
        "p",
        "q",
        "o",
    ]
    names += [str(getattr(spec, "parameter_name", spec)) for spec in model_admin.list_filter]
    allowed = [name for name in names if name in {"p", "q", "o"} or model_admin.lookup_allowed(name, "1", request)]
    assert not walked(
        boss, [f"{base}?{name}={quoted(value)}" for name in allowed for value in ("99999999999", "-1", "a\0b")]
    )


@pytest.mark.parametrize("year", ["99999999999", "0", "1", "9999", "10000", "-5", "2026"])
def test_no_date_of_a_list_of_the_admin_is_an_error(boss: User, year: str) -> None:
    base = "/admin/conversations/conversation/?updated_at__year=" + year
    months = [f"{base}&updated_at__month={month}" for month in ("12", "13", "0", "-1", "99999999999", "x")]
    days = [f"{base}&updated_at__month=2&updated_at__day={day}" for day in ("31", "0", "99999999999", "x")]
    last = f"{base}&updated_at__month=12&updated_at__day=31"
    assert not walked(boss, [base, *months, *days, last])


@pytest.mark.parametrize("value", ["99999999999", "9" * 30, "-1", "a\0b", "x", "²", "[]"])
def test_no_key_in_a_form_of_the_admin_is_an_error(boss: User, value: str) -> None:
    client = Client()
    client.force_login(boss)
    limit = {"user": value, "group": value, "period": "day", "messages": "3"}
    assert client.post("/admin/conversations/usagelimit/add/", limit).status_code == 200
    of_boss = UsageLimit.objects.get()
    page = client.get(f"/admin/conversations/usagelimit/{of_boss.pk}/change/").content.decode()
    assert f'<option value="{boss.pk}" selected>' in page
    assert client.get(f"/admin/conversations/usagelimit/add/?user={boss.pk}&group={quoted(value)}").status_code == 200
