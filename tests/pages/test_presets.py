"""Presets over HTTP and in the admin, as their owner, a stranger and nobody."""

from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from conversations.actions import configuring
from conversations.models import Configuration, Conversation, Preset
from tests.factories import PresetFactory, UserFactory
from tests.support.pages import HTMX

pytestmark = pytest.mark.django_db
TRANSLATOR = {"name": "Translator", "model": "small", "system_prompt": "Translate.", "temperature": "0.2"}


@pytest.fixture(autouse=True)
def two_models(settings: Settings) -> None:
    """A site that offers a large and a small model."""
    settings.OPENAI_API_KEY = "a key"
    settings.CHAT_MODELS = ["large", "small"]


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(UserFactory.create(is_staff=True, is_superuser=True))
    return client


def test_a_preset_is_made_listed_changed_and_deleted(signed_in: Client, user: User) -> None:
    assert signed_in.post("/presets/new/", TRANSLATOR)["Location"] == "/presets/"
    preset = Preset.objects.get()
    assert (preset.user, preset.name, preset.configuration) == (
        user,
        "Translator",
        Configuration("small", "Translate.", 0.2),
    )
    assert "Translator" in signed_in.get("/presets/").content.decode()
    assert "Translate." in signed_in.get(preset.get_absolute_url()).content.decode()
    signed_in.post(preset.get_absolute_url(), TRANSLATOR | {"name": "French", "temperature": ""})
    preset.refresh_from_db()
    assert (preset.name, preset.temperature) == ("French", None)
    assert signed_in.post(f"{preset.get_absolute_url()}delete/")["Location"] == "/presets/"
    assert not Preset.objects.exists()


def test_the_empty_page_offers_examples_that_fill_the_form(signed_in: Client) -> None:
    assert "/presets/new/?example=translator" in signed_in.get("/presets/").content.decode()
    html = signed_in.get("/presets/new/?example=translator").content.decode()
    assert 'value="Translator"' in html
    assert "Translate what I write" in html
    assert signed_in.get("/presets/new/?example=nonsense").status_code == 200
    assert not Preset.objects.exists()


def test_a_name_is_taken_once_per_person(signed_in: Client, user: User) -> None:
    PresetFactory.create(name="Translator")
    PresetFactory.create(name="Translator", user=None)
    signed_in.post("/presets/new/", TRANSLATOR)
    response = signed_in.post("/presets/new/", TRANSLATOR | {"system_prompt": "Another."})
    assert response.status_code == 409
    assert "a preset with this name" in response.content.decode()
    assert "Another." in response.content.decode()
    other = PresetFactory.create(user=user, name="Other")
    assert signed_in.post(other.get_absolute_url(), TRANSLATOR).status_code == 409
    assert Preset.objects.owned_by(user).filter(name="Translator").count() == 1


def test_the_database_refuses_two_shared_presets_of_one_name() -> None:
    PresetFactory.create(user=None, name="Translator")
    with pytest.raises(IntegrityError, match="one_preset_per_name"), transaction.atomic():
        PresetFactory.create(user=None, name="Translator")


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", " "), ("name", "n" * 81), ("name", "a\0b"), ("temperature", "-1"), ("system_prompt", "x" * 4_001)],
)
def test_a_bad_preset_comes_back_with_a_sentence(signed_in: Client, field: str, value: str) -> None:
    response = signed_in.post("/presets/new/", TRANSLATOR | {field: value})
    assert response.status_code == 422
    assert 'role="alert"' in response.content.decode()
    assert not Preset.objects.exists()


def test_one_person_keeps_a_bounded_number(signed_in: Client, user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configuring, "PRESETS_MAX", 1)
    PresetFactory.create(user=user)
    response = signed_in.post("/presets/new/", TRANSLATOR)
    assert response.status_code == 409
    assert "reached the limit of 1 presets." in response.content.decode()


def test_another_persons_preset_is_not_found(other_client: Client, user: User) -> None:
    preset = PresetFactory.create(user=user, name="Secret")
    assert "Secret" not in other_client.get("/presets/").content.decode()
    assert "Secret" not in other_client.get("/").content.decode()
    for address in (preset.get_absolute_url(), f"/presets/{uuid4()}/"):
        assert other_client.get(address).status_code == 404
        assert other_client.post(address, TRANSLATOR).status_code == 404
        assert other_client.post(f"{address}delete/").status_code == 404
    preset.refresh_from_db()
    assert preset.name == "Secret"


def test_a_shared_preset_is_used_by_everybody_and_changed_by_nobody(signed_in: Client) -> None:
    preset = PresetFactory.create(user=None, name="House style", system_prompt="Be brief.")
    assert "House style" in signed_in.get("/presets/").content.decode()
    assert "Be brief." in signed_in.get(f"/?preset={preset.pk}").content.decode()
    for action in ("", "delete/"):
        assert signed_in.post(f"{preset.get_absolute_url()}{action}", TRANSLATOR).status_code == 404
    assert signed_in.get(preset.get_absolute_url()).status_code == 404
    assert Preset.objects.get().name == "House style"


def test_somebody_who_is_not_signed_in_is_asked_to(client: Client) -> None:
    preset = PresetFactory.create()
    for address in ("/presets/", "/presets/new/", preset.get_absolute_url()):
        assert client.get(address).status_code == 302
    assert client.post(f"{preset.get_absolute_url()}delete/").status_code == 302
    assert Preset.objects.exists()


def test_a_chat_keeps_what_it_took_from_a_preset(signed_in: Client, user: User) -> None:
    preset = PresetFactory.create(user=user, system_prompt="Translate.", model="small", temperature=0.2)
    html = signed_in.get(f"/?preset={preset.pk}").content.decode()
    assert "<option selected>small</option>" in html
    assert "Translate." in html
    data = {"message": "Hello", "model": "small", "system_prompt": "Translate.", "temperature": "0.2"}
    signed_in.post("/", data, headers=HTMX)
    configuring.change_preset(preset, name="Other", configuration=Configuration())
    configuring.delete_preset(preset)
    assert Conversation.objects.get().configuration == Configuration("small", "Translate.", 0.2)


def test_presets_go_with_their_person(user: User) -> None:
    PresetFactory.create(user=user)
    PresetFactory.create(user=None)
    User.objects.filter(pk=user.pk).delete()
    assert Preset.objects.get().user is None


def test_staff_keep_the_shared_presets_and_see_no_others(staff: Client) -> None:
    own = PresetFactory.create(name="Secret")
    path = "/admin/conversations/preset/"
    assert staff.post(f"{path}add/", TRANSLATOR).status_code == 302
    shared = Preset.objects.shared().get()
    assert shared.configuration == Configuration("small", "Translate.", 0.2)
    listed = staff.get(path).content.decode()
    assert "Translator" in listed
    assert "Secret" not in listed
    assert "already" in staff.post(f"{path}add/", TRANSLATOR).content.decode()
    assert "from 0 to 2" in staff.post(f"{path}add/", TRANSLATOR | {"name": "X", "temperature": "7"}).content.decode()
    assert staff.post(f"{path}{shared.pk}/change/", TRANSLATOR | {"name": "French"}).status_code == 302
    shared.refresh_from_db()
    assert shared.name == "French"
    assert staff.get(f"{path}{own.pk}/change/").status_code == 302
    assert staff.post(f"{path}{shared.pk}/delete/", {"post": "yes"}).status_code == 302
    assert Preset.objects.get() == own
