"""Branches on the page: editing, regenerating, choosing, over HTTP."""

import re
from uuid import uuid4

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from conversations.actions import branches
from conversations.models import Conversation, Generation, Message, Status
from tests.factories import ConversationFactory, MessageFactory, ReplyFactory, exchange, last_said, long_chat
from tests.support.elements import read
from tests.support.pages import HTMX, further

pytestmark = pytest.mark.django_db


@pytest.fixture
def conversation(user: User) -> Conversation:
    """Two exchanges: One, Two, Three, Four."""
    conversation = ConversationFactory.create(user=user)
    exchange(conversation, "One", "Two")
    exchange(conversation, "Three", "Four")
    return conversation


def said(content: str) -> Message:
    return Message.objects.select_related("conversation", "user").get(content=content)


def page(client: Client, path: str, **headers: str) -> str:
    response = client.get(path, headers=headers)
    assert response.status_code == 200
    return re.sub(r"\s+", " ", response.content.decode())


def shown(html: str) -> list[str]:
    """What the messages on a page say."""
    return [body.text().strip() for body in read(html).all("div.body")]


def second_answer(content: str, text: str) -> Message:
    """Another finished answer beside the one that says `content`."""
    answer = branches.regenerate(said(content))
    Generation.objects.filter(pk=answer.pk).update(status=Status.COMPLETE)
    Message.objects.filter(pk=answer.pk).update(content=text)
    return answer


# --- Reading ----------------------------------------------------------------------------------------------------------


def test_a_page_shows_the_chosen_branch_and_the_way_to_the_others(
    signed_in: Client, conversation: Conversation
) -> None:
    first, second = said("Two"), second_answer("Two", "Second")
    html = page(signed_in, conversation.get_absolute_url())
    assert shown(html) == ["One", "Second"]
    assert 'aria-label="Alternative 2 of 2"' in html
    assert f"/messages/{first.pk}/choose/" in html
    assert f"/messages/{second.pk}/choose/" not in html


def test_a_message_without_alternatives_has_no_way_to_them(signed_in: Client, conversation: Conversation) -> None:
    assert "Alternative" not in page(signed_in, conversation.get_absolute_url())


def test_first_messages_have_alternatives_too(signed_in: Client, conversation: Conversation) -> None:
    MessageFactory.create(conversation=conversation, content="First", parent=None)
    assert 'aria-label="Alternative 2 of 2"' in page(signed_in, conversation.get_absolute_url())


def test_alternatives_cost_no_query(
    signed_in: Client, conversation: Conversation, django_assert_num_queries: object
) -> None:
    for number in range(20):
        ReplyFactory.create(conversation=conversation, parent=said("Three"), content=f"Fourth {number}")
    with django_assert_num_queries(6):  # type: ignore[operator]
        assert "Alternative 21 of 21" in page(signed_in, conversation.get_absolute_url())


def test_earlier_messages_follow_the_branch_on_which_they_were_asked_for(user: User, signed_in: Client) -> None:
    conversation = ConversationFactory.create(user=user)
    messages = long_chat(conversation, 120)
    newest = page(signed_in, conversation.get_absolute_url())
    assert shown(newest)[0] == "Message-00070"
    ReplyFactory.create(conversation=conversation, parent=messages[0], content="Another branch")
    older = page(signed_in, further(newest, "before"), **HTMX)
    assert shown(older) == [f"Message-{number:05}" for number in range(20, 70)]


def test_an_address_shows_what_is_around_a_message(user: User, signed_in: Client) -> None:
    conversation = ConversationFactory.create(user=user)
    messages = long_chat(conversation, 300)
    html = page(signed_in, messages[100].get_absolute_url().partition("#")[0])
    assert shown(html) == [f"Message-{number:05}" for number in range(76, 126)]
    assert "Earlier messages" in html
    assert "Newest messages" in html
    assert f'value="{messages[125].pk}"' in html
    near = page(signed_in, messages[270].get_absolute_url().partition("#")[0])
    assert shown(near)[-1] == "Message-00299"
    assert "Newest messages" not in near


def test_a_message_on_another_branch_is_shown_there_and_nothing_is_chosen(
    signed_in: Client, conversation: Conversation
) -> None:
    second = second_answer("Two", "Second")
    html = page(signed_in, said("Three").get_absolute_url().partition("#")[0])
    assert shown(html) == ["One", "Two", "Three", "Four"]
    assert "This is another branch of the conversation." in html
    assert f"/messages/{said('Four').pk}/choose/" in html
    assert 'id="composer"' not in html
    assert last_said(conversation) == second


def test_a_message_has_an_address_of_its_own(signed_in: Client, conversation: Conversation) -> None:
    message = said("Two")
    response = signed_in.get(f"/messages/{message.pk}/")
    assert response["Location"] == f"{conversation.get_absolute_url()}?at={message.pk}#m-{message.pk}"


@pytest.mark.parametrize("name", ["at", "before"])
def test_a_message_of_another_conversation_is_not_found_in_this_one(
    signed_in: Client, stranger: User, conversation: Conversation, name: str
) -> None:
    for key in (exchange(ConversationFactory.create(user=stranger), "Theirs", "Ours").pk, uuid4()):
        for headers in (HTMX, {}):
            response = signed_in.get(f"{conversation.get_absolute_url()}?{name}={key}", headers=headers)
            assert response.status_code == 404
    assert signed_in.get(f"{conversation.get_absolute_url()}?{name}=x").status_code == 400


# --- Editing ----------------------------------------------------------------------------------------------------------


def test_the_form_stands_in_the_messages_place_and_cancel_gives_it_back(
    signed_in: Client, conversation: Conversation
) -> None:
    key = said("Three").pk
    form = page(signed_in, f"/messages/{key}/edit/", **HTMX)
    assert f'id="m-{key}"' in form
    assert read(form).one("textarea").text().strip() == "Three"
    message = page(signed_in, f"/messages/{key}/", **HTMX)
    assert shown(message) == ["Three"]
    assert "<html" not in form + message


def test_without_htmx_the_page_holds_the_form(signed_in: Client, conversation: Conversation) -> None:
    html = page(signed_in, f"/messages/{said('Three').pk}/edit/")
    assert "Three" in [box.text().strip() for box in read(html).all("textarea")]
    assert shown(html) == ["One", "Two", "Four"]


def test_saving_shows_the_new_branch_with_its_open_reply(signed_in: Client, conversation: Conversation) -> None:
    address = f"/messages/{said('Three').pk}/edit/"
    response = signed_in.post(address, {"message": "Third", "turn": str(uuid4())}, headers=HTMX)
    html = response.content.decode()
    reply = Message.objects.get(parent__content="Third")
    assert shown(html)[:3] == ["One", "Two", "Third"]
    assert "Four" not in html
    assert 'aria-label="Alternative 2 of 2"' in html
    assert f"/messages/{reply.pk}/stream/" in html
    assert signed_in.post(address, {"message": "Differently"}).status_code == 409


def test_the_same_save_twice_is_one_branch(signed_in: Client, conversation: Conversation) -> None:
    data = {"message": "Third", "turn": str(uuid4())}
    for headers in (HTMX, HTMX, {}):
        response = signed_in.post(f"/messages/{said('Three').pk}/edit/", data, headers=headers)
        assert response.status_code in {200, 302}
    assert Message.objects.filter(content="Third").count() == 1


@pytest.mark.parametrize("text", ["", "  \n", "x" * 101, "a\0b"])
def test_a_bad_edit_is_refused_and_stays_in_the_form(
    signed_in: Client, conversation: Conversation, settings: Settings, text: str
) -> None:
    settings.CHAT_MESSAGE_MAX_CHARS = 100
    address = f"/messages/{said('Three').pk}/edit/"
    assert signed_in.post(address, {"message": text}, headers=HTMX).status_code == 422
    response = signed_in.post(address, {"message": text})
    assert response.status_code == 422
    if text.strip() and "\0" not in text:
        assert text in [box.text().lstrip() for box in read(response.content.decode()).all("textarea")]
    assert Message.objects.count() == 4


def test_a_reply_cannot_be_edited_and_a_message_not_regenerated(signed_in: Client, conversation: Conversation) -> None:
    for method in ("get", "post"):
        assert getattr(signed_in, method)(f"/messages/{said('Two').pk}/edit/", {"message": "Mine"}).status_code == 404
        assert getattr(signed_in, method)(f"/messages/{said('One').pk}/regenerate/").status_code == 404
    assert Message.objects.count() == 4


# --- Regenerating -----------------------------------------------------------------------------------------------------


def test_regenerating_shows_the_second_answer_in_the_place_of_the_first(
    signed_in: Client, conversation: Conversation
) -> None:
    data = {"turn": str(uuid4())}
    for _ in range(2):
        html = signed_in.post(f"/messages/{said('Four').pk}/regenerate/", data, headers=HTMX).content.decode()
        assert shown(html)[:3] == ["One", "Two", "Three"]
        assert f"/messages/{data['turn']}/stream/" in html
    assert Message.objects.count() == 5


def test_another_model_can_be_asked(signed_in: Client, conversation: Conversation, settings: Settings) -> None:
    settings.OPENAI_API_KEY = "x"
    settings.CHAT_MODELS = ["small", "large"]
    reply = said("Four")
    Generation.objects.filter(pk=reply.pk).update(model="small")
    assert "Regenerate with another model" in page(signed_in, conversation.get_absolute_url())
    form = page(signed_in, f"/messages/{reply.pk}/regenerate/", **HTMX)
    assert "<option selected>large</option>" in form
    assert "<option selected>large</option>" in page(signed_in, f"/messages/{reply.pk}/regenerate/")
    address = f"/messages/{reply.pk}/regenerate/"
    assert signed_in.post(address, {"model": "unheard of"}, headers=HTMX).status_code == 422
    assert signed_in.post(address, {"model": "large"}, headers=HTMX).status_code == 200
    assert Generation.objects.get(status=Status.PENDING).model == "large"


def test_with_one_model_there_is_no_other_to_choose(
    signed_in: Client, conversation: Conversation, settings: Settings
) -> None:
    settings.OPENAI_API_KEY = "x"
    settings.CHAT_MODELS = ["small"]
    html = page(signed_in, conversation.get_absolute_url())
    assert "Regenerate reply" in html
    assert "another model" not in html


@pytest.mark.parametrize("action", ["regenerate", "edit"])
def test_a_malformed_key_is_refused(signed_in: Client, conversation: Conversation, action: str) -> None:
    message = said("Four" if action == "regenerate" else "Three")
    response = signed_in.post(f"/messages/{message.pk}/{action}/", {"turn": "x", "message": "Hi"}, headers=HTMX)
    assert response.status_code == 422
    assert "out of date" in response.content.decode()


# --- Choosing ---------------------------------------------------------------------------------------------------------


def test_choosing_shows_the_branch_and_is_remembered(signed_in: Client, conversation: Conversation) -> None:
    second_answer("Two", "Second")
    html = signed_in.post(f"/messages/{said('Two').pk}/choose/", headers=HTMX).content.decode()
    assert shown(html) == ["One", "Two", "Three", "Four"]
    assert "Alternative 1 of 2." in html
    assert shown(page(signed_in, conversation.get_absolute_url())) == ["One", "Two", "Three", "Four"]
    response = signed_in.post(f"/messages/{said('Second').pk}/choose/")
    assert response["Location"] == said("Second").get_absolute_url()
    assert shown(page(signed_in, conversation.get_absolute_url())) == ["One", "Second"]


def test_choosing_while_a_reply_runs_is_a_conflict(signed_in: Client, conversation: Conversation) -> None:
    branches.regenerate(said("Two"))
    response = signed_in.post(f"/messages/{said('Two').pk}/choose/", headers=HTMX)
    assert response.status_code == 409
    assert "still answering" in response.content.decode()


def test_choosing_what_was_deleted_is_not_found(signed_in: Client, conversation: Conversation) -> None:
    message = said("Four")
    message.delete()
    assert signed_in.post(f"/messages/{message.pk}/choose/", headers=HTMX).status_code == 404


@pytest.mark.parametrize("which", ["another's", "unknown"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "/messages/{question}/"),
        ("get", "/messages/{question}/edit/"),
        ("post", "/messages/{question}/edit/"),
        ("get", "/messages/{reply}/regenerate/"),
        ("post", "/messages/{reply}/regenerate/"),
        ("post", "/messages/{reply}/choose/"),
        ("get", "/c/{conversation}/?at={reply}"),
    ],
)
def test_anothers_and_unknown_messages_are_not_found(
    conversation: Conversation, other_client: Client, method: str, path: str, which: str
) -> None:
    keys = {"conversation": conversation.pk, "question": said("Three").pk, "reply": said("Two").pk}
    if which == "unknown":
        keys = dict.fromkeys(keys, uuid4())
    assert getattr(other_client, method)(path.format(**keys), {"message": "Mine"}).status_code == 404
    assert Message.objects.count() == 4


@pytest.mark.parametrize("action", ["", "edit/", "regenerate/", "choose/"])
def test_somebody_who_is_not_signed_in_changes_nothing(client: Client, conversation: Conversation, action: str) -> None:
    path = f"/messages/{said('Three').pk}/{action}"
    for response in (client.get(path), client.post(path, {"message": "Mine"})):
        assert response.status_code in {302, 401}
    assert Message.objects.count() == 4


def test_a_get_chooses_nothing(signed_in: Client, conversation: Conversation) -> None:
    assert signed_in.get(f"/messages/{said('Two').pk}/choose/").status_code == 405
