"""A chat's model, instructions and temperature over HTTP, as its owner, a stranger and nobody."""

from uuid import uuid4

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from conversations.actions import configuring
from conversations.llm import catalogue
from conversations.models import Configuration, Conversation, Generation, Message
from tests.factories import ConversationFactory, PresetFactory, ReplyFactory, exchange
from tests.kit.provider import ScriptedProvider
from tests.support.pages import HTMX

pytestmark = pytest.mark.django_db
CONFIGURATION = {"model": "small", "system_prompt": "Speak French.\r\nAlways.", "temperature": "0,7"}
STORED = Configuration("small", "Speak French.\nAlways.", 0.7)


@pytest.fixture(autouse=True)
def two_models(settings: Settings) -> None:
    """A site that offers a large and a small model."""
    settings.OPENAI_API_KEY = "a key"
    settings.CHAT_MODELS = ["large", "small"]


@pytest.fixture
def conversation(user: User) -> Conversation:
    return exchange(ConversationFactory.create(user=user), "Capital of France?", "It is Paris.").conversation


def path(conversation: Conversation, action: str = "settings") -> str:
    return f"{conversation.get_absolute_url()}{action}/"


def stored(conversation: Conversation) -> Configuration:
    conversation.refresh_from_db()
    return conversation.configuration


# --- A new chat -------------------------------------------------------------------------------------------------------


def test_a_new_chat_begins_with_what_was_set(signed_in: Client) -> None:
    response = signed_in.post("/", CONFIGURATION | {"message": "Hello"}, headers=HTMX)
    assert response.status_code == 200
    assert Conversation.objects.get().configuration == STORED
    assert "<option selected>small</option>" in response.content.decode()


def test_a_new_chat_without_settings_leaves_them_to_the_site(signed_in: Client) -> None:
    signed_in.post("/", {"message": "Hello"}, headers=HTMX)
    assert Conversation.objects.get().configuration == Configuration()


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("temperature", "2.1", "from 0 to 2"),
        ("temperature", "nan", "from 0 to 2"),
        ("temperature", "hot", "from 0 to 2"),
        ("system_prompt", "x" * 4_001, "4,001 characters, and 4,000"),
        ("system_prompt", "a\0b", "invalid characters"),
        ("model", "m" * 201, "name is too long"),
    ],
)
def test_bad_settings_are_refused_and_all_that_was_typed_stays(
    signed_in: Client, field: str, value: str, sentence: str
) -> None:
    data = CONFIGURATION | {"message": "A long thought", field: value}
    response = signed_in.post("/", data, headers=HTMX)
    assert response.status_code == 422
    assert sentence in response.content.decode()
    page = signed_in.post("/", data)
    assert page.status_code == 422
    assert "A long thought" in page.content.decode()
    if field != "model":
        assert "<option selected>small</option>" in page.content.decode()
    assert not Message.objects.exists()


def test_a_turn_in_a_conversation_changes_no_settings(signed_in: Client, conversation: Conversation) -> None:
    signed_in.post(conversation.get_absolute_url(), CONFIGURATION | {"message": "And Spain?"}, headers=HTMX)
    assert stored(conversation) == Configuration()


# --- A conversation ---------------------------------------------------------------------------------------------------


def test_settings_are_shown_and_changed(signed_in: Client, conversation: Conversation) -> None:
    response = signed_in.post(path(conversation), CONFIGURATION)
    assert (response.status_code, response["Location"]) == (302, conversation.get_absolute_url())
    assert stored(conversation) == STORED
    page = signed_in.get(path(conversation)).content.decode()
    assert "Speak French.\nAlways." in page
    assert 'value="0.7"' in page
    assert "<option selected>small</option>" in page
    signed_in.post(path(conversation), {"model": "", "system_prompt": " ", "temperature": ""})
    assert stored(conversation) == Configuration()


def test_htmx_gets_the_form_alone_and_then_the_picker(signed_in: Client, conversation: Conversation) -> None:
    form = signed_in.get(path(conversation), headers=HTMX).content.decode()
    assert "<html" not in form
    assert "Instructions" in form
    picker = signed_in.post(path(conversation), CONFIGURATION, headers=HTMX)
    assert "<option selected>small</option>" in picker.content.decode()


def test_a_model_is_chosen_and_the_rest_kept(signed_in: Client, conversation: Conversation) -> None:
    configuring.configure(conversation, STORED)
    assert signed_in.post(path(conversation, "model"), {"model": "large"}, headers=HTMX).status_code == 200
    assert stored(conversation) == STORED._replace(model="large")
    assert signed_in.post(path(conversation, "model"), {"model": ""})["Location"] == conversation.get_absolute_url()
    assert stored(conversation) == STORED._replace(model="")


def test_bad_settings_come_back_with_a_sentence(signed_in: Client, conversation: Conversation) -> None:
    data = CONFIGURATION | {"temperature": "3"}
    for headers in (HTMX, {}):
        response = signed_in.post(path(conversation), data, headers=headers)
        assert response.status_code == 422
        assert "from 0 to 2" in response.content.decode()
        assert "Speak French." in response.content.decode()
        assert 'value="3"' in response.content.decode()
    assert signed_in.post(path(conversation, "model"), {"model": "m" * 201}, headers=HTMX).status_code == 422
    assert stored(conversation) == Configuration()


def test_a_model_that_was_removed_is_said_and_does_no_harm(signed_in: Client, conversation: Conversation) -> None:
    configuring.choose_model(conversation, model="gone")
    html = signed_in.get(conversation.get_absolute_url()).content.decode()
    assert "The model gone is no longer available. large answers instead." in html
    assert signed_in.get(path(conversation)).status_code == 200


def test_without_a_choice_there_is_no_picker(signed_in: Client, conversation: Conversation, settings: Settings) -> None:
    settings.CHAT_MODELS = ["large"]
    for address in ("/", conversation.get_absolute_url(), path(conversation)):
        assert "<select" not in signed_in.get(address).content.decode()


def test_the_picker_offers_what_the_provider_lists(
    signed_in: Client, conversation: Conversation, provider: ScriptedProvider, settings: Settings
) -> None:
    settings.CHAT_MODELS = []
    settings.OPENAI_BASE_URL = provider.url
    catalogue.remember(provider.url, ("mistral", "embed-small", "Llama <3>"))
    configuring.choose_model(conversation, model="Llama <3>")
    html = signed_in.get(conversation.get_absolute_url()).content.decode()
    assert '<option value="">mistral</option><option selected>Llama &lt;3&gt;</option>' in html
    assert "embed-small" not in html


def test_a_page_without_a_list_has_no_picker_and_no_error(
    signed_in: Client, conversation: Conversation, settings: Settings, closed_port: int
) -> None:
    settings.CHAT_MODELS = []
    settings.OPENAI_BASE_URL = f"http://127.0.0.1:{closed_port}/v1"
    configuring.choose_model(conversation, model="mistral")
    for address in ("/", conversation.get_absolute_url(), path(conversation), "/presets/new/"):
        html = signed_in.get(address).content.decode()
        assert "<select" not in html
        assert "no longer available" not in html


def test_a_retry_goes_to_the_model_that_was_chosen_since(conversation: Conversation) -> None:
    answer = Message.objects.get(role="assistant")
    Generation.objects.filter(pk=answer.pk).update(status="failed", model="large")
    conversation.refresh_from_db()
    configuring.choose_model(conversation, model="small")
    assert Generation.objects.get(pk=answer.pk).model == ""


def test_a_retry_of_an_answer_with_a_model_of_its_own_keeps_it(conversation: Conversation) -> None:
    answer = Message.objects.get(role="assistant")
    Generation.objects.filter(pk=answer.pk).update(status="failed", model="tiny")
    conversation.refresh_from_db()
    configuring.choose_model(conversation, model="small")
    assert Generation.objects.get(pk=answer.pk).model == "tiny"


def test_an_answer_shows_which_model_gave_it(signed_in: Client, user: User) -> None:
    answer = ReplyFactory.create(conversation__user=user, generation__model="mistral <7b>")
    assert "mistral &lt;7b&gt;" in signed_in.get(answer.conversation.get_absolute_url()).content.decode()


@pytest.mark.parametrize("action", ["settings", "model"])
def test_anothers_and_unknown_conversations_are_not_found(
    other_client: Client, conversation: Conversation, action: str
) -> None:
    assert other_client.post(path(conversation, action), CONFIGURATION).status_code == 404
    assert other_client.get(path(conversation)).status_code == 404
    assert other_client.post(f"/c/{uuid4()}/{action}/", CONFIGURATION).status_code == 404
    assert stored(conversation) == Configuration()


def test_somebody_who_is_not_signed_in_is_asked_to(client: Client, conversation: Conversation) -> None:
    assert client.get(path(conversation)).status_code == 302
    assert client.post(path(conversation), CONFIGURATION, headers=HTMX).status_code == 401
    assert client.post(path(conversation, "model"), CONFIGURATION, headers=HTMX).status_code == 401
    assert stored(conversation) == Configuration()


def test_a_preset_fills_the_form_and_changes_nothing_yet(
    signed_in: Client, user: User, conversation: Conversation
) -> None:
    preset = PresetFactory.create(user=user, system_prompt="Translate.", model="small", temperature=0.2)
    html = signed_in.get(f"{path(conversation)}?preset={preset.pk}").content.decode()
    assert "Translate." in html
    assert 'value="0.2"' in html
    assert stored(conversation) == Configuration()


def test_anothers_preset_fills_nothing(signed_in: Client, conversation: Conversation) -> None:
    preset = PresetFactory.create()
    for address in (path(conversation), "/"):
        assert signed_in.get(f"{address}?preset={preset.pk}").status_code == 404
        assert signed_in.get(f"{address}?preset=x").status_code == 400
