"""Old conversations are removed by `manage.py prune_conversations`; all that should stay, stays."""

import io
import itertools
import json
import resource
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from conversations.actions import feedback, turns
from conversations.models import Conversation, Feedback, Generation, Message, Status
from conversations.upkeep import locks, retention, seeding
from conversations.upkeep.retention import Rules
from tests.factories import ConversationFactory, ReplyFactory, UserFactory, exchange, long_chat


def prune(*arguments: str) -> str:
    """What the command writes."""
    output = io.StringIO()
    call_command("prune_conversations", *arguments, stdout=output, stderr=io.StringIO())
    return output.getvalue()


def chat(user: User, *, days: int, **fields: Any) -> Conversation:
    """A conversation of four messages, the last of which came so many days ago."""
    conversation = ConversationFactory.create(user=user)
    exchange(conversation, "Hello", "Good day")
    exchange(conversation, "And then?", "That is all")
    return aged(conversation, days=days, **fields)


def aged(conversation: Conversation, *, days: float, **fields: Any) -> Conversation:
    """The conversation, its last message so many days old."""
    Conversation.objects.filter(pk=conversation.pk).update(updated_at=timezone.now() - timedelta(days=days), **fields)
    return conversation


def left() -> set[Conversation]:
    return set(Conversation.objects.all())


@pytest.fixture
def seeded(db: None) -> list[Conversation]:
    """Thousands of messages of ten people; the conversations."""
    chance = Random(1)  # noqa: S311 (not a secret)
    list(seeding.fill(seeding.people(10, chance=chance), conversations=300, messages=5_000, chance=chance))
    assert Message.objects.count() == 5_000
    return list(Conversation.objects.all())


def test_what_is_old_goes_with_all_that_hangs_from_it_and_the_rest_stays(seeded: list[Conversation]) -> None:
    cutoff = timezone.now() - timedelta(days=90)
    keep = {found for found in seeded if found.updated_at >= cutoff or found.pinned_at}
    assert 50 < len(keep) < 250
    kept = dict.fromkeys(Message.objects.filter(conversation__in=keep).values_list("pk", "content"))
    assert f"Removed {300 - len(keep):,} conversations with {5_000 - len(kept):,} messages" in prune(
        "--older-than", "90d"
    )
    assert left() == keep
    assert dict.fromkeys(Message.objects.values_list("pk", "content")) == kept
    assert Generation.objects.count() == Message.objects.filter(role="assistant").count()
    assert not Feedback.objects.exclude(message__conversation__in=keep).exists()


def test_a_dry_run_says_how_much_of_whom_and_removes_nothing(seeded: list[Conversation]) -> None:
    told = json.loads(prune("--older-than", "90d", "--dry-run", "--json"))
    assert len(left()) == 300
    assert sum(share["messages"] for share in told["shares"]) == told["messages"]
    assert "Would remove" in prune("--older-than", "90d", "--dry-run")
    done = json.loads(prune("--older-than", "90d", "--json"))
    assert [done["conversations"], done["messages"]] == [told["conversations"], told["messages"]]
    assert json.loads(prune("--older-than", "90d", "--dry-run", "--json"))["shares"] == []


def test_a_dry_run_counts_bytes_by_person_and_month(user: User) -> None:
    conversation = aged(ConversationFactory.create(user=user), days=400)
    exchange(conversation, "Grüße", "Hi")
    aged(conversation, days=400).refresh_from_db()
    (share,) = json.loads(prune("--older-than", "1y", "--dry-run", "--json"))["shares"]
    month = f"{conversation.updated_at:%Y-%m}"
    assert share == {"email": user.email, "month": month, "conversations": 1, "messages": 2, "bytes": 9}


def test_it_goes_by_the_last_message_not_by_the_first(user: User) -> None:
    begun_long_ago = chat(user, days=1, created_at=timezone.now() - timedelta(days=900))
    chat(user, days=91)
    prune("--older-than", "90d")
    assert left() == {begun_long_ago}


def test_what_is_pinned_stays_unless_asked(user: User) -> None:
    pinned = chat(user, days=91, pinned_at=timezone.now())
    prune("--older-than", "90d")
    prune("--older-than", "90d", "--keep-pinned")
    assert left() == {pinned}
    prune("--older-than", "90d", "--no-keep-pinned")
    assert left() == set()


def test_a_conversation_with_a_running_reply_stays_unless_asked(user: User) -> None:
    conversation = ConversationFactory.create(user=user)
    ReplyFactory.create(
        conversation=conversation,
        generation__status=Status.RUNNING,
        generation__worker="somebody",
        generation__heartbeat_at=timezone.now(),
    )
    aged(conversation, days=91)
    prune("--older-than", "90d")
    assert left() == {conversation}
    prune("--older-than", "90d", "--include-running")
    assert left() == set()


def test_a_turn_that_was_just_stored_counts_as_running(user: User) -> None:
    turn = turns.send(user, text="Hello")
    aged(turn.conversation, days=0.5)
    prune("--older-than", "1h")
    assert left() == {turn.conversation}


def test_a_reply_that_nobody_made_for_a_day_keeps_nothing(user: User) -> None:
    conversation = ConversationFactory.create(user=user)
    ReplyFactory.create(conversation=conversation, generation__status=Status.INTERRUPTED)
    aged(conversation, days=91)
    prune("--older-than", "90d")
    assert left() == set()


def test_the_trash_is_emptied_past_its_days_pinned_or_not(user: User, settings: Settings) -> None:
    settings.CHAT_TRASH_DAYS = 7
    now = timezone.now()
    fresh = chat(user, days=9, trashed_at=now - timedelta(days=6))
    chat(user, days=9, trashed_at=now - timedelta(days=8), pinned_at=now)
    old = chat(user, days=100)
    prune("--trash-only")
    assert left() == {fresh, old}
    prune("--older-than", "90d")
    assert left() == {fresh}


def test_one_persons_conversations_can_be_pruned_alone(user: User, stranger: User) -> None:
    chat(user, days=91)
    others = chat(stranger, days=91)
    prune("--older-than", "90d", "--user", user.email.upper())
    assert left() == {others}


def test_the_setting_says_how_old_and_without_it_the_command_asks(user: User, settings: Settings) -> None:
    chat(user, days=31)
    with pytest.raises(CommandError, match="CHAT_RETENTION_DAYS"):
        prune()
    settings.CHAT_RETENTION_DAYS = 30
    prune()
    assert left() == set()


@pytest.mark.parametrize("age", ["soon", "90", "d", "-3d", "1.5y", "9999999y", "90 parsecs", ""])
@pytest.mark.django_db
def test_an_age_that_makes_no_sense_is_refused_with_a_sentence(age: str) -> None:
    with pytest.raises(CommandError, match="write"):
        prune(f"--older-than={age}")


@pytest.mark.parametrize(
    ("option", "value"), [("--batch-size", "0"), ("--batch-size", "many"), ("--user", "nobody@x.y")]
)
@pytest.mark.django_db
def test_other_nonsense_is_refused_with_a_sentence(option: str, value: str) -> None:
    with pytest.raises(CommandError, match="at least 1|No account has"):
        prune("--older-than", "90d", option, value)


def test_a_conversation_longer_than_a_batch_goes_in_several_transactions(user: User) -> None:
    conversation = ConversationFactory.create(user=user)
    long_chat(conversation, 250)
    aged(conversation, days=91)
    rules = Rules(before=timezone.now() - timedelta(days=90))
    (batch,) = retention.batches(rules, size=100)
    steps = retention.remove(batch, rules, size=100)
    assert next(steps).messages == 100
    assert Message.objects.count() == 150
    assert not Conversation.objects.owned_by(user).exists()
    assert not Conversation.objects.trash_of(user).exists()
    # The run is interrupted here; the next one has other rules, and removes the rest all the same.
    assert "1 conversations with 150 messages" in prune("--trash-only", "--batch-size", "60")
    assert not Message.objects.exists()


def test_batches_are_bounded_in_messages(seeded: list[Conversation]) -> None:
    rules = Rules(before=timezone.now())
    found = list(retention.batches(rules, size=100))
    assert all(sum(one.messages for one in batch) <= 100 or len(batch) == 1 for batch in found)
    assert len(found) > 40


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "change",
    [
        lambda conversation: turns.send(conversation.user, text="Still here?", conversation=conversation),
        lambda conversation: aged(conversation, days=91, pinned_at=timezone.now()),
        lambda conversation: aged(conversation, days=91, title="Renamed"),
        lambda conversation: feedback.rate(conversation.messages.newest_first()[0], rating="up"),
        lambda conversation: feedback.take_back(conversation.messages.newest_first()[0]),
    ],
)
def test_what_changes_after_it_was_found_stays(user: User, change: Callable[[Conversation], object]) -> None:
    conversation = chat(user, days=91)
    rules = Rules(before=timezone.now() - timedelta(days=90))
    (batch,) = retention.batches(rules)
    change(conversation)
    assert [removed.conversations for removed in retention.remove(batch, rules)] == [0]
    assert left() == {conversation}


@pytest.mark.django_db(transaction=True)
def test_what_somebody_uses_at_this_moment_is_not_waited_for() -> None:
    used, unused = (chat(UserFactory.create(), days=91) for _ in range(2))
    with psycopg.connect(**connection.get_connection_params()) as other:
        other.execute("SELECT FROM conversations_conversation WHERE id = %s FOR NO KEY UPDATE", [used.pk])
        assert "Removed 1 conversations" in prune("--older-than", "90d")
        assert left() == {used}
    assert unused not in left()


@pytest.mark.django_db(transaction=True)
def test_only_one_prune_runs_at_a_time() -> None:
    conversation = chat(UserFactory.create(), days=91)
    with locks.alone(retention.LOCK) as is_alone:
        assert is_alone
        with pytest.raises(CommandError, match="Another prune") as refused:
            prune("--older-than", "90d")
    assert refused.value.returncode == 4
    assert left() == {conversation}
    prune("--older-than", "90d")
    assert left() == set()


def test_a_run_ends_when_its_time_is_up_and_says_so_by_its_exit_code(user: User) -> None:
    for _ in range(3):
        chat(user, days=91)
    output = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command(
            "prune_conversations", "--older-than=90d", "--max-seconds=0", "--batch-size=4", "--json", stdout=output
        )
    assert ended.value.code == 3
    assert json.loads(output.getvalue())["ended"] == "time is up"
    assert len(left()) == 2
    prune("--older-than", "90d", "--max-seconds", "1min")
    assert left() == set()


@pytest.mark.django_db(transaction=True)
def test_its_time_is_up_with_an_archive_too(user: User, tmp_path: Path) -> None:
    chat(user, days=91)
    with pytest.raises(SystemExit) as ended:
        prune("--older-than=90d", "--max-seconds=0", f"--archive-to={tmp_path / 'old.zst'}")
    assert ended.value.code == 3


@pytest.fixture
def short_disk() -> Iterator[Callable[[int], None]]:
    """Lets files grow to so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.django_db(transaction=True)
def test_an_archive_that_cannot_grow_ends_the_run_and_what_is_gone_is_told(
    user: User, tmp_path: Path, short_disk: Callable[[int], None]
) -> None:
    for _ in range(3):
        chat(user, days=91)
    output, archive = io.StringIO(), tmp_path / "old.zst"
    with pytest.raises(SystemExit):
        prune("--older-than=90d", "--max-seconds=0", "--batch-size=4", f"--archive-to={archive}")
    # Room for one more batch, not for two.
    short_disk(archive.stat().st_size * 5 // 2)
    with pytest.raises(CommandError, match="nothing more was removed: .*File too large"):
        call_command(
            "prune_conversations", "--older-than=90d", "--batch-size=4", f"--archive-to={archive}", stdout=output
        )
    assert "Removed 1 conversations with 4 messages" in output.getvalue()
    assert "(failed)" in output.getvalue()
    assert len(left()) == 1


def test_a_database_that_fails_ends_the_run_with_a_sentence_and_what_is_gone_is_told(user: User) -> None:
    for _ in range(2):
        chat(user, days=91)
    output, removals = io.StringIO(), itertools.count()

    def fail(execute: Callable[..., object], sql: str, *rest: object) -> object:
        if sql.startswith('DELETE FROM "conversations_conversation"') and next(removals):
            raise OperationalError("the connection is lost\nDETAIL: (a row, what somebody said)")
        return execute(sql, *rest)

    with connection.execute_wrapper(fail), pytest.raises(CommandError) as refused:
        call_command("prune_conversations", "--older-than=90d", "--batch-size=4", stdout=output)
    assert str(refused.value) == "The database ended the command: the connection is lost"
    assert "Removed 1 conversations with 4 messages" in output.getvalue()
    assert "(failed)" in output.getvalue()
    assert len(left()) == 1
