"""Tool calls on the page: each step where it happened, and the decisions that its person makes."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from conversations.models import CallState, Conversation, Decision, Generation, Message, Status, ToolCall
from conversations.models.steps import Step, records_of
from tests.factories import ConversationFactory, MessageFactory, ReplyFactory, exchange
from tests.support.elements import read
from tests.support.pages import HTMX
from tools import registry
from tools.define import tool

pytestmark = pytest.mark.django_db

HTML = "<script>alert(1)</script>"


@tool(confirm=True, step="Deleting “{title}”", done="Deleted “{title}”")
def delete_item(user: User, title: str) -> str:
    """Delete an item of the list.

    Args:
        title: Which one.
    """
    return f"Deleted {title} of {user}."


@tool(read_only=True, step="Reading the list", done="Read the list")
def list_items(user: User) -> str:
    """List the items of the list."""
    return str(user)


@pytest.fixture(autouse=True)
def tools() -> None:
    """The site has these tools."""
    registry.replace(delete_item, list_items)


def call(reply: Message, title: str = "milk", **fields: Any) -> ToolCall:
    made: dict[str, Any] = {
        "tool": "delete_item",
        "arguments": f'{{"title": "{title}"}}',
        "state": CallState.WAITING,
        "position": ToolCall.objects.filter(message=reply).count(),
        "provider_id": "call_0",
    }
    return ToolCall.objects.create(message=reply, user=reply.user, **made | fields)


@pytest.fixture
def reply(user: User) -> Message:
    """A reply that waits for its person."""
    conversation = ConversationFactory.create(user=user, title="Shopping")
    MessageFactory.create(conversation=conversation, content="Delete milk.")
    until = timezone.now() + timedelta(hours=1)
    return ReplyFactory.create(
        conversation=conversation,
        content="",
        generation__status=Status.WAITING,
        generation__draft="One moment.",
        generation__rounds=1,
        generation__waiting_until=until,
    )


def ended(reply: Message, *calls: ToolCall, text: str) -> None:
    """End the reply with this text, and with what its message records of the calls."""
    Generation.objects.filter(pk=reply.pk).update(status=Status.COMPLETE, draft="")
    Message.objects.filter(pk=reply.pk).update(content=text, tool_calls=records_of(map(Step.of, calls)))


def decide(client: Client, one: ToolCall, decision: str, **headers: str) -> Any:
    return client.post(f"/tool-calls/{one.pk}/decide/", {"decision": decision}, headers=headers)


def body(client: Client, conversation: Conversation) -> Any:
    return read(client.get(conversation.get_absolute_url()).content.decode())


def test_a_step_that_asks_shows_what_would_be_done_and_its_buttons(signed_in: Client, reply: Message) -> None:
    one = call(reply, place=11)
    page = body(signed_in, reply.conversation)
    step = page.one(".step")
    assert "Deleting “milk”" in step.text()
    assert "Needs your approval" in step.text()
    assert [button.text() for button in step.all("button")] == ["Approve", "Decline", "Always allow in this chat"]
    assert {button["formaction"] for button in step.all("button")} == {f"/tool-calls/{one.pk}/decide/"}
    assert "open" in step.one("details")
    assert not page.all("[data-stream]")


def test_the_last_decision_lets_the_reply_go_on(signed_in: Client, reply: Message) -> None:
    first, second = call(reply), call(reply, "eggs")
    decide(signed_in, first, "decline")
    assert Generation.objects.get(pk=reply.pk).status == Status.WAITING
    response = decide(signed_in, second, "approve", **HTMX)
    assert Generation.objects.get(pk=reply.pk).status == Status.PENDING
    assert read(response.content.decode()).one("article")["data-stream"] == f"/messages/{reply.pk}/stream/"
    states = ToolCall.objects.in_order().values_list("state", "decision")
    assert list(states) == [(CallState.DECLINED, Decision.PERSON), (CallState.APPROVED, Decision.PERSON)]


def test_without_scripts_a_decision_leads_back_to_the_chat(signed_in: Client, reply: Message) -> None:
    response = decide(signed_in, call(reply), "approve")
    assert response.status_code == 302
    assert response["Location"] == reply.conversation.get_absolute_url()


def test_all_that_waits_is_decided_together(signed_in: Client, reply: Message) -> None:
    call(reply), call(reply, "eggs")
    page = body(signed_in, reply.conversation)
    assert "2 steps need your approval." in page.text()
    signed_in.post(f"/messages/{reply.pk}/decide/", {"decision": "approve"})
    assert set(ToolCall.objects.values_list("state", flat=True)) == {CallState.APPROVED}


def test_always_is_kept_with_the_chat(signed_in: Client, reply: Message) -> None:
    decide(signed_in, call(reply), "always")
    assert Conversation.objects.get().tools_allowed == ["delete_item"]


def test_a_second_decision_shows_how_it_stands(signed_in: Client, reply: Message) -> None:
    one = call(reply)
    decide(signed_in, one, "approve")
    response = decide(signed_in, one, "decline", **HTMX)
    assert response.status_code == 200
    assert "already" in response.content.decode()
    assert ToolCall.objects.get().state == CallState.APPROVED
    assert decide(signed_in, one, "decline").status_code == 409


@pytest.mark.parametrize("decision", ["", "maybe", HTML])
def test_what_is_no_decision_changes_nothing(signed_in: Client, reply: Message, decision: str) -> None:
    assert decide(signed_in, call(reply), decision).status_code == 400
    assert ToolCall.objects.get().state == CallState.WAITING


def test_a_call_of_another_person_does_not_exist(other_client: Client, reply: Message) -> None:
    one = call(reply)
    assert decide(other_client, one, "approve").status_code == 404
    assert other_client.post(f"/messages/{reply.pk}/decide/", {"decision": "approve"}).status_code == 404
    assert "Nothing waits for you" in other_client.get("/approvals/").content.decode()
    assert ToolCall.objects.get().state == CallState.WAITING


def test_who_is_not_signed_in_is_sent_to_the_sign_in(client: Client, reply: Message) -> None:
    one = call(reply)
    assert "/accounts/login/" in decide(client, one, "approve")["Location"]
    assert "/accounts/login/" in client.get("/approvals/")["Location"]


def test_all_that_waits_is_on_one_page_and_counted_in_the_sidebar(signed_in: Client, reply: Message) -> None:
    call(reply), call(reply, "eggs")
    page = read(signed_in.get("/approvals/").content.decode())
    assert [words.text() for words in page.all(".step .words")] == ["Deleting “milk”", "Deleting “eggs”"]
    assert page.one("#approvals .count").text() == "2"
    response = signed_in.post(
        page.all(".step button")[0]["formaction"],
        {"decision": "decline", "next": page.one('#act input[name="next"]')["value"]},
    )
    assert response["Location"] == "/approvals/"
    assert read(signed_in.get("/approvals/").content.decode()).one("#approvals .count").text() == "1"


def test_what_waited_too_long_is_not_asked_any_more(signed_in: Client, reply: Message, settings: Settings) -> None:
    settings.CHAT_APPROVAL_HOURS = 1
    one = call(reply, created_at=timezone.now() - timedelta(hours=2))
    assert "Nothing waits for you" in signed_in.get("/approvals/").content.decode()
    assert decide(signed_in, one, "approve").status_code == 409
    assert ToolCall.objects.get().state == CallState.WAITING


def test_what_may_have_happened_is_asked_about(signed_in: Client, reply: Message) -> None:
    one = call(reply, state=CallState.UNKNOWN)
    step = body(signed_in, reply.conversation).one(".step")
    assert [button.text() for button in step.all("button")] == ["Run again", "Go on without"]
    decide(signed_in, one, "decline")
    one.refresh_from_db()
    assert (one.state, one.decision) == (CallState.UNKNOWN, Decision.PERSON)


def test_steps_stand_where_they_happened(signed_in: Client, reply: Message) -> None:
    first = call(reply, place=5, state=CallState.DONE, result={"text": "ok"})
    second = call(reply, "eggs", round=1, place=13, state=CallState.FAILED, error="There is none.", position=0)
    ended(reply, first, second, text="First\n\nSecond\n\nThird")
    text = " ".join(body(signed_in, reply.conversation).all(".assistant .body")[0].text().split())
    places = [text.index(part) for part in ("First", "Deleted “milk”", "Second", "Deleting “eggs”", "Third")]
    assert places == sorted(places)
    assert "There is none." in text


def test_each_rounds_text_is_markdown_of_its_own(signed_in: Client, reply: Message) -> None:
    one = call(reply, place=13, state=CallState.DONE, result={"text": "ok"})
    ended(reply, one, text="```\nan open one\n\n**after**"[:13] + "\n\n**after**")
    page = body(signed_in, reply.conversation).one(".assistant .body")
    assert page.one("strong").text() == "after"


def test_everything_in_a_step_is_escaped(signed_in: Client, reply: Message) -> None:
    table = {"columns": [HTML], "rows": [[HTML]], "links": ["javascript:alert(1)"]}
    calls = [
        call(reply, HTML.replace('"', ""), state=CallState.DONE, result={"text": HTML}),
        call(reply, state=CallState.DONE, result={"text": "", "table": table}),
        call(reply, tool=HTML, arguments=HTML, state=CallState.FAILED, error=HTML),
    ]
    ended(reply, *calls, text=HTML)
    response = signed_in.get(reply.conversation.get_absolute_url()).content.decode()
    assert "<script>alert" not in response
    assert "javascript:" not in response


def test_records_of_any_shape_are_shown(signed_in: Client, user: User) -> None:
    answer = exchange(ConversationFactory.create(user=user), "Hello", "Good day")
    odd = [None, 1, {}, {"name": 3, "arguments": [1], "status": "waiting", "place": -4, "result": [1], "round": "x"}]
    Message.objects.filter(pk=answer.pk).update(tool_calls=odd)
    page = body(signed_in, answer.conversation)
    assert "Good day" in page.text()
    assert not page.all(".step button")


def test_another_try_says_what_stays_done(signed_in: Client, reply: Message) -> None:
    one = call(reply, state=CallState.DONE, result={"text": "ok"})
    looked = call(reply, tool="list_items", state=CallState.DONE, result={"text": "ok"})
    ended(reply, one, looked, text="Done.")
    again = body(signed_in, reply.conversation).one('[aria-label="Regenerate reply"]')
    assert again.tag == "a"
    form = read(signed_in.get(again["href"], headers=HTMX).content.decode()).one("form.again")
    assert "This stays done: Deleted “milk”." in " ".join(form.text().split())
    assert "Read the list" not in form.text()


def test_a_chat_turns_single_tools_off(signed_in: Client, reply: Message) -> None:
    address = f"/c/{reply.conversation_id}/settings/"
    boxes = read(signed_in.get(address).content.decode()).all('.tool input[name="tools_on"]')
    assert [(box["value"], "checked" in box) for box in boxes] == [("delete_item", True), ("list_items", True)]
    form = {"tools_listed": ["delete_item", "list_items"], "tools_on": ["list_items"]}
    signed_in.post(address, form)
    assert Conversation.objects.get().tools_off == ["delete_item"]
    boxes = read(signed_in.get(address).content.decode()).all('.tool input[name="tools_on"]')
    assert ["checked" in box for box in boxes] == [False, True]
    signed_in.post(address, form | {"tools_on": ["delete_item", "list_items"]})
    assert Conversation.objects.get().tools_off is None


def test_choosing_a_model_keeps_the_tools(signed_in: Client, reply: Message) -> None:
    Conversation.objects.update(tools_off=["delete_item"])
    signed_in.post(f"/c/{reply.conversation_id}/model/", {"model": ""})
    assert Conversation.objects.get().tools_off == ["delete_item"]


def test_a_preset_turns_single_tools_off_and_its_chats_have_that(signed_in: Client, user: User) -> None:
    form = {"name": "Careful", "tools_listed": ["delete_item", "list_items"], "tools_on": ["list_items"]}
    signed_in.post("/presets/new/", form)
    preset = user.presets.get()
    assert preset.tools_off == ["delete_item"]
    page = read(signed_in.get(f"/?preset={preset.pk}").content.decode())
    assert [field["value"] for field in page.all('input[name="tools_listed"]')] == ["delete_item"]
    signed_in.post("/", {"message": "Hello", "tools_listed": ["delete_item"]})
    assert Conversation.objects.get().tools_off == ["delete_item"]
