"""The service module: messages in, typed events of the model's reply out; every failure has a sentence.

Works with any OpenAI-compatible server, the local demo model among them. Requests go through the client of the `openai`
package; this project reads the lines of its stream itself, because the package's chunk objects cost many times as much.
The client is imported on first use: the import takes a second, which management commands should not spend.
"""

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from chatbot.core.upstream import Upstream
from chatbot.embedded import model as local_model
from chatbot.embedded.locks import EmbeddedServiceError
from chatbot.embedded.model import Endpoint
from chatbot.embedded.weights import MODEL as DEMO_MODEL
from chatbot.telemetry import metrics
from chatbot.telemetry.model_calls import ModelCall
from conversations.errors import providers
from conversations.errors.providers import LLMError
from conversations.llm import abilities, catalogue, redaction
from conversations.llm.events import (
    Asked,
    Event,
    Extra,
    Finish,
    ReasoningDelta,
    Returned,
    TextDelta,
    TextWasReasoning,
    Usage,
)
from conversations.llm.protocol import Answer

__all__ = [
    "Asked",
    "ChatMessage",
    "Event",
    "Extra",
    "Finish",
    "LLMError",
    "ReasoningDelta",
    "Returned",
    "TextDelta",
    "TextWasReasoning",
    "Upstream",
    "Usage",
    "aclose",
    "default_model",
    "embed",
    "is_demo",
    "known_models",
    "length_option",
    "listed_models",
    "stream",
    "takes_tools",
    "warm_up",
]

logger = logging.getLogger(__name__)

OPENAI_URL = "https://api.openai.com/v1"
OPENAI_MODEL = "gpt-5.4-mini"
"""Model of api.openai.com when CHAT_MODELS is empty: small, quick, cheap."""

RENAMING_HOSTS = ("api.openai.com", ".azure.com")
"""Hosts whose newer models refuse `max_tokens`, or ends of their names."""

OTHER_MODEL = "auto"
"""Stands for the first model that another server lists, when CHAT_MODELS is empty."""

NO_KEY = "none"
"""Key that is sent where none is needed, because the client requires one."""

EMBEDDINGS_MAX_BYTES = 128 * 1024 * 1024
"""Bytes of an answer with embeddings; two thousand texts of three thousand numbers as text take half of it."""

BACKOFF_FIRST_SECONDS, BACKOFF_MOST_SECONDS = 0.5, 8.0


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message for the model; `role` is `system`, `user`, `assistant` or, from a program, `tool` or `function`."""

    role: str
    content: str
    more: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of the message, which may hold the content in another form."""

    @property
    def texts(self) -> list[str]:
        """All that the message says: its content, and the texts in its further fields."""
        return [self.content, *redaction.said(self.more)]


def is_demo() -> bool:
    """Whether the local demo model answers, because neither a key nor a server is configured."""
    return not settings.OPENAI_API_KEY and not settings.OPENAI_BASE_URL


def default_model() -> str:
    """The model for a reply when none was chosen: the first of CHAT_MODELS, else the configured server's default."""
    if is_demo():
        return DEMO_MODEL
    if settings.CHAT_MODELS:
        return str(settings.CHAT_MODELS[0])
    return OTHER_MODEL if settings.OPENAI_BASE_URL.rstrip("/") not in {"", OPENAI_URL} else OPENAI_MODEL


def length_option() -> str:
    """The name of the field that limits an answer's tokens: OpenAI has renamed it, other servers know the older one."""
    host = urlsplit(_configured().base_url).hostname or ""
    return "max_completion_tokens" if host.endswith(RENAMING_HOSTS) and not is_demo() else "max_tokens"


def takes_tools(model: str) -> bool:
    """Whether tools may be offered to this model: the demo model takes none, nor does one that refused them lately."""
    return not is_demo() and abilities.takes_tools(_configured().base_url, "" if model == OTHER_MODEL else model)


def known_models() -> tuple[str, ...] | None:
    """Names of the models that the configured server lists, or None if unknown. Sends no request."""
    return catalogue.known(_configured().base_url)


def listed_models() -> tuple[str, ...] | None:
    """Names of the models that the configured server lists, or None if unknown.

    A thread requests a list that is old or missing. Waits for it only the first time, two seconds at most.
    """
    endpoint = _configured()

    def ask() -> tuple[str, ...]:
        from conversations.llm import client

        return client.list_models(endpoint)

    return catalogue.listed(endpoint.base_url, ask)


async def stream(
    messages: Sequence[ChatMessage],
    *,
    model: str,
    temperature: float | None = None,
    options: Mapping[str, Any] | None = None,
    patience: float | None = None,
) -> AsyncGenerator[Event]:
    """Yield the events of the model's reply to `messages`; the last one is `Finish`.

    Without a `temperature` (0 to 2) the provider's default holds. `options` are further fields of the request, which a
    provider may not know. Failures raise a subclass of LLMError. Those before the first text are retried within the
    bounds of the settings, those after it never. `patience` (seconds, 0 for none) limits the wait before one more
    attempt: when it would be longer, the error is raised at once. Closing the generator or cancelling its task closes
    the connection, and so ends the provider's work.
    """
    from conversations.llm import client, reading

    named = "" if model == OTHER_MODEL else model
    body: dict[str, Any] = dict(options or {}) | {
        "messages": [{"role": message.role, "content": message.content, **message.more} for message in messages],
        "stream": True,
    }
    if temperature is not None:
        body["temperature"] = temperature
    endpoint = Endpoint("", "", "")
    attempt = 0
    while True:
        answer, call = Answer(), ModelCall()
        try:
            endpoint = await _endpoint()
            body["model"] = named
            silence = settings.CHAT_TIMEOUT_SILENCE
            deadline = asyncio.get_running_loop().time() + settings.CHAT_TIMEOUT_FIRST_TOKEN
            async with (
                client.opened(endpoint, body, deadline, call.ask(endpoint.base_url, named)) as response,
                aclosing(reading.read(response, answer, deadline=deadline, silence=silence)) as events,
            ):
                if not named:
                    yield Asked(body["model"])
                async for event in events:
                    if not call.begun:
                        call.begin(body["model"])
                    if type(event) is Usage:
                        call.count_tokens(event.prompt_tokens, event.completion_tokens)
                    yield event
            call.finish()
            return
        except LLMError as error:
            call.fail(error.code, body.get("model", ""))
            if isinstance(error, providers.ProviderTools):
                abilities.note_refusal(endpoint.base_url, named)
            _redact(error, endpoint, [text for message in messages for text in message.texts])
            wait = _wait(error, attempt, patience)
            if answer.begun or wait is None:
                raise
            code = error.code
        finally:
            call.end()
        attempt += 1
        metrics.retries.labels(code).inc()
        logger.warning("The model provider failed (%s); attempt %s follows in %.1f s", code, attempt + 1, wait)
        await asyncio.sleep(wait)


def _redact(error: LLMError, endpoint: Endpoint, contents: Sequence[str]) -> None:
    """Remove the key and the conversation's text from what staff read, and the key from the provider's own words."""
    error.detail = redaction.redact(error.detail, key=endpoint.api_key, contents=contents)
    if error.upstream:
        # This text is for the program that asked, which sent the conversation itself.
        said = redaction.without_key(error.upstream.message, endpoint.api_key)
        error.upstream = replace(error.upstream, message=said, text="")


def _wait(error: LLMError, attempt: int, patience: float | None) -> float | None:
    """Seconds before the next attempt, or None for no further attempt."""
    most: float = settings.CHAT_RETRY_MAX_WAIT if patience is None else min(patience, settings.CHAT_RETRY_MAX_WAIT)
    if patience == 0 or not error.retryable or attempt >= settings.CHAT_RETRIES or (error.retry_after or 0.0) > most:
        return None
    # Jitter: requests that failed together must not be repeated together.
    if error.retry_after is not None:
        return error.retry_after * random.uniform(1.0, 1.1)  # noqa: S311 (not a secret)
    return min(most, BACKOFF_MOST_SECONDS, BACKOFF_FIRST_SECONDS * (1 << attempt)) * random.uniform(0.5, 1.0)  # noqa: S311


async def embed(body: Mapping[str, Any]) -> bytes:
    """Return the provider's answer to a request for embeddings unchanged: JSON of up to `EMBEDDINGS_MAX_BYTES`.

    Raises a subclass of LLMError.
    """
    from conversations.llm import client

    call = ModelCall()
    model = str(body["model"])
    endpoint = Endpoint("", "", "")
    try:
        endpoint = await _endpoint()
        deadline = asyncio.get_running_loop().time() + settings.CHAT_TIMEOUT_FIRST_TOKEN
        headers = call.ask(endpoint.base_url, model)
        async with client.opened(endpoint, dict(body), deadline, headers) as response:
            answer = await client.whole(response, deadline, most=EMBEDDINGS_MAX_BYTES)
        call.begin(model)
        call.finish()
        return answer
    except LLMError as error:
        call.fail(error.code, model)
        _redact(error, endpoint, [str(body["input"])])
        raise
    finally:
        call.end()


async def aclose() -> None:
    """Close the running loop's connections, once its streams have ended; the next `stream` opens new ones."""
    from conversations.llm import client

    await client.close()


async def warm_up() -> None:
    """Load the client outside the event loop (about a second), so that the first reply does not wait for it."""
    await asyncio.to_thread(_load)


def _load() -> None:
    from conversations.llm import client

    client.tls()


def _configured() -> Endpoint:
    return Endpoint(settings.OPENAI_BASE_URL or OPENAI_URL, settings.OPENAI_API_KEY or NO_KEY, "")


async def _endpoint() -> Endpoint:
    """Return where to ask; takes about two seconds when the demo model has to be started."""
    if not is_demo():
        return _configured()
    if not local_model.available():
        raise providers.ProviderKey("OPENAI_API_KEY and OPENAI_BASE_URL are empty, the demo model is not installed")
    try:
        return await asyncio.to_thread(local_model.endpoint)
    except (EmbeddedServiceError, OSError) as error:
        logger.exception("The local demo model did not start")
        raise providers.ProviderUnreachable(f"the local demo model did not start: {error}") from None
