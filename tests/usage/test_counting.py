"""What is counted of the replies, whenever and however often that is done, and what is kept of it."""

import io
from collections import Counter
from datetime import UTC, timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from conversations.actions import turns
from conversations.models import (
    Conversation,
    Generation,
    Grain,
    Measure,
    Status,
    Usage,
    UsageLatency,
    UsageMark,
    UsagePeople,
    UsagePresence,
)
from conversations.replies import leases
from conversations.transfer.imports import Import, Outcome
from conversations.transfer.writers import JsonWriter
from conversations.upkeep import erasure
from conversations.usage import buckets
from conversations.usage.counting import Counted, catch_up
from conversations.usage.reading import TIME_RANGES, report
from tests.usage.rows import DAY, HOUR, NOW, replies, some_times

COUNTED = Usage, UsageLatency, UsagePeople, UsagePresence


def stored() -> dict[str, Counter[tuple[object, ...]]]:
    """All that is counted, without keys."""
    return {
        model.__name__: Counter(
            model.objects.values_list(*(field.name for field in model._meta.fields if field.name != "id"))
        )
        for model in COUNTED
    }


def test_counting_again_changes_nothing(people: list[User]) -> None:
    replies(people, some_times(10, 100))
    catch_up(now=NOW, batch=10)
    days = report(TIME_RANGES[3], NOW)
    catch_up(now=NOW)
    assert report(TIME_RANGES[3], NOW) == days
    once = stored()
    catch_up(now=NOW)
    assert stored() == once
    UsageMark.objects.update(counted_to=NOW - 2 * DAY)
    catch_up(now=NOW, batch=7)
    assert stored() == once


def test_an_interrupted_count_goes_on_where_it_was(people: list[User]) -> None:
    replies(people, some_times(10, 100))
    assert catch_up(now=NOW, batch=10, seconds=0) is Counted.SOME
    counted = sum(Usage.objects.filter(grain=Grain.DAY).values_list("replies", flat=True))
    assert 0 < counted < 100
    assert UsageMark.objects.get().counted_to < NOW
    assert catch_up(now=NOW) is Counted.ALL
    assert sum(Usage.objects.filter(grain=Grain.DAY).values_list("replies", flat=True)) == 100


def test_a_reply_that_ends_late_is_counted_when_it_has_ended(people: list[User]) -> None:
    (late,) = replies(people[:1], [NOW - HOUR], status=Status.RUNNING)
    catch_up(now=NOW)
    assert report(TIME_RANGES[0], NOW).whole.turns == 0
    Generation.objects.filter(pk=late.pk).update(status=Status.COMPLETE)
    catch_up(now=NOW + HOUR)
    assert report(TIME_RANGES[0], NOW).whole.turns == 1


def test_what_is_said_here_is_counted_however_it_ends(user: User, settings: Settings) -> None:
    answered = turns.send(user, text="Hello").reply
    claim = leases.claim(answered.pk, worker="one")
    assert claim
    spoken_at = timezone.now()
    outcome = leases.Outcome(
        Status.COMPLETE, "Good day", model="m", prompt_tokens=20, completion_tokens=3, first_token_at=spoken_at
    )
    assert leases.finish(answered.pk, outcome, worker="one", user_id=user.pk)
    turns.stop(turns.send(user, text="Never mind").reply)
    turns.send(user, text="This one is still to come")
    settings.CHAT_REPLIES_PER_USER = 1
    turns.send(user, text="One too many")
    catch_up()
    found = report(TIME_RANGES[0], timezone.now().astimezone(UTC)).whole
    assert (found.turns, found.people, found.tokens) == (3, 1, 23)
    assert found.failed == {"too_many_replies": 1}
    assert set(found.times) == {Measure.ADDED, Measure.FIRST_TOKEN}


@pytest.mark.parametrize("status", [Status.COMPLETE, Status.FAILED, Status.STOPPED])
def test_what_is_imported_is_not_counted(people: list[User], status: Status) -> None:
    unasked = {} if status == Status.COMPLETE else {"started_at": None}
    replies(people[:1], [NOW - HOUR], status=status, **unasked)
    file, writer = io.BytesIO(), JsonWriter()
    writer.begin(file)
    writer.add(Conversation.objects.get(user=people[0]), file)
    writer.end(file)
    erasure.erase(people[0])
    file.seek(0)
    (result,) = Import(people[1], file).results()
    assert result.outcome is Outcome.IMPORTED
    assert Generation.objects.get().started_at
    catch_up(now=NOW)
    assert not Usage.objects.exists()


def test_what_was_stored_elsewhere_is_not_counted(people: list[User]) -> None:
    replies(people, some_times(1, 3), heartbeat_at=None)
    replies(people, some_times(1, 4), heartbeat_at=None, started_at=None, status=Status.COMPLETE)
    catch_up(now=NOW)
    assert not Usage.objects.exists()


def test_a_reply_that_was_refused_before_a_model_was_asked_is_counted(people: list[User]) -> None:
    unasked = {"heartbeat_at": None, "started_at": None, "first_token_at": None, "model": ""}
    replies(people, some_times(1, 3), status=Status.FAILED, error_code="too_many_replies", **unasked)
    catch_up(now=NOW)
    found = report(TIME_RANGES[1], NOW)
    assert found.whole.failed == {"too_many_replies": 3}
    assert found.whole.times == {}


def test_a_reply_that_waited_to_be_looked_at_adds_no_latency(people: list[User]) -> None:
    for wait in (timedelta(minutes=1), timedelta(minutes=2)):
        replies(people[:1], [NOW - HOUR], started_at=NOW - HOUR + wait, first_token_at=None)
    catch_up(now=NOW)
    found = UsageLatency.objects.get(grain=Grain.DAY, measure=Measure.ADDED, model=None)
    assert found.replies == 1
    assert buckets.milliseconds(found.bucket) == pytest.approx(60_000, rel=buckets.RELATIVE_ERROR)


def test_counts_stay_and_presence_goes_when_a_person_is_erased(people: list[User]) -> None:
    replies(people, some_times(5, 50, until=NOW - 4 * HOUR))
    catch_up(now=NOW)
    before = report(TIME_RANGES[2], NOW)
    receipt = erasure.erase(people[0])
    assert receipt.removed["conversations.UsagePresence"]
    assert not UsagePresence.objects.filter(user=people[0].pk).exists()
    catch_up(now=NOW + HOUR)
    after = report(TIME_RANGES[2], NOW)
    assert (after.whole.turns, after.whole.people) == (before.whole.turns, 5)


def test_what_is_old_is_kept_by_days_only(people: list[User]) -> None:
    replies(people, some_times(150, 200))
    catch_up(now=NOW, batch=20)
    for model in (Usage, UsageLatency, UsagePeople, UsagePresence):
        hours = model.objects.filter(grain=Grain.HOUR).order_by("began_at")
        assert hours[0].began_at > NOW - 5 * DAY
    assert UsagePresence.objects.order_by("began_at")[0].began_at > NOW - 100 * DAY
    assert Usage.objects.order_by("began_at")[0].began_at < NOW - 140 * DAY


def test_operators_count_by_a_command(people: list[User]) -> None:
    replies(people, some_times(10, 30, until=timezone.now()))
    output = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("aggregate_usage", max_seconds=0, batch_size=5, stdout=output)
    assert ended.value.code == 3
    call_command("aggregate_usage", stdout=output)
    assert "Counted up to 20" in output.getvalue()
    assert report(TIME_RANGES[2], timezone.now().astimezone(UTC)).whole.turns == 30
