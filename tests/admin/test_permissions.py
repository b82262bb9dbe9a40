"""Who may see that something exists, who may read it, who may do something about it."""

import pytest
from django.contrib.admin.models import LogEntry

from conversations.models import Conversation, Feedback, Generation, Message
from tests.admin.conftest import READ, VIEW, Staff

pytestmark = pytest.mark.django_db

ADMIN = "/admin/conversations"
SAID = ("Capital", "Paris", "Too short", "Hm, France", "Secretly")
LISTS = ("conversation", "message", "generation", "feedback")


@pytest.fixture
def answer(answer: Message) -> Message:
    """With all that can be read beside it."""
    Feedback.objects.create(message=answer, user=answer.user, rating="down", comment="Too short")
    Generation.objects.filter(pk=answer.pk).update(reasoning="Hm, France.", draft="It is Paris")
    Conversation.objects.filter(pk=answer.conversation_id).update(system_prompt="Secretly a pirate")
    return answer


def addresses(answer: Message) -> dict[str, str]:
    keys = {"conversation": answer.conversation_id} | dict.fromkeys(LISTS[1:], answer.pk)
    return {
        **{f"{model} list": f"{ADMIN}/{model}/" for model in LISTS},
        **{model: f"{ADMIN}/{model}/{key}/change/" for model, key in keys.items()},
        **{f"{model} history": f"{ADMIN}/{model}/{key}/history/" for model, key in keys.items()},
        "search": f"{ADMIN}/conversation/search/?q=Paris",
        "delete": f"{ADMIN}/conversation/{answer.conversation_id}/delete/",
        "log": "/admin/admin/logentry/",
    }


EVERYBODY_WITH_VIEW = {name for name in addresses(Message()) if name not in ("search", "delete", "log")}
ALLOWED: dict[tuple[str, ...], set[str]] = {
    (): set(addresses(Message())),
    VIEW: EVERYBODY_WITH_VIEW,
    READ: EVERYBODY_WITH_VIEW | {"search"},
    ("read_message",): set(),
    ("view_conversation", "delete_conversation"): {
        "conversation list",
        "conversation",
        "conversation history",
        "delete",
    },
    ("view_logentry",): {"log"},
}


@pytest.mark.parametrize("permissions", ALLOWED, ids=lambda names: "+".join(names) or "superuser")
def test_each_page_opens_for_those_who_may_and_for_nobody_else(
    staff: Staff, answer: Message, permissions: tuple[str, ...]
) -> None:
    client = staff(*permissions)
    for name, address in addresses(answer).items():
        assert client.get(address).status_code == (200 if name in ALLOWED[permissions] else 403), name


def test_a_member_of_staff_without_permissions_opens_nothing(staff: Staff, answer: Message) -> None:
    client = staff(as_nobody=True)
    for name, address in addresses(answer).items():
        assert client.get(address).status_code == 403, name


def test_nothing_that_was_said_is_on_a_page_of_who_may_only_see_that_it_exists(staff: Staff, answer: Message) -> None:
    client = staff(*VIEW, "delete_conversation", "view_logentry", "stop_generation")
    for name, address in addresses(answer).items():
        html = client.get(address).content.decode()
        if name == "search":
            continue
        for said in SAID:
            assert said not in html, (name, said)
    assert not LogEntry.objects.exists()


def test_lists_show_no_text_to_anybody(staff: Staff, answer: Message) -> None:
    client = staff()
    for model in LISTS:
        html = client.get(f"{ADMIN}/{model}/").content.decode()
        for said in SAID:
            assert said not in html, (model, said)


@pytest.mark.parametrize(
    "question",
    [
        "conversation/?title__icontains=Capitals",
        "conversation/?title__startswith=C",
        "conversation/?system_prompt__contains=pirate",
        "conversation/?messages__content__contains=Paris",
        "conversation/?current_message__content__contains=Paris",
        "message/?content__icontains=Paris",
        "message/?feedback__comment__contains=short",
        "generation/?thought__contains=France",
        "generation/?draft__contains=Paris",
        "feedback/?comment__contains=short",
    ],
)
def test_an_address_cannot_ask_what_a_text_holds(staff: Staff, answer: Message, question: str) -> None:
    for client in (staff(*VIEW), staff()):
        assert client.get(f"{ADMIN}/{question}").status_code == 400


def test_the_search_box_of_a_list_does_not_look_into_texts(staff: Staff, answer: Message) -> None:
    client = staff(*VIEW)
    for model in LISTS:
        for said in ("Paris", "Capitals", "Too short", "France", "pirate"):
            html = client.get(f"{ADMIN}/{model}/", {"q": said}).content.decode()
            assert answer.user.email not in html, (model, said)


@pytest.mark.parametrize("model", ["conversation", "message", "generation", "feedback"])
def test_nobody_adds_or_changes_what_was_said(staff: Staff, answer: Message, model: str) -> None:
    key = answer.conversation_id if model == "conversation" else answer.pk
    client = staff()
    assert client.get(f"{ADMIN}/{model}/add/").status_code == 403
    posted = client.post(f"{ADMIN}/{model}/{key}/change/", {"title": "x", "content": "x", "comment": "x"})
    assert posted.status_code in (400, 403)
    answer.refresh_from_db()
    assert answer.content == "It is **Paris**."


def test_a_message_alone_cannot_be_deleted(staff: Staff, answer: Message) -> None:
    for model in LISTS[1:]:
        assert staff().post(f"{ADMIN}/{model}/{answer.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Message.objects.count() == 2
