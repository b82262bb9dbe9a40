"""What prune_conversations removes of the to-do list: deleted tasks past their day, and nothing else."""

import io
import json
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from accounts.models import User
from tasks import actions
from tasks.models import Task
from tests.tasks.factories import add

pytestmark = pytest.mark.django_db(transaction=True)


def prune(*arguments: str) -> str:
    output = io.StringIO()
    call_command("prune_conversations", *arguments, stdout=output, stderr=io.StringIO())
    return output.getvalue()


@pytest.fixture
def expired(user: User, stranger: User) -> None:
    """Of two people an open, a done, a deleted task, and two that were deleted over a day ago."""
    for person in (user, stranger):
        _, done, deleted, *old = add(person, "Open", "Done", "Deleted", "Old", "Older")
        actions.complete(done)
        for task in (deleted, *old):
            actions.delete(task)
        keys = [task.pk for task in old]
        Task.objects.filter(pk__in=keys).update(deleted_at=timezone.now() - timedelta(days=1, seconds=1))


@pytest.mark.usefixtures("expired")
def test_deleted_tasks_go_when_they_cannot_be_restored_any_more(user: User) -> None:
    assert "Would remove 2 deleted tasks." in prune("--trash-only", "--user", user.email, "--dry-run")
    assert json.loads(prune("--trash-only", "--dry-run", "--json"))["others"] == {"tasks": 4}
    assert Task.objects.count() == 10
    assert "Removed 2 deleted tasks." in prune("--trash-only", "--user", user.email, "--batch-size", "1")
    assert set(Task.objects.filter(user=user).values_list("title", flat=True)) == {"Open", "Done", "Deleted"}
    assert json.loads(prune("--older-than", "1y", "--json"))["others"] == {"tasks": 2}
    assert Task.objects.count() == 6
    assert json.loads(prune("--trash-only", "--json"))["others"] == {}
