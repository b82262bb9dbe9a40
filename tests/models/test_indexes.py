"""Every query of the design is served by an index, on tables that are large enough for the planner to care."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import urljoin

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import rates
from accounts.backends import AccountBackend, columns
from accounts.models import AccessToken, User
from accounts.sessions import SessionStore
from accounts.staff_lists.filters import BoundedFilter, ColumnFilter
from chatbot.core.cursors import Cursor, microseconds
from conversations.actions import branches, turn_rows
from conversations.admin import searching
from conversations.admin.filters import RowFilter
from conversations.models import Conversation, Feedback, Generation, Message, Preset, Role, Status, ToolCall, paths
from conversations.pages import lists
from conversations.replies import context, earlier, leases, reply_rows
from conversations.transfer import exports
from conversations.upkeep.retention import Rules
from conversations.usage import limits
from tasks import lists as lists_of_tasks
from tasks import positions
from tasks.lists import Show
from tasks.models import Task
from tests.factories import UserFactory

USERS, STRANGERS = 20, 4_000
CONVERSATIONS = 8_000
ALMOST_ALL = timedelta(minutes=CONVERSATIONS - 100)
"""One conversation a minute: the time of all but the oldest hundred."""
MESSAGES_EACH = 6

FILL = """
INSERT INTO conversations_conversation (id, user_id, title, created_at, updated_at)
SELECT gen_random_uuid(), people.keys[1 + number %% cardinality(people.keys)], 'Title ' || number,
    now() - number * interval '1 minute', now() - number * interval '1 minute'
FROM generate_series(1, %(conversations)s) AS number, (SELECT array_agg(id) AS keys FROM accounts_user) AS people
ORDER BY md5(number::text);

ANALYZE accounts_user, conversations_conversation;

UPDATE conversations_conversation SET
    pinned_at = CASE WHEN hash %% 97 = 0 THEN updated_at END,
    archived_at = CASE WHEN hash %% 5 = 0 THEN updated_at END,
    trashed_at = CASE WHEN hash %% 7 = 0 THEN updated_at - hash %% 60 * interval '1 day' END
FROM (SELECT id AS key, abs(hashtext(id::text)) AS hash FROM conversations_conversation) AS hashed WHERE id = key;

INSERT INTO conversations_message (id, conversation_id, user_id, role, content, created_at)
SELECT gen_random_uuid(), id, user_id, CASE WHEN turn %% 2 = 0 THEN 'user' ELSE 'assistant' END, 'Text',
    created_at + turn * interval '1 second'
FROM conversations_conversation, generate_series(0, %(messages)s - 1) AS turn;

ANALYZE conversations_message;

UPDATE conversations_message AS reply SET parent_id = asked.id
FROM conversations_message AS asked
WHERE asked.conversation_id = reply.conversation_id AND asked.created_at = reply.created_at - interval '1 second';

INSERT INTO conversations_generation
    (message_id, conversation_id, status, model, draft, worker, error_code, error_detail, error)
SELECT id, conversation_id, 'complete', '', '', '', '', '', '' FROM conversations_message WHERE role = 'assistant';

INSERT INTO conversations_feedback (message_id, user_id, rating, comment, created_at, updated_at)
SELECT id, user_id, 'up', '', created_at, created_at FROM conversations_message WHERE role = 'assistant';

INSERT INTO conversations_toolcall
    (id, message_id, user_id, origin, round, position, place, provider_id, tool, arguments, state, worker, error,
    decision, created_at)
SELECT gen_random_uuid(), id, user_id, 'chat', 0, 0, 0, '', 'tool_' || abs(hashtext(id::text)) %% 50, '', 'done', '',
    '', '', created_at
FROM conversations_message WHERE role = 'assistant';

INSERT INTO conversations_preset (id, user_id, name)
SELECT gen_random_uuid(), people.keys[1 + number %% cardinality(people.keys)], 'Preset ' || number
FROM generate_series(1, %(strangers)s) AS number, (SELECT array_agg(id) AS keys FROM accounts_user) AS people;

INSERT INTO tasks_task
    (id, user_id, title, description, position, created_at, updated_at, due, completed_at, deleted_at)
SELECT gen_random_uuid(), people.keys[1 + number %% cardinality(people.keys)], 'Task', '', number,
    now() - number * interval '1 minute', now(),
    current_date + abs(hashtext(number::text)) %% 7 - 3, CASE WHEN number %% 3 = 0 THEN now() END,
    CASE WHEN number %% 11 = 0 THEN now() - number %% 60 * interval '1 hour' END
FROM generate_series(1, %(conversations)s) AS number, (SELECT array_agg(id) AS keys FROM accounts_user) AS people
ORDER BY md5(number::text);

INSERT INTO accounts_user (id, email, password, is_superuser, is_staff, is_active, date_joined)
SELECT gen_random_uuid(), number || '@example.net', '', false, false, true, now()
FROM generate_series(1, %(strangers)s) AS number;

INSERT INTO tasks_tasklist (user_id, version) SELECT id, 1 FROM accounts_user;

INSERT INTO accounts_accesstoken
    (id, user_id, name, digest, beginning, is_read_only, created_at, window_began_at, requests)
SELECT gen_random_uuid(), people.keys[1 + number %% cardinality(people.keys)], 'Token', md5(number::text), 'chat_',
    false, now(), now(), 0
FROM generate_series(1, %(strangers)s) AS number, (SELECT array_agg(id) AS keys FROM accounts_user) AS people;

INSERT INTO auth_group (name) SELECT 'Group ' || number FROM generate_series(1, 500) AS number;

INSERT INTO accounts_user_groups (user_id, group_id)
SELECT member.id, named.id FROM (SELECT id FROM accounts_user LIMIT %(strangers)s / 2) AS member,
    (SELECT id FROM auth_group LIMIT 2) AS named;

INSERT INTO conversations_usagelimit (id, user_id, period, messages)
SELECT gen_random_uuid(), id, 'day', 50 FROM accounts_user;

INSERT INTO conversations_usagelimit (id, group_id, period, messages)
SELECT gen_random_uuid(), id, 'day', 50 FROM auth_group;

INSERT INTO conversations_turnwindow (user_id, began_at, turns, messages_on)
SELECT id, now(), 1, current_date FROM accounts_user;

INSERT INTO accounts_requestwindow (user_id, began_at, requests) SELECT id, now(), 1 FROM accounts_user;

INSERT INTO django_admin_log (user_id, object_id, object_repr, action_flag, change_message, action_time)
SELECT user_id, id, '', 1 + abs(hashtext(id::text)) %% 4, '', created_at FROM conversations_conversation;

INSERT INTO django_session (session_key, session_data, expire_date)
SELECT md5(number::text), '', now() + interval '1 day' FROM generate_series(1, %(strangers)s) AS number;

ANALYZE accounts_user, django_session, conversations_conversation, conversations_message, conversations_generation,
    conversations_feedback, conversations_toolcall, conversations_preset, accounts_accesstoken, accounts_requestwindow,
    auth_group, accounts_user_groups, conversations_usagelimit, conversations_turnwindow, django_admin_log, tasks_task,
    tasks_tasklist;
"""


@pytest.fixture(scope="module", autouse=True)
def large_tables(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Many people's conversations, taken away at the end. They lie in no order, as conversations do that go on: a plan
    that hangs on their order would be another one with each room that a test before has left in the table."""
    with django_db_blocker.unblock():
        UserFactory.create_batch(USERS)
        with connection.cursor() as cursor:
            counts = {"conversations": CONVERSATIONS, "messages": MESSAGES_EACH, "strangers": STRANGERS}
            cursor.execute(FILL, counts)
        yield
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE accounts_user, auth_group, django_session CASCADE")
        connection.close()


pytestmark = pytest.mark.django_db


def some_conversation() -> Conversation:
    return Conversation.objects.filter(trashed_at=None).select_related("user").latest("created_at")


def somebody() -> User:
    return some_conversation().user


def some_message() -> Message:
    return some_conversation().messages.oldest_first().all()[3]


def page_of(name: str, *, further: bool = False) -> QuerySet[Conversation]:
    kind = lists.LISTINGS[name]
    found = kind.find(somebody()).order_by(f"-{kind.by}", "-id")
    return found.after(some_conversation().cursor if further else None, by=kind.by)[:51]


def tasks_of(show: Show, *, further: bool = False) -> QuerySet[Task]:
    tasks = lists_of_tasks.shown(somebody(), show, today=timezone.localdate())
    if not further:
        return tasks[:101]
    last = list(tasks[:10])[-1]
    place = last.place_among_done if show is Show.DONE else last.place
    return lists_of_tasks.after(tasks, show, place)[:101]


QUERIES: dict[str, Callable[[], QuerySet[Any]]] = {
    "the sidebar": lambda: lists.sidebar(somebody(), None),
    "the sidebar after a cursor": lambda: lists.sidebar(somebody(), some_conversation().cursor),
    **{f"the first page of {name}": partial(page_of, name) for name in lists.LISTINGS},
    **{f"the next page of {name}": partial(page_of, name, further=True) for name in lists.LISTINGS},
    "pinned conversations": lambda: Conversation.objects.owned_by(somebody()).pinned(),
    "old trash": lambda: Conversation.objects.past_trash_days(),
    "a user's conversations by creation": lambda: Conversation.objects.owned_by(somebody()).order_by("-created_at")[
        :30
    ],
    "the next conversations of an export": lambda: exports.in_order(
        Conversation.objects.owned_by(somebody()), Cursor(some_conversation().created_at, some_conversation().pk)
    )[:50],
    "a conversation's messages in order": lambda: some_conversation().messages.oldest_first(),
    "a conversation's last message": lambda: some_conversation().messages.newest_first()[:1],
    "a user's messages": lambda: Message.objects.owned_by(somebody()).order_by("-created_at")[:50],
    "alternatives of a message": lambda: Message.objects.filter(parent=some_message().parent_id),
    "the messages of a branch with their alternatives": lambda: (
        Message.objects.filter(pk__in=paths.upwards(some_conversation(), some_message().pk, 51))
        .select_related("generation")
        .with_alternatives()
    ),
    "the messages of a branch before another": lambda: Message.objects.filter(
        pk__in=paths.before(some_conversation(), some_message().pk, 51)
    ),
    "the replies of a branch": lambda: Generation.objects.filter(
        pk__in=paths.upwards(some_conversation(), some_message().pk, 50), window_start__isnull=False
    ),
    "old conversations": lambda: Conversation.objects.filter(updated_at__lt=timezone.now() - ALMOST_ALL),
    **{
        f"what is to be removed, by {column}": partial(
            lambda walk, column: walk.order_by(column, "pk")[:500], walk, column
        )
        for walk, column in Rules(before=timezone.now() - ALMOST_ALL).walks()
    },
    "conversations by date": lambda: Conversation.objects.filter(created_at__gt=timezone.now() - timedelta(minutes=60)),
    "feedback, newest first": lambda: Feedback.objects.order_by("-updated_at")[:100],
    "feedback of a message": lambda: Feedback.objects.filter(pk=some_message().pk),
    "the presets that a person may use": lambda: Preset.objects.usable_by(somebody()),
    "a person's access tokens": lambda: AccessToken.objects.owned_by(somebody()).newest_first(),
    **{f"a person's tasks: {show}": partial(tasks_of, show) for show in Show},
    **{f"the next page of a person's tasks: {show}": partial(tasks_of, show, further=True) for show in Show},
    "the number of a person's open tasks": lambda: Task.objects.owned_by(somebody()).open(),
    "a person's deleted tasks": lambda: Task.objects.deleted_by(somebody()),
    "deleted tasks past their day": lambda: Task.objects.expired().order_by("deleted_at")[:100],
    "a person's tool calls": lambda: ToolCall.objects.owned_by(somebody()).newest_first()[:31],
    "a person's tool calls after a cursor": lambda: (
        ToolCall.objects.owned_by(somebody())
        .newest_first()
        .after(Cursor(some_message().created_at, some_message().pk))[:31]
    ),
    "the tool calls that wait for a person": lambda: ToolCall.objects.owned_by(somebody()).undecided().newest_first(),
    "the tool calls of a reply": lambda: ToolCall.objects.filter(message=some_message()).in_order(),
    "open replies": lambda: Generation.objects.open(),
    "open replies that nobody makes": lambda: Generation.objects.without_worker(),
    "a conversation's open reply": lambda: some_conversation().generations.open(),
}


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("the sidebar", "conversation_user_listed"),
        ("the sidebar", "conversation_user_pinned"),
        ("the first page of conversations", "conversation_user_listed"),
        ("the first page of archive", "conversation_user_archived"),
        ("the first page of trash", "conversation_user_trashed"),
        ("old trash", "conversation_trashed"),
    ],
)
def test_the_list_reads_its_own_index(name: str, index: str) -> None:
    queryset = QUERIES[name]()
    with connection.cursor() as cursor:
        # A person of this table has few enough to be sorted; one who has many has not.
        cursor.execute("SET LOCAL enable_sort = off; SET LOCAL enable_incremental_sort = off")
    assert f'"Index Name": "{index}"' in json.dumps(explain(queryset))


@pytest.mark.parametrize("name", QUERIES)
def test_the_query_scans_no_whole_table(name: str) -> None:
    assert not sequential_scans(explain(QUERIES[name]()))


def test_counting_a_conversations_messages_scans_no_whole_table() -> None:
    messages = some_conversation().messages.all()
    with CaptureQueriesContext(connection) as captured:
        messages.count()
    assert not sequential_scans(explain_sql(captured.captured_queries[0]["sql"]))


STATEMENTS: dict[str, Callable[[Message], object]] = {
    "a turn's admission": lambda reply: turn_rows.admit(reply.user, reply.conversation),
    "a turn's look at open replies and the end of the branch": lambda reply: turn_rows.open_replies_and_end(
        reply.user, reply.conversation
    ),
    "the messages that the model sees": context.window_for,
    "the tool calls that the model sees": lambda reply: earlier.read([reply.pk], most=100),
    "a message's place on a branch": lambda reply: paths.place(reply.conversation, reply.pk, reply.pk, below=25),
    "the end of a branch": lambda reply: paths.last_end(reply.conversation, reply.pk),
    "going to another branch": branches.choose,
    "the claim of a reply": lambda reply: leases.claim(reply.pk, worker="worker"),
    "a checkpoint": lambda reply: leases.checkpoint([leases.Draft(reply.pk, "worker", "text")]),
    "the end of a reply": lambda reply: leases.finish(
        reply.pk, leases.Outcome(Status.COMPLETE, "text", tokens=9), worker="worker", user_id=reply.user_id
    ),
    "the limits of a person": lambda reply: limits.limits_of(reply.user),
    "the tokens of a completion": lambda reply: limits.count_tokens(reply.user_id, 9, unless=reply.pk),
    "whose a reply is": lambda reply: reply_rows.is_owned(reply.user, reply.pk),
    "a reply for its last event": lambda reply: reply_rows.find(reply.user, reply.pk),
    "a look at a reply": lambda reply: leases.progress_of([reply.pk]),
    "who is signed in": lambda reply: AccountBackend().get_user(reply.user_id),
    "whom an access token stands for": lambda reply: rates.count_token(
        "c4ca4238a0b923820dcc509a6f75849b", columns()[1]
    ),
    "a request with another token": lambda reply: rates.count_person(reply.user),
    "the numbers of a person's tasks": lambda reply: lists_of_tasks.counts(reply.user, today=timezone.localdate()),
    "whether a list of tasks has changed": lambda reply: lists_of_tasks.version(reply.user),
    "the lock of a list of tasks": lambda reply: lists_of_tasks.change(reply.user_id),
    "the place of a new task": lambda reply: positions.first(reply.user_id),
    "a session": lambda reply: SessionStore("a" * 32).load(),
}
"""What does not come from a queryset, or from one that cannot be had: explained as it was run."""


@pytest.mark.parametrize("name", STATEMENTS)
def test_the_statement_scans_no_whole_table(name: str) -> None:
    newest_first = some_conversation().messages.newest_first()
    reply = newest_first.filter(role=Role.ASSISTANT).select_related("user", "conversation")[0]
    with CaptureQueriesContext(connection) as captured:
        STATEMENTS[name](reply)
    assert captured.captured_queries
    for query in captured.captured_queries:
        if "SAVEPOINT" in query["sql"]:
            continue
        assert not sequential_scans(explain_sql(query["sql"])), query["sql"]


ADMIN_PAGES = (
    "conversation/",
    "conversation/?p={place}",
    "conversation/?q={email}",
    "conversation/?user__id__exact={user}",
    "conversation/?updated_at__year={year}",
    "conversation/?state=pinned",
    "conversation/?last_error=no_such_code&last_status=complete&last_model=small",
    "conversation/?feedback=down",
    "conversation/?size=1000",
    "conversation/{conversation}/change/",
    "conversation/{conversation}/change/?at={reply}",
    "conversation/{conversation}/delete/",
    "conversation/{conversation}/history/",
    "conversation/search/?q=text",
    "conversation/search/?q=text&from=2026-01-01&to=2026-06-01&t={place}",
    "conversation/search/?q=nowhere&email={email}&from=2026-01-01",
    "message/",
    "message/?p={place_of_reply}",
    "message/?q={email}",
    "message/?conversation__id__exact={conversation}",
    "message/?role=system",
    "generation/",
    "generation/?p={reply}",
    "generation/?q={email}",
    "generation/?message__conversation__id__exact={conversation}",
    "generation/?error_code=provider_down",
    "generation/?status=failed&model=small",
    "feedback/",
    "feedback/?p={place_of_reply}",
    "feedback/?q={email}",
    "feedback/?rating=down&comment=yes",
    "/admin/tasks/task/",
    "/admin/tasks/task/?p={place}",
    "/admin/tasks/task/?q={email}",
    "/admin/tasks/task/?user__id__exact={user}",
    "/admin/tasks/task/?state=deleted",
    "toolcall/",
    "toolcall/?p={place_of_reply}",
    "toolcall/?q={email}",
    "toolcall/?tool=tool_7",
    "toolcall/?tool=tool_7&q={email}&created_at__year={year}",
    "toolcall/?state=failed&origin=mcp",
    "toolcall/?message__conversation__id__exact={conversation}",
    "/admin/admin/logentry/",
    "/admin/admin/logentry/?p={place_of_log}",
    "/admin/admin/logentry/?q={email}",
    "/admin/admin/logentry/?q={conversation}",
    "/admin/admin/logentry/?action_flag=4",
    "/admin/admin/logentry/?action_time__year={year}&user__id__exact={user}",
)
"""Of staff's pages, below the app's address; each with all that it asks of the large tables."""


@pytest.mark.parametrize("page", ADMIN_PAGES)
def test_a_page_of_the_admin_scans_no_whole_table(page: str, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    conversation = some_conversation()
    reply = conversation.messages.filter(role=Role.ASSISTANT).latest("created_at")
    names = {
        "conversation": conversation.pk,
        "user": conversation.user_id,
        "email": conversation.user.email,
        "reply": reply.pk,
        "place": conversation.cursor,
        "place_of_reply": Cursor(reply.created_at, reply.pk),
        "year": conversation.updated_at.year,
        "place_of_log": f"{microseconds(reply.created_at)}-1",
    }
    # In a table that is no larger than what a page looks through, its index would serve nobody.
    for bounded in BoundedFilter.__subclasses__() + ColumnFilter.__subclasses__() + RowFilter.__subclasses__():
        if bounded.looks:
            monkeypatch.setattr(bounded, "looks", 50)
    for name, source in searching.PLACES.items():
        monkeypatch.setitem(searching.PLACES, name, replace(source, block=50, hits=5))
    Generation.objects.filter(pk=reply.pk).update(error_code="provider_down")
    client.force_login(UserFactory.create(is_staff=True, is_superuser=True))
    with CaptureQueriesContext(connection) as captured:
        response = client.get(urljoin("/admin/conversations/", page.format(**names)))
    assert response.status_code == 200
    tables = re.compile("conversations_|admin_log|tasks_")
    asked = [query["sql"] for query in captured.captured_queries if tables.search(query["sql"])]
    assert asked
    for sql in asked:
        if "SAVEPOINT" not in sql and "INSERT" not in sql:
            assert not set(sequential_scans(explain_sql(sql))) & LARGE, sql


LARGE = {f"conversations_{name}" for name in ("conversation", "message", "generation", "feedback", "toolcall")} | {
    "accounts_user",
    "django_admin_log",
    "tasks_task",
}


def test_deleting_a_conversation_looks_up_what_hangs_from_it_by_index() -> None:
    """Of each table that a cascade reaches, the columns of the foreign key lead an index."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT conrelid::regclass || ' ' || conname FROM pg_constraint AS fk
            WHERE contype = 'f' AND conrelid::regclass::text SIMILAR TO '(conversations|tasks)_%' AND NOT EXISTS (
                SELECT FROM pg_index WHERE indrelid = conrelid AND indkey[0] = conkey[1])
            """
        )
        assert cursor.fetchall() == []


def explain(queryset: QuerySet[Any]) -> dict[str, Any]:
    plan: dict[str, Any] = json.loads(queryset.explain(format="json"))[0]["Plan"]
    return plan


def explain_sql(sql: str) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}")
        (found,) = cursor.fetchone()
    plan: dict[str, Any] = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
    return plan


def sequential_scans(plan: dict[str, Any]) -> list[str]:
    """The tables that a plan reads from end to end."""
    own = [plan["Relation Name"]] if plan["Node Type"] == "Seq Scan" else []
    return own + [table for child in plan.get("Plans", []) for table in sequential_scans(child)]
