"""Migrations go both ways, with rows in the tables."""

from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from conversations.models import Conversation, Generation, Message
from tests.factories import ConversationFactory, ReplyFactory, exchange


@pytest.mark.django_db(transaction=True)
def test_every_migration_goes_down_and_up_again_with_rows_in_the_tables() -> None:
    exchange(ConversationFactory.create(), "Hello", "Good day")
    graph = MigrationExecutor(connection).loader.graph
    steps = [key for key in graph.leaf_nodes() if key[0] == "conversations"]
    for app, name in reversed(graph.forwards_plan(steps[0])):
        if app == "conversations":
            parents = [key for key in graph.node_map[app, name].parents if key[0] == app]
            call_command("migrate", app, parents[0].key[1] if parents else "zero", verbosity=0)
            if parents:
                assert Message.objects.count() == 2
    tables = connection.introspection.table_names()
    assert not [table for table in tables if table.startswith("conversations_")]
    call_command("migrate", verbosity=0)
    exchange(ConversationFactory.create(), "Hello", "Good day")


@pytest.mark.django_db(transaction=True)
def test_a_conversation_from_before_branches_shows_its_newest_message() -> None:
    newest = exchange(ConversationFactory.create(), "Hello", "Good day")
    call_command("migrate", "conversations", "0004", verbosity=0)
    call_command("migrate", verbosity=0)
    assert Conversation.objects.get().current_message == newest


@pytest.mark.django_db(transaction=True)
def test_sentences_of_failures_survive_the_way_down_and_up() -> None:
    failures: list[dict[str, Any]] = [
        {"error_code": "reply_too_long", "error_params": {"limit": 20_000}},
        {"error_code": "provider_timeout"},
        {"error_code": "provider_timeout", "error": "It took too long."},
        {"error": "It failed."},
    ]
    for failure in failures:
        made = {f"generation__{name}": value for name, value in failure.items()}
        ReplyFactory.create(content="", generation__status="failed", **made)
    exchange(ConversationFactory.create(), "Hello", "Good day")
    read = {generation.pk: generation.sentence for generation in Generation.objects.all()}
    assert [sentence for sentence in read.values() if sentence]
    call_command("migrate", "conversations", "0027", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("SELECT message_id, error FROM conversations_generation")
        assert dict(cursor.fetchall()) == read
    call_command("migrate", verbosity=0)
    assert {generation.pk: generation.sentence for generation in Generation.objects.all()} == read


@pytest.mark.django_db(transaction=True)
def test_the_search_can_be_taken_back_where_its_index_was_removed() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX message_search")
    call_command("migrate", "conversations", "0012", verbosity=0)
    call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_indexes WHERE indexname = 'message_search'")
        assert cursor.fetchone() == (1,)


@pytest.mark.django_db(transaction=True)
def test_accounts_go_to_the_beginning_and_back() -> None:
    for app in ("admin", "account", "conversations", "accounts"):
        call_command("migrate", app, "zero", verbosity=0)
    assert "accounts_user" not in connection.introspection.table_names()
    assert "accounts_cache" not in connection.introspection.table_names()
    call_command("migrate", verbosity=0)
    exchange(ConversationFactory.create(), "Hello", "Good day")


@pytest.mark.django_db
def test_the_models_have_no_change_without_a_migration() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)
