"""Completions that are not stored: asks the model within the limits of replies and passes its events on."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Protocol
from uuid import UUID, uuid4

from django.conf import settings
from django.http.response import HttpResponseBase

from accounts.callers import Caller
from chatbot.web import problems
from chatbot.web.api import json_response
from chatbot.web.awaited import AwaitedResponse
from chatbot.web.problems import Problem
from conversations.api import counting, door_streams, site_tools
from conversations.api.completion_schemas import CompletionIn
from conversations.api.completions import Completion
from conversations.api.questions import Question
from conversations.llm import model_choices
from conversations.llm import service as llm
from conversations.llm.service import Event
from conversations.replies import context, dispatch
from conversations.replies.offers import NO_OFFER, Offer


class Answer(Protocol):
    """An answer while it is made, in the form of one address."""

    def add(self, event: Event) -> object:
        """Add an event of the model to an answer that is sent whole."""

    def whole(self) -> dict[str, Any]:
        """The whole answer as JSON fields, once all events were added."""

    def frame(self, event: Event) -> bytes:
        """Add an event of the model to an answer that is streamed; returns what is sent for it, if anything."""

    def last(self) -> bytes:
        """What is sent once all events were added."""

    def failed(self, problem: Problem) -> bytes:
        """What is sent last if the answer fails after its beginning."""


def completed(caller: Caller, body: CompletionIn, header: str) -> HttpResponseBase:
    """The completion in the form that the body asks for, with the site's tools if the `header` of the request asks for
    them. Raises `Problem` and what `turns.admit` raises."""
    model = model_choices.to_ask(chosen(body.model))
    options = body.options
    completion = Completion(f"chatcmpl-{uuid4().hex}", model, body.wants_usage, with_functions="functions" in options)
    question = Question(body.chat_messages, options, model, body.temperature, bool(body.stream))
    return answered(caller, question, completion, header)


def answered(caller: Caller, question: Question, answer: Answer, header: str) -> HttpResponseBase:
    """The model's answer as a response; see `completed`. Raises `Problem` and what `turns.admit` raises."""
    offer = NO_OFFER
    if site_tools.are_wanted(header, question.options):
        offer = site_tools.offered(caller.user.pk, question.model)
        question = question if offer.tools else replace(question, options=site_tools.without_calls(question.options))
    tokens = context.tokens_of(question.read({**question.options, **offer.options()}))
    if tokens > context.available():
        raise too_long(tokens)
    counting.admit(caller)

    async def make() -> HttpResponseBase:
        events = counting.limited(caller.user.pk, asked(caller.user.pk, question, offer))
        if question.streams:
            return await door_streams.answered(caller, frames(answer, events), answer.failed)
        if task := asyncio.current_task():
            dispatch.engine().wait_for(task)
        try:
            return json_response(await gathered(answer, events))
        except Exception as error:  # noqa: BLE001 (each becomes an answer)
            return problems.answer(problems.as_problem(error), door=True)

    return AwaitedResponse(make)


def asked(user_id: UUID, question: Question, offer: Offer) -> AsyncGenerator[Event]:
    """The events of the model's answer, whose tokens count toward the person's limits."""
    if offer.tools:
        return site_tools.SiteAnswer(user_id, question, offer).events()
    events = llm.stream(
        question.messages,
        model=question.model,
        temperature=question.temperature,
        options=question.options,
        # The client itself repeats the request, or asks another model.
        patience=0,
    )
    return counting.counted(user_id, question.read(question.options), events)


def chosen(model: str | None) -> str:
    """The model that the caller names, or empty for the default. Raises `Problem` for one that is not offered."""
    if not model or model == llm.OTHER_MODEL:
        return ""
    # While the provider's list is unknown, any storable name is accepted.
    if not model.isprintable() or not model_choices.is_offered(model):
        raise Problem("model_not_found")
    return model


def too_long(tokens: int) -> Problem:
    """The problem of messages that exceed the model's context, in the words that gateways recognise."""
    return Problem(
        "context_too_long",
        f"This model's maximum context length is {settings.CHAT_CONTEXT_TOKENS} tokens, one in {context.REPLY_SHARE} "
        f"of them for the answer. However, your messages resulted in about {tokens} tokens. Please reduce the length "
        "of the messages.",
    )


async def gathered(answer: Answer, events: AsyncGenerator[Event]) -> dict[str, Any]:
    """The whole answer as JSON fields, once all events have come."""
    async with aclosing(events):
        async for event in events:
            answer.add(event)
    return answer.whole()


async def frames(answer: Answer, events: AsyncGenerator[Event]) -> AsyncGenerator[bytes]:
    """The answer as frames of an event stream."""
    async with aclosing(events):
        async for event in events:
            if frame := answer.frame(event):
                yield frame
    yield answer.last()
