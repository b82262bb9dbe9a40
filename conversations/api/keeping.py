"""Completions that are stored as turns of a conversation, as on the page, and answered in OpenAI's format."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.forms import Field
from django.http import Http404
from django.http.response import HttpResponseBase

from accounts.bearer import ApiRequest
from chatbot.core.errors import UserFacingError
from chatbot.web.api import json_response
from chatbot.web.awaited import AwaitedResponse
from chatbot.web.problems import Problem, invalid
from conversations.actions import turns
from conversations.api import answers, asking, door_streams, site_tools
from conversations.api.chat import turn_key
from conversations.api.completion_schemas import CompletionIn
from conversations.api.completions import Completion
from conversations.api.fields import NOT_KEPT
from conversations.api.finding import find_conversation
from conversations.errors.replies import CutBeforeAnswer
from conversations.forms.configurations import InstructionsField
from conversations.forms.messages import MessageField
from conversations.llm import model_choices
from conversations.llm import service as llm
from conversations.models import Configuration, Message
from conversations.replies import dispatch, offers, streams
from conversations.replies.dispatch import Audience
from conversations.replies.live import LiveReply

NEW = "new"


def kept(request: ApiRequest, body: CompletionIn, named: str, idempotency_key: str, header: str) -> HttpResponseBase:
    """The completion as a turn of the named conversation, with the site's tools if the `header` of the request asks for
    them. Raises `Problem`, `Http404` and what `turns.send` raises."""
    with_site_tools = site_tools.are_wanted(header, body.options)
    conversation = None if named == NEW else find_conversation(request, key(named))
    configuration = configuration_of(body, is_new=conversation is None)
    turn = turns.send(
        request.auth.user,
        text=cleaned(body.messages[-1].text, MessageField(from_program=True)),
        conversation=conversation,
        turn=turn_key(request, idempotency_key),
        configuration=configuration,
        model=configuration.model,
        options=options_of(body, with_site_tools=with_site_tools),
        audience=Audience.CALLER,
    )
    model = configuration.model or model_choices.default_name()
    completion = Completion(f"chatcmpl-{turn.reply.pk.hex}", model, body.wants_usage)
    if body.stream:
        frames = chunks(completion, turn.reply)

        async def make() -> HttpResponseBase:
            return await door_streams.answered(request.auth, frames, completion.failed)

        response: HttpResponseBase = AwaitedResponse(make)
    else:
        response = answers.whole(
            request.auth,
            turn.reply.pk,
            lambda message, failure: json_response(filled(completion, message, failure).whole()),
        )
    response.headers["X-Conversation"] = str(turn.conversation.pk)
    return response


def configuration_of(body: CompletionIn, *, is_new: bool) -> Configuration:
    """The configuration for a new conversation; for an existing one only the model counts. Raises `Problem`."""
    *before, last = body.messages
    instructions = [message.text for message in before if message.role in {"system", "developer"}]
    if last.role != "user" or len(instructions) < len(before) or (before and not is_new):
        raise invalid(("messages", "A conversation keeps its own history: send the new message only."))
    if any(message.more for message in body.messages):
        raise invalid(("messages", "A conversation keeps the role and the text of a message, nothing else."))
    model = asking.chosen(body.model)
    return Configuration(model, cleaned("\n\n".join(instructions), InstructionsField(required=False)), body.temperature)


def options_of(body: CompletionIn, *, with_site_tools: bool) -> dict[str, Any]:
    """Further options for the model. Raises `Problem` for those whose results a conversation cannot store."""
    options = {name: value for name, value in body.options.items() if value or name not in NOT_KEPT}
    if refused := sorted(options.keys() & NOT_KEPT):
        raise invalid(*((name, "A conversation cannot keep the result of this field.") for name in refused))
    if with_site_tools:
        options |= offers.SITE_TOOLS
    # The temperature applies to this answer even if the conversation has another.
    return options if body.temperature is None else options | {"temperature": body.temperature}


async def chunks(completion: Completion, reply: Message) -> AsyncGenerator[bytes]:
    """A stored reply as chunks. Raises `Problem` when it does not end normally, for whatever reason."""
    engine = dispatch.engine()
    sent = Sent(completion)
    async with aclosing(engine.watch(reply.pk)) as changes:
        async for live in changes:
            if live.ended:
                break
            if frame := sent.frame(live.text, live.reasoning.text):
                yield frame
            if live.text or live.reasoning.text:
                await live.rest(streams.FRAME_INTERVAL)
        else:
            # Most often this process ends; another one continues the reply, whose text does not fit these chunks.
            raise Problem("interrupted", conversation_id=str(reply.conversation_id), message_id=str(reply.pk))
    yield await engine.database(ending, sent, reply.pk, live)


def ending(sent: "Sent", message_id: UUID, live: LiveReply) -> bytes:
    """The remaining text and the end. Raises `Problem`. Causes a query."""
    message = answers.find(message_id)
    if message is None:
        raise Problem("not_found")
    text, reasoning = message.text_so_far, message.generation.reasoning
    if not sent.fits(text, reasoning):
        # Another process made the reply anew.
        raise Problem("interrupted", conversation_id=str(message.conversation_id), message_id=str(message_id))
    rest = sent.frame(text, reasoning)
    return rest + filled(sent.completion, message, live.failure).last()


class Sent:
    """What one connection has been sent of a stored reply, in chunks."""

    def __init__(self, completion: Completion) -> None:
        self.completion = completion

    def fits(self, text: str, reasoning: str) -> bool:
        """Whether a reply can continue what was sent; text that was sent stays text, even if it was reasoning."""
        completion = self.completion
        sent_text, sent_reasoning = str(completion.text), str(completion.reasoning)
        if text.startswith(sent_text):
            return reasoning.startswith(sent_reasoning.rstrip())
        if not reasoning.startswith((sent_reasoning + sent_text.lstrip()).rstrip()):
            return False
        completion.add(llm.TextWasReasoning())
        return True

    def frame(self, text: str, reasoning: str) -> bytes:
        """The chunks that bring the client up to date; empty for a reply that does not fit what was sent."""
        completion = self.completion
        if not self.fits(text, reasoning):
            return b""
        chunks = b""
        if more := reasoning[len(str(completion.reasoning)) :]:
            chunks += completion.frame(llm.ReasoningDelta(more))
        if more := text[len(str(completion.text)) :]:
            chunks += completion.frame(llm.TextDelta(more))
        return chunks


def filled(completion: Completion, message: Message, failure: UserFacingError | None) -> Completion:
    """The completion with all that is stored of an ended reply. Raises `Problem` for a failed one."""
    generation = message.generation
    if generation.is_waiting:
        raise Problem("reply_waits", conversation_id=str(message.conversation_id), message_id=str(message.pk))
    completion.reason = generation.finish_reason or completion.reason
    problem = answers.problem_of(message, failure)
    if problem and problem.code != CutBeforeAnswer.code:
        # A filter may end an answer, as a length limit does; a refused question is an error.
        if problem.code != "content_filter" or problem.upstream or not message.content:
            raise Problem(problem.code, headers=problem.headers, upstream=problem.upstream, **problem.members)
        completion.reason = problem.code
    if not completion.is_begun:
        completion.text.add(message.text_so_far)
        completion.reasoning.add(generation.reasoning)
    completion.model = generation.model or completion.model
    if generation.prompt_tokens is not None and generation.completion_tokens is not None:
        completion.usage = llm.Usage(
            generation.prompt_tokens,
            generation.completion_tokens,
            generation.cached_tokens or 0,
            generation.reasoning_tokens or 0,
        )
    return completion


def cleaned(text: str, field: Field) -> str:
    """The text in the form in which it is stored. Raises `Problem`."""
    try:
        return str(field.clean(text))
    except ValidationError as error:
        raise invalid(("messages", error.messages[0])) from error


def key(text: str) -> UUID:
    """A conversation's key from its text. Raises `Http404`."""
    try:
        return UUID(text)
    except ValueError as error:
        raise Http404 from error
