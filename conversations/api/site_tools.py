"""The site's own tools in answers that are not stored: they run here, between the rounds of one answer."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Annotated, Any
from uuid import UUID

from ninja import Header
from pydantic import AfterValidator, WithJsonSchema

from chatbot.web import problems
from chatbot.web.problems import Problem, invalid
from conversations.api import counting
from conversations.api.questions import Question
from conversations.api.site_rounds import Joined, SiteRound
from conversations.errors.providers import ProviderTools
from conversations.llm import service as llm
from conversations.llm.service import Event, Usage
from conversations.replies import context, dispatch, offers
from conversations.replies.acting import Acting
from conversations.replies.door_store import DoorStore
from conversations.replies.offers import NO_OFFER, SITE, Offer
from conversations.replies.proposals import Said
from conversations.replies.rounds import Counts, LeaseLost
from conversations.replies.stores import new_worker

HEADER = "X-Tools"


def known(header: str) -> str:
    """Validate the header. Raises ValueError."""
    if header != SITE:
        raise ValueError(f"This must be {SITE}, or absent.")
    return header


SiteTools = Annotated[
    str,
    AfterValidator(known),
    WithJsonSchema({"type": "string", "enum": [SITE]}),
    Header("", alias=HEADER, description=f"`{SITE}`: offer the model the site's own tools, which run on the site."),
]
"""The header by which a request wants the site's tools; empty without it."""

OF_PROGRAMS = frozenset({"tools", "tool_choice", "functions", "function_call"})
"""Fields of a request that speak of the program's own tools."""


def are_wanted(header: str, options: Mapping[str, Any]) -> bool:
    """Whether a request wants the site's tools. Raises `Problem` beside the program's own."""
    if not header:
        return False
    if own := sorted(options.keys() & OF_PROGRAMS):
        raise invalid(*((name, f"With {HEADER}: {SITE} the model has the site's tools only.") for name in own))
    return True


def offered(user_id: UUID, model: str) -> Offer:
    """What the model is offered; nothing asks the person. Causes queries if the site has tools."""
    return offers.offer_to(user_id, asks_nobody=True) if llm.takes_tools(model) else NO_OFFER


class SiteAnswer:
    """One answer of the model's, for which it may call the site's tools."""

    def __init__(self, user_id: UUID, question: Question, offer: Offer) -> None:
        """Answer the question for this person. In the event loop."""
        self._user_id = user_id
        self._question = question
        self._store = DoorStore(user_id, new_worker())
        self._acting = Acting(self._store, offer=offer, database=dispatch.engine().once_back)
        self._text, self._reasoning = Joined(), Joined()
        self._usage: Usage | None = None

    async def events(self) -> AsyncGenerator[Event]:
        """The events of all rounds as those of one answer; the calls themselves are not among them.

        Closing the generator ends a running call. Once a call has been stored, an error says that the same request is
        not to be repeated.
        """
        try:
            async with aclosing(self._rounds()) as events:
                async for event in events:
                    yield event
        except LeaseLost:
            # The person is gone, and their rows with them.
            raise Problem("invalid_token") from None
        except Exception as error:
            if not self._acting.rounds or may_be_end(error):
                raise
            problem = problems.as_problem(error)
            problem.is_lasting = True
            raise problem from error
        finally:
            if self._store.keys:
                await counting.at_last("The tool calls of an answer cannot be ended: %s", self._store.end)

    async def _rounds(self) -> AsyncGenerator[Event]:
        while True:
            said = SiteRound(streams=self._question.streams, text=self._text, reasoning=self._reasoning)
            try:
                async with aclosing(self._round(said)) as events:
                    async for event in events:
                        yield event
            except llm.LLMError as error:
                for event in said.rest():
                    yield event
                # After its tools, the model had nothing to add.
                if not self._acting.rounds or not getattr(error, "is_empty", False):
                    raise
            for event in said.rest():
                yield event
            if not (calls := said.calls()):
                yield said.finish
                return
            place = self._text.length
            words = Said(text=said.text, place=place, reasoning=said.reasoning, items=said.items, calls=calls)
            await self._acting.add(words, draft="", counts=Counts())
            await self._acting.run()

    async def _round(self, said: SiteRound) -> AsyncGenerator[Event]:
        """Ask the model once, and once more without tools if it takes none."""
        tools = self._acting.offer.options() if llm.takes_tools(self._question.model) else {}
        while True:
            said.may_act = bool(tools)
            try:
                async with aclosing(self._ask(tools)) as asked:
                    async for event in asked:
                        for passed in said.take(self._summed(event)):
                            yield passed
                        if said.is_too_long:
                            said.cut()
                            return
            except ProviderTools:
                if not tools:
                    raise
                tools = {}
            else:
                return

    def _ask(self, tools: Mapping[str, Any]) -> AsyncGenerator[Event]:
        """The events of the next request to the model, counted."""
        question = self._question
        options = {**question.options, **tools} if tools else without_calls(question.options)
        read = question.read(options)
        room = context.available() - context.tokens_of(read)
        made = self._acting.messages(room) if tools else self._acting.told(room)
        asked = llm.stream(
            [*question.messages, *made],
            model=question.model,
            temperature=question.temperature,
            options=options,
            # The client itself repeats the request, or asks another model.
            patience=0,
        )
        return counting.counted(self._user_id, [*read, *made], asked)

    def _summed(self, event: Event) -> Event:
        """The event; one with the tokens of a round with those of all rounds so far."""
        if isinstance(event, Usage):
            self._usage = event = event if self._usage is None else added(self._usage, event)
        return event


def may_be_end(error: Exception) -> bool:
    """Whether a failure may be the end of an answer that has begun: a filter's."""
    return isinstance(error, llm.LLMError) and error.code == "content_filter"


def without_calls(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options for a request that offers no tools."""
    return {name: value for name, value in options.items() if name != "parallel_tool_calls"}


def added(first: Usage, second: Usage) -> Usage:
    """The tokens of two requests together."""
    return Usage(
        first.prompt_tokens + second.prompt_tokens,
        first.completion_tokens + second.completion_tokens,
        first.cached_tokens + second.cached_tokens,
        first.reasoning_tokens + second.reasoning_tokens,
    )
