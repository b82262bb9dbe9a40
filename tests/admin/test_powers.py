"""No single permission lets a member of staff become a superuser, become one's equal, or enter one's account."""

from collections.abc import Iterator
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.account.utils import user_pk_to_url_str
from django import forms
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.contrib.sessions.models import Session
from django.core import mail
from django.db.models import Model
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.urls import reverse

from accounts import access_tokens, ranks
from accounts.models import User
from conversations.actions import feedback
from conversations.models import Preset, Rating, ToolCall, TurnWindow, UsageLimit
from tasks import actions as tasks
from tests.admin.conftest import Staff, member
from tests.factories import PASSWORD, ConversationFactory, UserFactory, exchange

pytestmark = pytest.mark.django_db

THIEF = "thief@evil.example"
REGISTERED = list(admin.site._registry)


@pytest.fixture
def superuser() -> User:
    """With a row in each table that points at a person, and a group that may do something."""
    person = UserFactory.create(email="root@example.org", is_staff=True, is_superuser=True)
    EmailAddress.objects.create(user=person, email="old@example.org", verified=False)
    UsageLimit.objects.create(user=person, period="day", messages=3)
    access_tokens.make(person, name="Backup")
    TurnWindow.objects.create(user=person, began_at=person.date_joined, turns=0)
    Preset.objects.create(user=person, name="Mine", system_prompt="Be brief.")
    answer = exchange(ConversationFactory.create(user=person), "Question", "Answer")
    ToolCall.objects.create(message=answer, user=person, tool="add_task")
    feedback.rate(answer, rating=Rating.UP)
    tasks.add(person, title="Mine")
    LogEntry.objects.log_actions(person.pk, [person], 2, change_message="x", single_object=True)
    group = Group.objects.create(name="Readers")
    group.permissions.set(Permission.objects.filter(codename="view_user"))
    Client().force_login(person)
    return person


def permissions() -> list[Any]:
    """Every permission of every model that is shown."""
    found: list[Any] = []
    for model in REGISTERED:
        usual = [f"{action}_{model._meta.model_name}" for action in ("add", "change", "delete", "view")]
        names = (*usual, *(name for name, _ in model._meta.permissions))
        found += [pytest.param(model, name, id=f"{model._meta.app_label}.{name}") for name in names]
    return found


def of(person: User) -> dict[str, Any]:
    """The account, and each row that points at it."""
    rows: dict[str, Any] = {}
    for model in apps.get_models():
        for path in ranks.paths(model):
            way = "__".join((*path, "pk"))
            found = model._base_manager.filter(**{way: person.pk}).order_by("pk")
            rows[f"{model._meta.label} {way}"] = list(found.values())
    rows["powers"] = [sorted(person.groups.values_list("pk")), sorted(person.user_permissions.values_list("pk"))]
    rows["sessions"] = Session.objects.count()
    return rows


def powers() -> set[Any]:
    """Who may do what, as pairs."""
    return {
        *(("superuser", key) for key in User.objects.filter(is_superuser=True).values_list("pk", flat=True)),
        *(("staff", key) for key in User.objects.filter(is_staff=True).values_list("pk", flat=True)),
        *(("member", *pair) for pair in User.objects.exclude(groups=None).values_list("pk", "groups")),
        *(
            ("person", *pair)
            for pair in User.objects.exclude(user_permissions=None).values_list("pk", "user_permissions")
        ),
        *(("group", *pair) for pair in Group.objects.exclude(permissions=None).values_list("pk", "permissions")),
    }


def filled(form: Any, person: User, prefix: str = "") -> dict[str, Any]:
    """What a thief types: every key the superuser's, every address the thief's, every box ticked."""
    typed: dict[str, Any] = {}
    for name in form.base_fields:
        field: Any = form.base_fields[name]
        kind = type(field)
        if issubclass(kind, forms.ModelMultipleChoiceField):
            typed[prefix + name] = list(field.queryset.values_list("pk", flat=True)[:200])
        elif issubclass(kind, forms.ModelChoiceField):
            typed[prefix + name] = person.pk if issubclass(field.queryset.model, User) else ""
        elif issubclass(kind, forms.BooleanField):
            typed[prefix + name] = "on"
        elif issubclass(kind, forms.EmailField):
            typed[prefix + name] = THIEF
        elif issubclass(kind, forms.ChoiceField):
            typed[prefix + name] = ["", *(choice for choice, _ in field.choices)][-1]
        elif issubclass(kind, forms.IntegerField):
            typed[prefix + name] = 999_999
        elif issubclass(kind, forms.SplitDateTimeField):
            typed |= {f"{prefix}{name}_0": "2030-01-01", f"{prefix}{name}_1": "00:00"}
        else:
            typed[prefix + name] = PASSWORD
    return typed


def asked_by(person: User) -> HttpRequest:
    """A request as the forms see it."""
    request = RequestFactory().get("/admin/")
    request.user = person
    return request


def forms_of(model: type[Model], person: User, row: Model | None) -> dict[str, Any]:
    """All that the pages of a model could be sent, with what hangs from it and what is never on the page."""
    model_admin = admin.site.get_model_admin(model)
    request = asked_by(person)
    typed = filled(model_admin.get_form(request, row, change=row is not None), person)
    for inline in model_admin.get_inline_instances(request, row):
        formset = inline.get_formset(request, row)
        prefix, stored = formset.get_default_prefix(), list(inline.model._base_manager.filter(user=person))
        for number, hanging in enumerate([*stored, None]):
            typed |= filled(formset.form, person, f"{prefix}-{number}-")
            typed |= {f"{prefix}-{number}-id": hanging.pk if hanging else "", f"{prefix}-{number}-user": person.pk}
        typed |= {f"{prefix}-TOTAL_FORMS": len(stored) + 1, f"{prefix}-INITIAL_FORMS": len(stored)}
    everything = [key for (key,) in Permission.objects.values_list("pk")]
    groups = [key for (key,) in Group.objects.values_list("pk")]
    return {"is_staff": "on", "is_superuser": "on", "user_permissions": everything, "groups": groups} | typed


def page(model: type[Model], name: str, *keys: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=keys)


def rows_about(model: type[Model], person: User) -> Iterator[Model]:
    for path in ranks.paths(model):
        yield from model._base_manager.filter(**{"__".join((*path, "pk")): person.pk})


def attack(client: Client, model: type[Model], person: User, plain: User) -> None:
    """Everything that the model's pages take, about what is the superuser's, and about what could be made theirs."""
    client.post(page(model, "add"), forms_of(model, person, None))
    about = list(rows_about(model, person))[:1] or list(model._base_manager.all()[:1])
    for row in (*about, *list(rows_about(model, plain))[:1]):
        client.post(page(model, "change", row.pk), forms_of(model, person, row))
        client.get(page(model, "history", row.pk))
    selected = {"_selected_action": [row.pk for row in about], "index": 0, "post": "yes", "select_across": "1"}
    for name in admin.site.get_model_admin(model).get_actions(asked_by(person)):
        client.post(page(model, "changelist"), selected | {"action": name})
        for row in about:
            client.post(page(model, "change", row.pk), selected | {"change_form-action": name})
    for row in about:
        client.post(page(model, "delete", row.pk), {"post": "yes"})
    if model is User:
        new = {"password1": "a new long password", "password2": "a new long password", "usable_password": "true"}
        client.post(reverse("admin:auth_user_password_change", args=[person.pk]), new)
        client.post(reverse("admin:auth_user_password_change", args=[person.pk]), {"unset-password": "1"})


@pytest.mark.parametrize(("model", "permission"), permissions())
def test_no_permission_alone_lets_staff_rise(superuser: User, model: type[Model], permission: str) -> None:
    thief, plain = member(), UserFactory.create(email="plain@example.org")
    EmailAddress.objects.create(user=plain, email="plain@example.org", verified=True)
    thief.user_permissions.set(
        Permission.objects.filter(content_type__app_label=model._meta.app_label, codename=permission)
    )
    client = Client()
    client.force_login(thief)
    before, might = of(superuser), powers()
    # A person's page holds more than the account.
    pages: set[type[Model]] = {model, User}
    for attacked in pages:
        attack(client, attacked, superuser, plain)
    assert of(superuser) == before
    assert powers() <= might
    superuser.refresh_from_db()
    assert superuser.check_password(PASSWORD)
    mail.outbox.clear()
    for address in (THIEF, "plain@example.org"):
        Client().post("/accounts/password/reset/", {"email": address})
    assert not [sent for sent in mail.outbox if reset_key(superuser) in str(sent.body)]


def test_an_ordinary_persons_address_is_changed_by_who_may_change_addresses(staff: Staff, user: User) -> None:
    address = EmailAddress.objects.create(user=user, email=user.email)
    client = staff("change_emailaddress", "view_emailaddress")
    client.post(page(EmailAddress, "changelist"), {"action": "make_verified", "_selected_action": [address.pk]})
    address.refresh_from_db()
    assert address.verified
    data = {"user": user.pk, "email": "New@example.org", "verified": "on", "primary": "on"}
    assert client.post(page(EmailAddress, "change", address.pk), data).status_code == 302
    address.refresh_from_db()
    assert address.email == "new@example.org"


def test_nobody_is_given_anothers_address(staff: Staff, superuser: User, user: User) -> None:
    for taken in ("ROOT@example.org", "Old@example.org"):
        added = staff("add_emailaddress").post(page(EmailAddress, "add"), {"user": user.pk, "email": taken})
        assert "another person" in added.content.decode()
        client = staff("add_user", "change_user", "view_user")
        counts = {"usage_limits-TOTAL_FORMS": 0, "usage_limits-INITIAL_FORMS": 0}
        changed = client.post(page(User, "change", user.pk), {"email": taken, "is_active": "on"} | counts)
        assert "another person" in changed.content.decode()
        new = {"email": taken, "usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
        assert "another person" in client.post(page(User, "add"), new).content.decode()
    assert not EmailAddress.objects.filter(user=user).exists()


def test_a_superuser_touches_everybody(staff: Staff, superuser: User) -> None:
    address = EmailAddress.objects.get(user=superuser)
    assert staff().post(page(EmailAddress, "delete", address.pk), {"post": "yes"}).status_code == 302
    assert not EmailAddress.objects.filter(pk=address.pk).exists()


def reset_key(person: User) -> str:
    """How a link that sets the person's password begins."""
    return f"/password/reset/key/{user_pk_to_url_str(person)}-"
