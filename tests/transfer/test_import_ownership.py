"""Who may import, what and when; and whose it is then."""

import asyncio
import io
import threading
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import User
from conversations.models import Conversation, Message
from conversations.transfer import imports
from conversations.transfer.imports import Outcome, Result
from conversations.transfer.progress import Progress
from conversations.upkeep import locks
from tests.factories import ConversationFactory, exchange
from tests.kit.server import ChatServer
from tests.support.importing import conversation, document, message, outcomes, told
from tests.support.visitor import Visitor


def test_another_persons_keys_are_neither_taken_nor_told_of(
    server: ChatServer, owner: Visitor, user: User, stranger: User
) -> None:
    secret = exchange(ConversationFactory.create(user=stranger, title="Secret"), "Mine", "Yours")
    found = conversation("Guess", [message("Is it there?", id=str(secret.pk))])
    for guess in (found | {"id": str(secret.conversation_id)}, found):
        assert outcomes(owner.upload("/import/", document(guess))) == ["imported"]
        assert outcomes(owner.upload("/import/", document(guess))) == ["here"]
    assert Message.objects.filter(user=stranger).count() == 2
    assert not Conversation.objects.owned_by(user).filter(pk=secret.conversation_id).exists()
    # One's own key stays a key of one's own; a parent of another's is none.
    orphan = conversation("Orphan", [message("Child", parent=str(secret.pk))])
    assert outcomes(owner.upload("/import/", document(orphan))) == ["failed"]


def test_what_is_in_the_trash_stays_there(owner: Visitor) -> None:
    found = document(conversation())
    owner.upload("/import/", found)
    Conversation.objects.update(trashed_at=timezone.now())
    assert outcomes(owner.upload("/import/", found)) == ["trashed"]
    Conversation.objects.update(trashed_at=timezone.now() - timedelta(days=400))
    assert outcomes(owner.upload("/import/", found)) == ["imported"]
    assert Conversation.objects.get().trashed_at is None


def test_somebody_who_is_not_signed_in_cannot_import(server: ChatServer) -> None:
    anybody = Visitor(server)
    assert anybody.get("/import/").status == 302
    assert anybody.upload("/import/", document(conversation())).status == 302
    assert not Conversation.objects.exists()


def test_a_large_file_is_read_only_from_somebody_who_has_signed_in(server: ChatServer, owner: Visitor) -> None:
    file = document(*(conversation(str(number), [message("x" * 900_000)]) for number in range(4)))
    assert Visitor(server).ask("POST", "/import/", None, Content_Length=str(len(file))).status == 413
    assert outcomes(owner.upload("/import/", file)) == ["imported"] * 4


def test_one_person_imports_one_file_at_a_time(owner: Visitor, user: User) -> None:
    with locks.alone(imports.lock_of(user)):
        answer = owner.upload("/import/", document(conversation()))
        assert "Another import of yours is still running" in told(answer)[0][1]
    assert outcomes(owner.upload("/import/", document(conversation()))) == ["imported"]


class SlowFile(io.BytesIO):
    """A file that cannot be read before `may_be_read`."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.may_be_read = threading.Event()

    def readline(self, size: int | None = -1, /) -> bytes:
        self.may_be_read.wait(timeout=20)
        return super().readline(size)


@pytest.mark.django_db(transaction=True)
def test_a_person_keeps_one_file_waiting_at_a_time(user: User) -> None:
    first, second, third = SlowFile(document(conversation())), io.BytesIO(b"{}"), io.BytesIO(document(conversation()))

    async def told_of(progress: Progress) -> list[Result]:
        return [result async for results in progress.results() for result in results]

    async def import_all() -> tuple[list[Result], ...]:
        slow = Progress(user, first)
        refused = await told_of(Progress(user, second))
        is_let_go = second.closed
        first.may_be_read.set()
        done = await told_of(slow)
        assert is_let_go
        return refused, done, await told_of(Progress(user, third))

    refused, done, later = asyncio.run(import_all())
    assert [result.reason for result in refused] == [imports.BUSY]
    assert [result.outcome for result in (*done, *later)] == [Outcome.IMPORTED] * 2
