"""The service module: messages go in, the typed events of the model's reply come out, every failure has a sentence.

Any OpenAI-compatible server will do, the local demo model among them. Requests go through the `openai` package's
client; the lines of its stream are read by this project, because the package's chunk objects cost many times as much.
"""

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import openai
from django.conf import settings

from conversations import llm_errors as errors
from conversations.llm_errors import LLMError
from conversations.llm_protocol import Answer, Event, Finish, ReasoningDelta, TextDelta, Usage
from conversations.llm_reading import PROBLEMS, read, translated

__all__ = [
    "ChatMessage",
    "Event",
    "Finish",
    "LLMError",
    "ReasoningDelta",
    "TextDelta",
    "Usage",
    "aclose",
    "default_model",
    "is_demo",
    "stream",
]

logger = logging.getLogger(__name__)

OPENAI_URL = "https://api.openai.com/v1"
OPENAI_MODEL = "gpt-5.4-mini"
"""What api.openai.com is asked for when CHAT_MODELS names nothing: small, quick, cheap."""

FIRST_OFFERED = "auto"
"""Stands for the first model that a server lists, when CHAT_MODELS names nothing."""

DEMO_MODEL = "demo"
"""Stands for the local demo model; its real name is known once it runs."""

NO_KEY = "none"
"""Sent where no key is needed, because the client insists on one."""

CONNECTIONS = 1_000
KEEP_ALIVE_SECONDS = 30
BACKOFF_FIRST_SECONDS, BACKOFF_MOST_SECONDS = 0.5, 8.0


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message for the model; `role` is `system`, `user` or `assistant`."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class _Endpoint:
    base_url: str
    api_key: str
    model: str = ""
    """Set where the endpoint serves this one model, whatever is asked for."""


class _Clients(dict[tuple[str, str], openai.AsyncOpenAI]):
    """The clients of one event loop, by base URL and key."""

    keeper: AsyncGenerator[None]

    async def close(self) -> None:
        """Close every client and its connections."""
        while self:
            _, client = self.popitem()
            await client.close()


_clients_of: dict[asyncio.AbstractEventLoop, _Clients] = {}
_without_stream_options: set[str] = set()
_first_offered: dict[str, str] = {}


def is_demo() -> bool:
    """Whether the local demo model answers, because neither a key nor a server is configured."""
    return not settings.OPENAI_API_KEY and not settings.OPENAI_BASE_URL


def default_model() -> str:
    """The model for a reply when nobody chose one: the first of CHAT_MODELS, else what suits the configured server."""
    if is_demo():
        return DEMO_MODEL
    if settings.CHAT_MODELS:
        return str(settings.CHAT_MODELS[0])
    return FIRST_OFFERED if settings.OPENAI_BASE_URL.rstrip("/") not in {"", OPENAI_URL} else OPENAI_MODEL


async def stream(messages: Sequence[ChatMessage], *, model: str, user: str = "") -> AsyncGenerator[Event]:
    """Yield the events of the model's reply to `messages`; the last one is `Finish`.

    `user` is an opaque name that some providers want, against abuse. Failures raise a subclass of LLMError; those
    before the first text are retried within the bounds of the settings, those after it never. Closing the generator or
    cancelling its task closes the connection, and with it the provider's work.
    """
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": message.role, "content": message.content} for message in messages],
        "stream": True,
    }
    if user:
        body["user"] = user
    endpoint = _Endpoint("", "")
    attempt = 0
    while True:
        answer = Answer()
        try:
            endpoint = await _endpoint()
            deadline = asyncio.get_running_loop().time() + settings.CHAT_TIMEOUT_FIRST_TOKEN
            async with (
                _opened(endpoint, body, deadline) as response,
                aclosing(read(response, answer, deadline=deadline, silence=settings.CHAT_TIMEOUT_SILENCE)) as events,
            ):
                async for event in events:
                    yield event
            return
        except (*PROBLEMS, openai.APIConnectionError) as problem:
            error = translated(problem, begun=answer.begun)
            contents = [message.content for message in messages]
            error.detail = errors.redact(error.detail, key=endpoint.api_key, contents=contents)
            wait = _wait(error, attempt)
            if answer.begun or wait is None:
                raise error from None
        attempt += 1
        logger.warning("The model provider failed (%s); attempt %s follows in %.1f s", error.code, attempt + 1, wait)
        await asyncio.sleep(wait)


def _wait(error: LLMError, attempt: int) -> float | None:
    """Return the seconds before the next attempt, or None when there is to be none."""
    most: float = settings.CHAT_RETRY_MAX_WAIT
    if not error.retryable or attempt >= settings.CHAT_RETRIES or (error.retry_after or 0.0) > most:
        return None
    # Spread out, so that requests which failed together do not come back together.
    if error.retry_after is not None:
        return error.retry_after * random.uniform(1.0, 1.1)  # noqa: S311 (not a secret)
    return min(most, BACKOFF_MOST_SECONDS, BACKOFF_FIRST_SECONDS * (1 << attempt)) * random.uniform(0.5, 1.0)  # noqa: S311


async def aclose() -> None:
    """Close the running loop's clients; the next `stream` opens new ones."""
    clients = _clients_of.pop(asyncio.get_running_loop(), None)
    if clients is not None:
        await clients.keeper.aclose()


async def _endpoint() -> _Endpoint:
    """Return where to ask. May take about two seconds when the demo model has to be started."""
    if not is_demo():
        return _Endpoint(settings.OPENAI_BASE_URL or OPENAI_URL, settings.OPENAI_API_KEY or NO_KEY)
    from chatbot.embedded import model as local_model  # a production server need not have it installed

    if not local_model.available():
        raise errors.ProviderKey("OPENAI_API_KEY and OPENAI_BASE_URL are empty; the demo model is not installed")
    try:
        local = await asyncio.to_thread(local_model.endpoint)
    except Exception as error:
        logger.exception("The local demo model did not start")
        raise errors.ProviderUnreachable(f"the local demo model did not start: {error}") from None
    return _Endpoint(local.base_url, local.api_key or NO_KEY, local.model)


async def _client(endpoint: _Endpoint) -> openai.AsyncOpenAI:
    """Return the running loop's client for `endpoint`, with its open connections."""
    loop = asyncio.get_running_loop()
    for closed in [other for other in _clients_of if other.is_closed()]:
        await _clients_of.pop(closed).close()
    clients = _clients_of.get(loop)
    if clients is None:
        clients = _clients_of[loop] = _Clients()
        clients.keeper = _until_the_loop_ends(clients)
        await anext(clients.keeper)
    address = (endpoint.base_url, endpoint.api_key)
    if address not in clients:
        clients[address] = openai.AsyncOpenAI(
            base_url=endpoint.base_url,
            api_key=endpoint.api_key,
            max_retries=0,
            http_client=openai.DefaultAioHttpClient(
                limits=httpx2.Limits(max_connections=CONNECTIONS, keepalive_expiry=KEEP_ALIVE_SECONDS)
            ),
        )
    return clients[address]


async def _until_the_loop_ends(clients: _Clients) -> AsyncGenerator[None]:
    """Close `clients` when the loop shuts its generators down, as `asyncio.run` and every ASGI server make it do."""
    try:
        yield
    finally:
        await clients.close()


@asynccontextmanager
async def _opened(endpoint: _Endpoint, body: dict[str, Any], deadline: float) -> AsyncIterator[httpx2.Response]:
    """Send the request and give the answer, its body unread. Raises LLMError or what the network raises."""
    try:
        async with asyncio.timeout_at(deadline):
            response = await _ask(endpoint, body)
    except openai.APIStatusError as answer:
        raise errors.from_response(answer.status_code, answer.response.content, answer.response.headers) from None
    except openai.APIConnectionError:
        raise
    except openai.OpenAIError as failure:
        raise errors.ProviderProtocol(f"{type(failure).__name__}: {failure}") from None
    except (UnicodeError, httpx2.InvalidURL, httpx2.LocalProtocolError) as failure:
        # OPENAI_BASE_URL or OPENAI_API_KEY holds what no request can carry.
        raise errors.ProviderUnreachable(f"{type(failure).__name__}: {failure}") from None
    try:
        yield response
    finally:
        await response.aclose()


async def _ask(endpoint: _Endpoint, body: dict[str, Any]) -> httpx2.Response:
    client = await _client(endpoint)
    if endpoint.model:
        body["model"] = endpoint.model
    elif body["model"] == FIRST_OFFERED:
        body["model"] = await _first_model(client, endpoint.base_url)
    try:
        return await _post(client, endpoint.base_url, body)
    except (openai.BadRequestError, openai.UnprocessableEntityError) as refusal:
        if endpoint.base_url in _without_stream_options or "stream_options" not in refusal.response.text:
            raise
        _without_stream_options.add(endpoint.base_url)
    return await _post(client, endpoint.base_url, body)


async def _post(client: openai.AsyncOpenAI, base_url: str, body: dict[str, Any]) -> httpx2.Response:
    options = {} if base_url in _without_stream_options else {"stream_options": {"include_usage": True}}
    return await client.post(
        "/chat/completions",
        cast_to=httpx2.Response,
        body=body | options,
        # The header keeps the client from reading the body; compression would hold a token back for its block's end.
        options={
            "headers": {"X-Stainless-Raw-Response": "stream", "Accept-Encoding": "identity"},
            "timeout": openai.Timeout(None, connect=settings.CHAT_TIMEOUT_CONNECT),
            "security": {"bearer_auth": True},
        },
    )


async def _first_model(client: openai.AsyncOpenAI, base_url: str) -> str:
    """Return the name of the first model that the server lists; asked once per server."""
    if base_url not in _first_offered:
        async for offered in client.models.list():
            _first_offered[base_url] = offered.id
            break
        else:
            raise errors.ProviderModel("the server lists no model; set CHAT_MODELS")
    return _first_offered[base_url]
