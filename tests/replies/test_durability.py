"""Which statements wait for the disk: what was said and how it ended, not the claims and checkpoints in between."""

import pytest
from django.db import connection, transaction

from conversations.models import Message, Status
from conversations.replies import leases
from conversations.replies.leases import Draft, Outcome
from tests.factories import ReplyFactory

WORKER = "worker"


@pytest.fixture
def asked(db: None) -> Message:
    """A reply that waits for its worker, in a transaction that waits for the disk, as it does in production."""
    reply = ReplyFactory.create(generation__status=Status.PENDING)
    execute("SET LOCAL synchronous_commit TO on")
    return reply


@pytest.fixture
def claimed(asked: Message) -> Message:
    """A reply that is being made, in a transaction of the same kind."""
    assert leases.claim(asked.pk, worker=WORKER)
    execute("SET LOCAL synchronous_commit TO on")
    return asked


def test_a_claim_does_not_wait_for_the_disk(asked: Message) -> None:
    assert leases.claim(asked.pk, worker=WORKER)
    assert synchronous_commit() == "off"


def test_a_checkpoint_does_not_wait_for_the_disk(claimed: Message) -> None:
    assert leases.checkpoint([Draft(claimed.pk, WORKER, "Words")]) == {claimed.pk: False}
    assert synchronous_commit() == "off"


def test_the_end_of_a_reply_waits_for_the_disk(claimed: Message) -> None:
    assert leases.finish(claimed.pk, Outcome(Status.COMPLETE, "Words"), worker=WORKER, user_id=claimed.user_id)
    assert synchronous_commit() == "on"


@pytest.mark.django_db(transaction=True)
def test_what_follows_a_checkpoint_on_its_connection_waits_again() -> None:
    reply = ReplyFactory.create(generation__status=Status.PENDING)
    execute("SET synchronous_commit TO on")
    try:
        leases.claim(reply.pk, worker=WORKER)
        leases.checkpoint([Draft(reply.pk, WORKER, "Words")])
        with transaction.atomic():
            assert synchronous_commit() == "on"
    finally:
        execute("RESET synchronous_commit")


def execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def synchronous_commit() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW synchronous_commit")
        return str(cursor.fetchone()[0])
