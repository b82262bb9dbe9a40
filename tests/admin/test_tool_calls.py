"""What the assistant did for whom, as staff see it."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection

from accounts.models import User
from accounts.readings import READING
from conversations.admin import tool_calls
from conversations.models import CallState, Generation, Message, Status, ToolCall
from conversations.models.steps import Step, records_of
from tests.admin.conftest import READ, VIEW, Staff
from tests.factories import ConversationFactory, UserFactory, exchange
from tests.support.elements import read

pytestmark = pytest.mark.django_db

LIST = "/admin/conversations/toolcall/"
MAY_SEE = (*VIEW, "view_toolcall")
MAY_READ = (*READ, "view_toolcall")
SAID = ("Secret milk", "Added to the errands", "It broke")


@pytest.fixture
def call(answer: Message) -> ToolCall:
    """What the assistant did in the person's only conversation."""
    began = datetime(2026, 3, 31, 12, tzinfo=UTC)
    return ToolCall.objects.create(
        message=answer,
        user=answer.user,
        tool="add_note",
        arguments='{"title": "Secret milk"}',
        state=CallState.DONE,
        result={"text": "Added to the errands <img src=x>"},
        error="It broke",
        created_at=began,
        started_at=began,
        finished_at=began + timedelta(seconds=2),
    )


def page(call: ToolCall) -> str:
    return f"{LIST}{call.pk}/change/"


def readings(key: object) -> list[str]:
    return list(
        LogEntry.objects.filter(object_id=str(key), action_flag=READING).values_list("change_message", flat=True)
    )


def test_the_list_says_who_had_what_done_and_nothing_that_was_said(staff: Staff, call: ToolCall) -> None:
    for client in (staff(*MAY_SEE), staff()):
        html = client.get(LIST).content.decode()
        for fact in (
            call.user.email,
            "add_note",
            "Done",
            "2.00 s",
            str(call.message and call.message.conversation_id),
        ):
            assert fact in html, fact
        for said in SAID:
            assert said not in html, said
    assert not LogEntry.objects.filter(action_flag=READING).exists()


def test_the_page_of_a_call_shows_what_was_said_to_those_who_may_read(staff: Staff, call: ToolCall) -> None:
    html = staff(*MAY_READ).get(page(call)).content.decode()
    for said in SAID:
        assert said in html, said
    assert "<img src=x>" not in html
    assert call.message
    assert readings(call.message.conversation_id) == [tool_calls.READ]


def test_others_see_that_it_exists_and_nobody_has_read(staff: Staff, call: ToolCall) -> None:
    html = staff(*MAY_SEE).get(page(call)).content.decode()
    assert "add_note" in html
    assert f"?at={call.message_id}#m-{call.message_id}" in html
    for said in SAID:
        assert said not in html, said
    assert not LogEntry.objects.filter(action_flag=READING).exists()


def test_a_call_without_a_conversation_is_read_and_written_down_too(staff: Staff, user: User) -> None:
    call = ToolCall.objects.create(user=user, origin="mcp", tool="add_note", state="done", arguments='{"a": "Secret"}')
    assert "Secret" in staff(*MAY_READ).get(page(call)).content.decode()
    assert readings(call.pk) == [tool_calls.READ]
    assert LogEntry.objects.get().object_repr == f"tool call {call.pk}"
    assert "-" in staff(*MAY_SEE).get(LIST).content.decode()


def test_what_cannot_be_written_down_is_not_shown(staff: Staff, call: ToolCall) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE django_admin_log ADD CONSTRAINT full_disk CHECK (false) NOT VALID")
    client = staff(*MAY_READ)
    client.raise_request_exception = False
    response = client.get(page(call))
    assert response.status_code == 500
    assert "Secret" not in response.content.decode()


@pytest.mark.parametrize("permissions", [(), VIEW, READ])
def test_without_the_permission_nothing_opens(staff: Staff, call: ToolCall, permissions: tuple[str, ...]) -> None:
    client = staff(*permissions, as_nobody=True)
    for address in (LIST, page(call), f"{LIST}{call.pk}/history/"):
        assert client.get(address).status_code == 403
    assert not LogEntry.objects.exists()


def test_nobody_adds_changes_or_deletes_a_call(staff: Staff, call: ToolCall) -> None:
    client = staff()
    assert client.get(f"{LIST}add/").status_code == 403
    assert client.post(page(call), {"tool": "other", "state": "failed"}).status_code == 403
    assert client.post(f"{LIST}{call.pk}/delete/", {"post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [call.pk], "post": "yes"}
    client.post(LIST, chosen)
    call.refresh_from_db()
    assert (call.tool, call.state) == ("add_note", CallState.DONE)


def test_calls_are_found_by_person_tool_state_and_date(staff: Staff, call: ToolCall) -> None:
    other = exchange(ConversationFactory.create(user=UserFactory.create(email="other@example.net")), "Hello", "Hi")
    for position, (tool, state) in enumerate((("add_note", "failed"), ("list_tasks", "done"))):
        ToolCall.objects.create(message=other, user=other.user, position=position, tool=tool, state=state)
    client = staff(*MAY_SEE)

    def found(**asked: str | int) -> int:
        return len(read(client.get(LIST, asked).content.decode()).all("#result_list tbody tr"))

    assert found() == 3
    assert found(q="other@") == 2
    assert found(q=str(call.pk)) == 1
    assert found(tool="add_note") == 2
    assert found(tool="add_note", q="other@", state="failed") == 1
    assert found(state="done") == 2
    assert found(origin="mcp") == 0
    assert found(created_at__year=2026, created_at__month=3) == 1
    assert found(user__id__exact=str(other.user_id)) == 2
    assert found(message__conversation__id__exact=str(other.conversation_id)) == 2


@pytest.mark.parametrize(
    "question",
    ["arguments__contains=Secret", "result__text__contains=Added", "error__contains=broke", "tool__contains=a"],
)
def test_an_address_cannot_ask_what_was_said(staff: Staff, call: ToolCall, question: str) -> None:
    for client in (staff(*MAY_SEE), staff()):
        assert client.get(f"{LIST}?{question}").status_code == 400


def test_a_name_that_only_a_model_knows_is_no_word_of_a_list(staff: Staff, call: ToolCall) -> None:
    ToolCall.objects.filter(pk=call.pk).update(tool="the password is Secret milk", state="failed")
    html = staff().get(LIST).content.decode()
    assert "Secret" not in html
    assert "(no tool's name)" in html or "(no tool&#x27;s name)" in html


def test_pages_follow_each_other_however_many_calls_there_are(staff: Staff, answer: Message) -> None:
    ToolCall.objects.bulk_create(
        ToolCall(message=answer, user=answer.user, tool="add_note", state="done", position=number)
        for number in range(130)
    )
    client, address, seen = staff(*MAY_SEE), LIST, list[str]()
    while address:
        parts = read(client.get(address).content.decode())
        seen += [link["href"] for link in parts.all("#result_list tbody th a")]
        older = [link for link in parts.all("nav.keyset a") if link.words == "Older"]
        address = LIST + older[0]["href"] if older else ""
    assert len(set(seen)) == len(seen) == 130


# --- In the transcript ------------------------------------------------------------------------------------------------


def transcript(staff: Staff, message: Message) -> str:
    response = staff(*READ).get(f"/admin/conversations/conversation/{message.conversation_id}/change/")
    return response.content.decode()


def test_the_transcript_shows_what_was_done_and_what_came_of_it(staff: Staff, call: ToolCall, answer: Message) -> None:
    failed = ToolCall(tool="fly", arguments="{}", state=CallState.FAILED, error="There is no <b>wing</b>.")
    call.error = ""
    records = records_of(map(Step.of, (call, failed)))
    Message.objects.filter(pk=answer.pk).update(tool_calls=records)
    html = transcript(staff, answer)
    words = " ".join(read(html).text().split())
    assert "Add note · done after 2 s add_note" in words
    assert '{"title": "Secret milk"}' in words
    assert "Added to the errands <img src=x>" in words
    assert "Fly · failed" in words
    assert "<img src=x>" not in html
    assert "<b>wing" not in html


def test_the_transcript_shows_what_a_reply_that_waits_asks(staff: Staff, answer: Message) -> None:
    ToolCall.objects.create(message=answer, user=answer.user, tool="remove_task", state=CallState.WAITING)
    Generation.objects.filter(pk=answer.pk).update(status=Status.WAITING, rounds=1)
    assert "Remove task · needs approval" in " ".join(read(transcript(staff, answer)).text().split())


def test_the_transcript_is_bounded(staff: Staff, answer: Message) -> None:
    long = ToolCall(tool="add_note", arguments="x" * 10_000, state=CallState.DONE, result={"text": "y" * 10_000})
    Message.objects.filter(pk=answer.pk).update(tool_calls=[Step.of(long).record()] * 150)
    html = transcript(staff, answer)
    assert "50 more tool calls are in the export." in html
    assert len(html) < 600_000
