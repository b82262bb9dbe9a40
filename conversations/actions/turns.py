"""What a person can do in a conversation; each a verb, each one transaction.

A verb tells the reply engine itself of what it has stored, once that is committed. Those that ask for a reply are told
who will watch it: see `Audience`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Model
from django.utils import timezone
from uuid_utils.compat import uuid7

from accounts.models import User
from chatbot.core.errors import UserFacingError
from chatbot.telemetry import metrics, origin
from conversations.actions import reopening, turn_rows
from conversations.actions.reopening import NothingToContinue as NothingToContinue
from conversations.actions.reopening import NothingToRetry as NothingToRetry
from conversations.errors.gone import ConversationGone, MessageGone
from conversations.errors.replies import TooManyReplies as TooManyReplies
from conversations.models import Configuration, Conversation, Generation, Message, Role, Status, paths
from conversations.models.titles import title_from
from conversations.replies import dispatch, leases
from conversations.replies.dispatch import Audience
from conversations.usage import limits
from conversations.usage.limits import LimitReached

REPLY_DELAY = timedelta(microseconds=1)
"""Time by which a reply is stored later than its message, so that time orders them."""


class ReplyInProgress(UserFacingError):
    """The assistant is still answering. Wait for it, or stop it; what you typed stays in the box."""

    code = "reply_in_progress"
    http_status = 409
    for_programs = "The assistant is still answering in this conversation. Wait for it, or stop it."


class ReplyWaits(ReplyInProgress):
    """The assistant waits for your decision. Approve or decline what it wants to do, or stop it; what you typed stays
    in the box."""

    code = "reply_waits"
    http_status = 409
    for_programs = "The assistant waits in this conversation for a decision on a tool call. Decide, or stop the reply."


class TooManyTurns(UserFacingError):
    """You are sending faster than this site allows. Wait a minute, then send again; what you typed stays in the box."""

    code = "too_many_turns"
    http_status = 429
    for_programs = "You are sending messages faster than this site allows."
    retry_seconds = 60


class TurnTaken(UserFacingError):
    """An earlier message of this page arrived after all: reload the page to see it. What you typed stays in the box;
    send again to say it too."""

    code = "turn_taken"
    http_status = 409
    program_code = "idempotency_key_reused"


NOT_ADMITTED = (TooManyTurns, LimitReached)
"""Errors raised before anything is stored, although the same turn may have been stored before."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A person's message and the reply to it."""

    message: Message
    reply: Message
    is_first: bool = field(default=False, compare=False)
    """Whether it has just created its conversation, which then contains nothing else."""
    standing: limits.Standing | None = field(default=None, compare=False)
    """The limit of which little is left after this turn, if any."""

    @property
    def conversation(self) -> Conversation:
        """The conversation to which the turn belongs."""
        return self.message.conversation


def send(
    user: User,
    *,
    text: str,
    conversation: Conversation | None = None,
    turn: UUID | None = None,
    beside: Message | None = None,
    configuration: Configuration = Configuration(),  # noqa: B008 (never changed)
    model: str = "",
    options: Mapping[str, Any] | None = None,
    audience: Audience = Audience.NOBODY,
) -> Turn:
    """Store what `user` says and a pending reply, and have that made.

    The message stands at the end of the conversation's chosen branch, in the place of the message `beside` when one is
    given, or in a new conversation with this configuration when there is none. The chosen branch then ends with the
    reply, which is to be asked of `model`, where one is named, with the `options` of a program.

    A new conversation, when none is given, gets this configuration. The reply is for `model`, if one is named, with the
    `options` of a program. `turn` becomes the message's key: a second call with the same key returns the turn that the
    first call stored. `text` must hold more than white space. A person with `CHAT_REPLIES_PER_USER` open replies gets a
    reply that has already failed, with the sentence of `TooManyReplies`.

    Raises `ReplyInProgress` while the conversation's last reply is open, `TooManyTurns` past
    `CHAT_TURNS_PER_MINUTE`, `LimitReached` for a person who has nothing left, `TurnTaken` when another text,
    conversation or person has the key, `MessageGone` when the message that it follows was deleted meanwhile,
    `ConversationGone` when the conversation was deleted or moved to the trash.
    """
    key = turn or uuid7()
    try:
        with transaction.atomic():
            sent = _store_turn(user, text, conversation, key, beside, configuration, model=model, options=options)
    except (IntegrityError, *NOT_ADMITTED) as error:
        # The same turn may have been stored before: a double click sends two requests.
        if not (found := _find_turn(user, key, text, conversation)):
            raise refusal(error, conversation) from error
        sent = found
    start(sent.reply, audience=audience)
    return sent


def stop(message: Message) -> None:
    """Stop an open reply and keep its text so far. A reply that has ended stays as it is.

    One that this process makes, or no living one, ends at once; another process is asked, and answers within a second.
    """
    leases.stop(message.pk)
    dispatch.stop(message.pk)


def retry(message: Message, *, audience: Audience = Audience.NOBODY) -> Message:
    """Ask for a failed or stopped reply again; return the reply that is to come: the same or, beside one that has text
    or has called tools, an alternative to it.

    Its branch becomes the chosen one. Raises `NothingToRetry` for other replies, `ReplyInProgress` while another reply
    is open, `TooManyTurns` past `CHAT_TURNS_PER_MINUTE`, `LimitReached`, `TooManyReplies` at `CHAT_REPLIES_PER_USER`,
    `ConversationGone`.
    """
    conversation = message.conversation
    try:
        with transaction.atomic():
            if full := admit(message.user, conversation)[0]:
                raise full
            if message.content.strip() or message.tool_calls:
                answer = _ask_beside(message)
            else:
                answer = message
                reopening.open_again(message)
                end = paths.last_end(conversation, message.pk)
                Conversation.objects.filter(pk=conversation.pk).update(current_message=end)
            dispatch.start(answer.pk, audience=audience)
    except IntegrityError as error:
        raise refusal(error, conversation) from error
    return answer


def resume(message: Message, *, audience: Audience = Audience.NOBODY) -> None:
    """Let a reply go on where its text ended, which stays whatever happens: one that was cut at the model's limit, or
    that was stopped or failed with text. Its branch, which must end with it, is then the chosen one.

    The text is kept in any case. Its branch, which must end with it, becomes the chosen one. Raises `NothingToContinue`
    for other replies, and what `retry` raises.
    """
    conversation = message.conversation
    try:
        with transaction.atomic():
            if full := admit(message.user, conversation)[0]:
                raise full
            reopening.go_on(message)
            Conversation.objects.filter(pk=conversation.pk).update(current_message=message)
            dispatch.start(message.pk, audience=audience)
    except IntegrityError as error:
        raise refusal(error, conversation) from error


def start(reply: Message, *, audience: Audience) -> None:
    """Have a reply made that was asked for just now, or before with the same key; one that has ended stays as it is."""
    if reply.generation.is_open:
        dispatch.start(reply.pk, audience=audience)


def refusal(error: Exception, conversation: Conversation | None) -> Exception:
    """The error that tells a person why the database refused a turn in the conversation; any other error unchanged.

    Outside of the transaction that has failed. Causes a query for a conversation that has an open reply.
    """
    sentences = {
        "one_open_generation_per_conversation": ReplyInProgress,
        "message_pkey": TurnTaken,
        "_parent_": MessageGone,
        "conversation_has_its_current_message": MessageGone,
    }
    if not isinstance(error, IntegrityError):
        return error
    found = next((sentence() for name, sentence in sentences.items() if name in str(error)), error)
    return in_progress(conversation) if isinstance(found, ReplyInProgress) and conversation else found


def in_progress(conversation: Conversation) -> ReplyInProgress:
    """The error for a conversation that has an open reply, which may wait for its person. Causes a query."""
    waits = conversation.generations.filter(status=Status.WAITING).exists()
    return ReplyWaits() if waits else ReplyInProgress()


def _find_turn(user: User, key: UUID, text: str, conversation: Conversation | None) -> Turn | None:
    message = Message.objects.owned_by(user).filter(pk=key, role=Role.USER).select_related("conversation").first()
    if message is None:
        return None
    # Without a conversation the turn created one.
    is_in_place = message.conversation_id == conversation.pk if conversation else message.parent_id is None
    if message.content != text or not is_in_place:
        raise TurnTaken
    reply = message.children.select_related("generation").oldest_first().first()
    if reply is None:
        raise TurnTaken
    return Turn(message, reply)


def admit(
    user: User, conversation: Conversation | None, *, unkept: int = 0
) -> tuple[TooManyReplies | None, UUID | None, limits.Standing | None]:
    """Admit one more request to the model, after the person's and the conversation's earlier ones are stored.

    It is counted when the transaction commits. `unkept` is the number of the person's running replies that are not
    stored. Returns the refusal for a person with as many open replies as allowed, over all processes; the end of the
    conversation's chosen branch; and the limit of which little is left. Raises `TooManyTurns` past
    `CHAT_TURNS_PER_MINUTE`, `ConversationGone`, `LimitReached`.
    """
    admission = turn_rows.admit(user, conversation)
    if admission.turns > settings.CHAT_TURNS_PER_MINUTE:
        raise TooManyTurns
    if not admission.is_there:
        raise ConversationGone
    standing = limits.check(user, admission.usage) if admission.has_limits else None
    open_replies, end = turn_rows.open_replies_and_end(user, conversation)
    limit = settings.CHAT_REPLIES_PER_USER
    return TooManyReplies(limit=limit) if open_replies + unkept >= limit else None, end, standing


def _ask_beside(message: Message) -> Message:
    """Store an alternative to a reply whose text is kept. Raises `NothingToRetry`."""
    answer = beside(message, uuid7())
    store_reply(answer, full=None, **reopening.asked_as(message))
    return answer


def beside(reply: Message, key: UUID) -> Message:
    """An unsaved row with this key for another answer at the place of `reply`."""
    return Message(
        id=key,
        conversation=reply.conversation,
        user=reply.user,
        parent_id=reply.parent_id,
        role=Role.ASSISTANT,
        created_at=timezone.now(),
    )


def _store_turn(
    user: User,
    text: str,
    conversation: Conversation | None,
    key: UUID,
    beside: Message | None,
    configuration: Configuration,
    *,
    model: str,
    options: Mapping[str, Any] | None,
) -> Turn:
    full, end, standing = admit(user, conversation)
    now = timezone.now()
    begun = None
    if conversation is None:
        begun = conversation = Conversation(
            user=user, title=title_from(text), created_at=now, updated_at=now, **configuration._asdict()
        )
    parent_id = beside.parent_id if beside else end
    said = {"conversation": conversation, "user": user}
    message = Message(id=key, parent_id=parent_id, role=Role.USER, content=text, created_at=now, **said)
    reply = Message(parent=message, role=Role.ASSISTANT, created_at=now + REPLY_DELAY, **said)
    store_reply(reply, *([begun] if begun else []), message, full=full, model=model, options=options)
    return Turn(message, reply, is_first=begun is not None, standing=standing)


def store_reply(
    reply: Message,
    *before: Model,
    full: TooManyReplies | None,
    model: str = "",
    options: Mapping[str, Any] | None = None,
) -> None:
    """Store these rows, then the pending `reply` as the end of its conversation's chosen branch.

    It is for `model`, if one is named, with these `options`. With `full` it has already failed for that reason. Raises
    `ReplyInProgress`, or `IntegrityError`, which `refusal` puts into words.
    """
    conversation = reply.conversation
    origin.add(conversation_id=str(conversation.pk), message_id=str(reply.pk))
    is_new = conversation in before
    generation = reply.generation = Generation(
        message=reply, conversation=conversation, model=model, options=options, request_id=origin.request_id()
    )
    if full:
        # No constraint prevents a reply that has already failed from overtaking an open one.
        if not is_new and conversation.generations.open().exists():
            raise in_progress(conversation)
        generation.status = Status.FAILED
        generation.error_code, generation.error_params = full.code, full.parameters or None
        generation.finished_at = reply.created_at
        metrics.replies.labels(Status.FAILED, full.code, metrics.OTHER).inc()
    if is_new:
        conversation.current_message_id = reply.pk
        turn_rows.insert(*before, reply, generation)
    else:
        turn_rows.insert(*before, reply, generation, end=reply)
        conversation.current_message_id, conversation.updated_at = reply.pk, reply.created_at
