"""What operators do for one person, and what they can count: erase_user, export_user, usage."""

import csv
import io
import json
import logging
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone

from accounts import access_tokens
from accounts.models import AccessToken, User
from chatbot.telemetry.logs import JSONFormatter
from conversations.models import Conversation, Feedback, Message, Preset, ReplyRound, Status, ToolCall
from conversations.upkeep import erasure
from tasks import actions as task_actions
from tests.factories import ConversationFactory, PresetFactory, ReplyFactory, UserFactory, exchange

pytestmark = pytest.mark.django_db(transaction=True)


def run(name: str, *arguments: str | Path) -> str:
    output = io.StringIO()
    call_command(name, *map(str, arguments), stdout=output, stderr=output)
    return output.getvalue()


def logged(staff: User, about: Any) -> LogEntry:
    return LogEntry.objects.create(
        user=staff,
        content_type=ContentType.objects.get_for_model(about),
        object_id=str(about.pk),
        object_repr=str(about),
        change_message="Changed something private",
        action_flag=CHANGE,
    )


@pytest.fixture
def full(user: User, stranger: User) -> User:
    """A person of whom there is something everywhere; the stranger is staff, and has a conversation too."""
    for text in ("Private", "Secret"):
        answer = exchange(ConversationFactory.create(user=user, title=text), f"{text} question", f"{text} answer")
        Feedback.objects.create(message=answer, user=user, rating="up")
        ReplyRound.objects.create(message=answer, user=user, number=0, text=f"{text} round")
        ToolCall.objects.create(message=answer, user=user, tool="look_up", result={"text": f"{text} result"})
    ToolCall.objects.create(user=user, origin="mcp", tool="look_up", arguments='{"for": "Secret"}')
    ReplyFactory.create(conversation=answer.conversation, generation__status=Status.RUNNING)
    Conversation.objects.filter(title="Private").update(trashed_at=timezone.now())
    Conversation.objects.filter(title="Secret").update(pinned_at=timezone.now())
    EmailAddress.objects.create(user=user, email=user.email, primary=True)
    for person in (user, stranger):
        access_tokens.make(person, name="Script")
        PresetFactory.create(user=person, name=f"Preset of {person.email}")
        task_actions.add(person, title="Private task" if person == user else "Their task")
        # As allauth counts who changes a password.
        cache.set(f"allauth:rl:allauth.account:change_password:5/60/user:user:{person.pk}", [1.0])
    PresetFactory.create(user=None, name="Shared")
    Client().force_login(user)
    Client().force_login(stranger)
    logged(stranger, user)
    logged(stranger, answer.conversation)
    logged(stranger, answer)
    exchange(ConversationFactory.create(user=stranger, title="Theirs"), "Their question", "Their answer")
    return user


def text_of_the_database() -> str:
    """All that is in any table, but for the migrations."""
    with connection.cursor() as cursor:
        texts = []
        for table in connection.introspection.table_names(cursor):
            if table != "django_migrations":
                cursor.execute(f"SELECT row::text FROM {connection.ops.quote_name(table)} AS row")  # noqa: S608
                texts += [text for (text,) in cursor.fetchall()]
        return "\n".join(texts)


def test_the_log_of_somebody_with_a_longer_address_stays(user: User, stranger: User) -> None:
    User.objects.filter(pk=user.pk).update(email="b@example.co")
    User.objects.filter(pk=stranger.pk).update(email="bob@example.com")
    user.refresh_from_db()
    stranger.refresh_from_db()
    about = logged(stranger, stranger)
    LogEntry.objects.create(user=stranger, action_flag=CHANGE, object_repr="b@example.co", change_message="x")
    run("erase_user", user.email)
    about.refresh_from_db()
    assert about.object_repr == "bob@example.com"
    assert not LogEntry.objects.filter(change_message="x").exists()


def test_nothing_of_an_erased_person_is_left_anywhere(full: User, stranger: User, tmp_path: Path) -> None:
    receipt = tmp_path / "receipt.json"
    said = run("erase_user", full.email.upper(), "--receipt", receipt)
    assert "Nothing is left" in said
    left = text_of_the_database()
    for trace in (str(full.pk), full.email, "Private", "Secret", "something private"):
        assert trace not in left
    assert list(User.objects.all()) == [stranger]
    assert Session.objects.count() == 1
    assert set(Preset.objects.values_list("user", flat=True)) == {stranger.pk, None}
    assert str(stranger.pk) in left
    assert Message.objects.count() == 2
    assert {(entry.user, entry.object_repr) for entry in LogEntry.objects.all()} == {(stranger, "(erased)")}
    assert receipt.stat().st_mode & 0o077 == 0
    assert list(tmp_path.iterdir()) == [receipt]
    written = json.loads(receipt.read_text())
    assert written["email"] == full.email
    assert written["removed"] == {
        "accounts.AccessToken": 1,
        "accounts.User": 1,
        "accounts_cache": 1,
        "account.EmailAddress": 1,
        "admin.LogEntry": 3,
        "conversations.Conversation": 2,
        "conversations.Message": 5,
        "conversations.Generation": 3,
        "conversations.Feedback": 2,
        "conversations.Preset": 1,
        "conversations.ReplyRound": 2,
        "conversations.ToolCall": 3,
        "sessions.Session": 1,
        "tasks.Task": 1,
        "tasks.TaskList": 1,
    }


def test_a_second_run_writes_the_receipt_of_both(full: User, tmp_path: Path) -> None:
    receipt = tmp_path / "receipt.json"

    def fail(execute: Callable[..., object], sql: str, *rest: object) -> object:
        if sql.startswith('DELETE FROM "accounts_user"'):
            raise OperationalError("away")
        return execute(sql, *rest)

    with connection.execute_wrapper(fail), pytest.raises(CommandError, match="The database ended the command: away"):
        run("erase_user", full.email, "--receipt", receipt)
    assert not receipt.exists()
    # The first run has removed what goes before the account.
    assert not Session.objects.filter(pk__in=erasure.sessions(full)).exists()
    with pytest.raises(CommandError, match=f"the interrupted removal of {full.email}"):
        run("erase_user", User.objects.exclude(pk=full.pk).get().email, "--receipt", receipt)
    run("erase_user", full.email, "--receipt", receipt)
    removed = json.loads(receipt.read_text())["removed"]
    assert [removed[f"conversations.{name}"] for name in ("Conversation", "Message")] == [2, 5]
    assert [removed["sessions.Session"], removed["admin.LogEntry"], removed["accounts_cache"]] == [1, 3, 1]
    assert list(tmp_path.iterdir()) == [receipt]


def test_what_is_not_reached_is_said_the_sites_own_logs_first(full: User, capsys: pytest.CaptureFixture[str]) -> None:
    key = str(full.pk)
    said = run("erase_user", full.email)
    assert f"the site's own logs, whose lines name the person as {key}" in said
    for place in ("logs of proxies", "backups", "archives", "Sentry", "provider"):
        assert place in said
    # The line that the documents look for with grep is written so.
    logger = logging.getLogger("chatbot.access")
    record = logger.makeRecord(logger.name, logging.INFO, "", 0, "GET /", (), None, extra={"own": {"user_id": key}})
    assert f'"user_id": "{key}"' in JSONFormatter(frank=False).format(record)


def test_a_dry_run_removes_nothing(full: User) -> None:
    before = text_of_the_database()
    assert "conversations.Message" in run("erase_user", full.email, "--dry-run")
    assert text_of_the_database() == before


def test_nobody_is_erased_when_the_receipt_cannot_be_written(full: User, tmp_path: Path) -> None:
    (tmp_path / "receipt.json").write_text("that of somebody else")
    with pytest.raises(CommandError, match="nothing was removed"):
        run("erase_user", full.email, "--receipt", tmp_path / "receipt.json")
    with pytest.raises(CommandError, match="No account has"):
        run("erase_user", "nobody@example.org")
    assert User.objects.filter(pk=full.pk, is_active=True).exists()


def test_every_table_with_a_foreign_key_that_leads_to_a_person_is_looked_at(full: User) -> None:
    """What the database itself says, held against what was found from the models."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH RECURSIVE near AS (
                SELECT 'accounts_user'::regclass::oid AS name
                UNION SELECT conrelid FROM pg_constraint JOIN near ON confrelid = name WHERE contype = 'f'
            ) SELECT name::regclass::text FROM near
            """
        )
        tables = {table for (table,) in cursor.fetchall()}
    from django.apps import apps

    names = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
    found = {model._meta.db_table for model, _ in erasure.belongings(full)}
    assert tables & names <= found
    assert len(found) > 8


def test_an_export_holds_everything_of_the_person_and_nothing_of_others(full: User, tmp_path: Path) -> None:
    file = tmp_path / "person.zip"
    assert "Wrote 2 conversations" in run("export_user", full.email, file)
    assert file.stat().st_mode & 0o077 == 0
    with zipfile.ZipFile(file) as archive:
        document = json.loads(archive.read("conversations.json"))
        records = json.loads(archive.read("records.json"))
        with zipfile.ZipFile(io.BytesIO(archive.read("conversations.zip"))) as texts:
            names = texts.namelist()
        whole = b"".join(archive.read(name) for name in archive.namelist()).decode(errors="replace")
    assert {conversation["title"] for conversation in document["conversations"]} == {"Private", "Secret"}
    assert sum(len(conversation["messages"]) for conversation in document["conversations"]) == 5
    assert len(names) == 2
    assert records["accounts.User"][0]["email"] == full.email
    assert [token["name"] for token in records["accounts.AccessToken"]] == ["Script"]
    assert [task["title"] for task in records["tasks.Task"]] == ["Private task"]
    assert AccessToken.objects.get(user=full).digest not in whole
    assert [list(session) for session in records["sessions.Session"]] == [["expire_date"]]
    entries = records["admin.LogEntry (about the person)"]
    assert [entry["content_type__model"] for entry in entries] == ["user", "conversation", "message"]
    assert records["account.EmailAddress"][0]["email"] == full.email
    assert "password" not in records["accounts.User"][0]
    assert "Their question" not in whole
    with pytest.raises(CommandError, match="already exists"):
        run("export_user", full.email, file)


@pytest.mark.parametrize("by", ["user", "model", "day"])
def test_usage_adds_up_replies_and_tokens(by: str) -> None:
    people = [UserFactory.create(email=f"{name}@example.org") for name in ("ada", "bob")]
    now = timezone.now()
    for user, model, tokens in ((people[0], "large", 10), (people[0], "small", 20), (people[1], "small", 30)):
        ReplyFactory.create(
            conversation=ConversationFactory.create(user=user),
            created_at=now,
            generation__model=model,
            generation__prompt_tokens=tokens,
            generation__completion_tokens=1,
        )
    ReplyFactory.create(
        conversation=ConversationFactory.create(user=people[1]),
        created_at=now,
        generation__model="small",
        generation__status=Status.FAILED,
    )
    old = ConversationFactory.create(updated_at=now - timedelta(days=40))
    ReplyFactory.create(conversation=old, created_at=old.updated_at, generation__prompt_tokens=1_000_000)
    today = str(timezone.localdate(now))
    expected = {
        "user": {"ada@example.org": [1, 2, 2, 0, 30, 2], "bob@example.org": [1, 2, 2, 1, 30, 1]},
        "model": {"large": [1, 1, 1, 0, 10, 1], "small": [2, 3, 3, 1, 50, 2]},
        "day": {today: [2, 4, 4, 1, 60, 3]},
    }[by]
    head = [by, "people", "conversations", "replies", "failed", "prompt_tokens", "completion_tokens"]
    rows = json.loads(run("usage", "--by", by, "--json"))
    assert {row.pop(by): list(row.values()) for row in rows} == expected
    assert list(csv.reader(io.StringIO(run("usage", "--by", by, "--csv")))) == [
        head,
        *([key, *map(str, counts)] for key, counts in expected.items()),
    ]
    assert run("usage", "--by", by).split() == [
        *head,
        *(str(word) for key in expected for word in (key, *expected[key])),
    ]
    assert "1000000" in run("usage", "--since", str((timezone.now() - timedelta(days=50)).date()), "--csv")
    with pytest.raises(CommandError, match="neither a date"):
        run("usage", "--since=yesteryear")
