"""The connection to a provider: clients with their open connections, one request, its unread response.

The only file that imports `openai`; `service` imports this module on first use.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
import openai  # noqa: TID251 (this file is where the vendor is known)
from django.conf import settings

from chatbot.core.process import Part
from chatbot.embedded.model import Endpoint
from chatbot.telemetry import origin
from conversations.errors import providers
from conversations.llm import catalogue, errors
from conversations.llm.protocol import looks_like
from conversations.llm.reading import TRANSPORT_ERRORS, translated

CONNECTIONS = 1_000
KEEP_ALIVE_SECONDS = 30
LIST_SECONDS = 5.0
LIST_MAX_BYTES, ERROR_MAX_BYTES = 4 * 1024 * 1024, 64 * 1024
"""Bytes read at most of a list of models, and of an error."""

LIST_PIECE = 64 * 1024

LISTING: Any = {"security": {"bearer_auth": True}, "headers": {"Accept-Encoding": "identity"}}
SYSTEM = frozenset({"system", "developer"})
"""Roles of messages that give a model instructions."""
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Clients(dict[tuple[str, str], openai.AsyncOpenAI]):
    """The clients of one event loop, by base URL and key."""

    keeper: AsyncGenerator[None]

    async def close(self) -> None:
        """Close every client and its connections."""
        while self:
            _, client = self.popitem()
            await client.close()


@dataclass(frozen=True, slots=True)
class Lacks:
    """Protocol features that servers and models turned out to lack."""

    stream_options: set[str] = field(default_factory=set)
    """Base URLs of servers that reject `stream_options`."""
    instructions: set[tuple[str, str]] = field(default_factory=set)
    """(base URL, model) pairs that accept no system message: instructions go into the first user message."""


_clients_of = Part(dict[asyncio.AbstractEventLoop, Clients])
_lacks = Part(Lacks)


@cache
def tls() -> ssl.SSLContext:
    """TLS context with the trusted certificates, loaded once: that takes a tenth of a second."""
    return httpx2.create_ssl_context()


async def close() -> None:
    """Close the running loop's clients."""
    clients = _clients_of().get(asyncio.get_running_loop())
    if clients is not None:
        await clients.keeper.aclose()


async def _client(endpoint: Endpoint) -> openai.AsyncOpenAI:
    """Return the running loop's client for `endpoint`, with its open connections."""
    loop, clients_of = asyncio.get_running_loop(), _clients_of()
    for ended in [other for other in list(clients_of) if other.is_closed()]:
        if leftover := clients_of.pop(ended, None):
            await leftover.close()
    clients = clients_of.get(loop)
    if clients is None:
        clients = clients_of[loop] = Clients()
        clients.keeper = _until_the_loop_ends(clients_of, loop)
        await anext(clients.keeper)
    address = (endpoint.base_url, endpoint.api_key)
    if address not in clients:
        clients[address] = openai.AsyncOpenAI(
            **_address(endpoint),
            max_retries=0,
            http_client=openai.DefaultAioHttpClient(
                event_hooks={"response": [_bound]},
                verify=tls(),
                trust_env=_may_use_proxy(endpoint),
                limits=httpx2.Limits(max_connections=CONNECTIONS, keepalive_expiry=KEEP_ALIVE_SECONDS),
            ),
        )
    return clients[address]


class _Bounded(httpx2.AsyncByteStream):
    """A response body that ends after `most` bytes, so that reading it whole needs no more memory."""

    def __init__(self, body: httpx2.AsyncByteStream, most: int) -> None:
        self._body = body
        self._most = most

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = self._most
        async for part in self._body:
            yield part[:left]
            left -= len(part)
            if left <= 0:
                return

    async def aclose(self) -> None:
        """Close the body."""
        await self._body.aclose()


async def _bound(response: httpx2.Response) -> None:
    """Limit the bodies that the package reads by itself: errors and lists of models."""
    is_list = response.request.method == "GET"
    if (is_list or response.is_error) and isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = _Bounded(response.stream, LIST_MAX_BYTES if is_list else ERROR_MAX_BYTES)


async def _until_the_loop_ends(
    clients_of: dict[asyncio.AbstractEventLoop, Clients], loop: asyncio.AbstractEventLoop
) -> AsyncGenerator[None]:
    """Close the loop's clients when it shuts its generators down, as `asyncio.run` and every ASGI server make it do."""
    clients = clients_of[loop]
    try:
        yield
    finally:
        clients_of.pop(loop, None)
        await clients.close()


def _address(endpoint: Endpoint) -> dict[str, Any]:
    """Constructor arguments for a client: URL, key and headers; a query in the base URL is sent with each request."""
    base_url, _, query = endpoint.base_url.partition("?")
    parameters = dict(parse_qsl(query, keep_blank_values=True))
    # A base URL with an API version (Azure) takes the key in a header of its own.
    headers = {"api-key": endpoint.api_key} if "api-version" in parameters else {}
    return {
        "base_url": base_url.rstrip("/").removesuffix("/chat/completions"),
        "api_key": endpoint.api_key,
        "default_query": parameters,
        "default_headers": headers,
    }


def _may_use_proxy(endpoint: Endpoint) -> bool:
    """Whether a proxy named in the environment may be used: not for a server on this machine."""
    return urlsplit(endpoint.base_url).hostname not in LOOPBACK


@asynccontextmanager
async def opened(
    endpoint: Endpoint, body: dict[str, Any], deadline: float, headers: Mapping[str, str] | None = None
) -> AsyncIterator[httpx2.Response]:
    """Send the request, with `headers` besides its own, and give the response with its body unread.

    When `body` has no model, the first one that the server lists is used and written into `body`. Raises LLMError, at
    the latest at `deadline` (the loop's time).
    """
    try:
        async with asyncio.timeout_at(deadline):
            response = await _ask(endpoint, body, headers or {})
    except TimeoutError:
        raise providers.ProviderTimeout("no response in time") from None
    except TRANSPORT_ERRORS as failure:
        raise translated(failure, begun=False) from None
    except openai.APIStatusError as answer:
        raise _refusal(endpoint, body, answer) from None
    except openai.APIConnectionError as failure:
        raise translated(failure, begun=False) from None
    except openai.OpenAIError as failure:
        raise providers.ProviderProtocol(f"{type(failure).__name__}: {failure}") from None
    except (UnicodeError, httpx2.InvalidURL) as failure:
        # OPENAI_BASE_URL or OPENAI_API_KEY holds characters that no request can carry.
        raise providers.ProviderUnreachable(f"{type(failure).__name__}: {failure}") from None
    try:
        yield response
    finally:
        await response.aclose()


async def whole(response: httpx2.Response, deadline: float, *, most: int) -> bytes:
    """The whole body of a response that is one JSON object, at most `most` bytes. Raises LLMError."""
    parts: list[bytes] = []
    room = most
    try:
        async with asyncio.timeout_at(deadline):
            async for part in response.aiter_bytes():
                parts.append(part)
                room -= len(part)
                if room < 0:
                    raise providers.ProviderProtocol(f"an answer of more than {most} bytes")
    except TimeoutError:
        raise providers.ProviderTimeout("no whole answer in time") from None
    except TRANSPORT_ERRORS as failure:
        raise translated(failure, begun=False) from None
    body = b"".join(parts)
    if looks_like(body) != "json":
        raise providers.ProviderProtocol(f"an answer that begins with {body[:300]!r}")
    return body


def _refusal(endpoint: Endpoint, body: dict[str, Any], answer: openai.APIStatusError) -> providers.LLMError:
    response = answer.response
    error = errors.from_response(answer.status_code, response.content, response.headers, model=body["model"])
    # The provider finds the request by this id; when it repeats ours, it adds nothing.
    theirs = origin.id_in(response.headers.get(origin.HEADER, ""))
    if theirs and theirs != origin.request_id():
        error.detail += f" (the provider's request {theirs})"
    if isinstance(error, providers.ProviderModel):
        catalogue.forget(endpoint.base_url)
    if isinstance(error, providers.ProviderInstructions) and not _is_instructed(body):
        return providers.ProviderRefused(error.detail, upstream=error.upstream)
    if isinstance(error, providers.ProviderTools) and "tools" not in body and "functions" not in body:
        return providers.ProviderRefused(error.detail, upstream=error.upstream)
    if isinstance(error, providers.ProviderRefused) and "temperature" in body and "temperature" in error.detail.lower():
        return providers.ProviderTemperature(error.detail, upstream=error.upstream)
    return error


async def _ask(endpoint: Endpoint, body: dict[str, Any], headers: Mapping[str, str]) -> httpx2.Response:
    client = await _client(endpoint)
    if endpoint.model:
        body["model"] = endpoint.model
    if body["model"]:
        return await _post_as_understood(client, endpoint.base_url, body, headers)
    body["model"] = gone = await _first_model(client, endpoint.base_url)
    try:
        return await _post_as_understood(client, endpoint.base_url, body, headers)
    except openai.APIStatusError as answer:
        if not isinstance(_refusal(endpoint, body, answer), providers.ProviderModel):
            raise
        # The model was removed after the server listed it: ask the one that is now first.
        body["model"] = await _first_model(client, endpoint.base_url)
        if body["model"] == gone:
            raise
    return await _post_as_understood(client, endpoint.base_url, body, headers)


async def _post_as_understood(
    client: openai.AsyncOpenAI, base_url: str, body: dict[str, Any], headers: Mapping[str, str]
) -> httpx2.Response:
    model, lacks = (base_url, body["model"]), _lacks()
    while True:
        # Compare with the state before the request: another request may have changed it meanwhile.
        counts, instructs = base_url not in lacks.stream_options, model not in lacks.instructions
        try:
            return await _post(client, base_url, body, headers)
        except openai.APIStatusError as refusal:
            error = errors.from_response(refusal.status_code, refusal.response.content, refusal.response.headers)
            if counts and refusal.status_code in {400, 422} and "stream_options" in refusal.response.text:
                lacks.stream_options.add(base_url)
            elif instructs and isinstance(error, providers.ProviderInstructions) and _is_instructed(body):
                lacks.instructions.add(model)
            else:
                raise


def _is_instructed(body: dict[str, Any]) -> bool:
    return any(message["role"] in SYSTEM for message in body.get("messages", ()))


async def _post(
    client: openai.AsyncOpenAI, base_url: str, body: dict[str, Any], headers: Mapping[str, str]
) -> httpx2.Response:
    is_chat, lacks = "messages" in body, _lacks()
    counts = is_chat and base_url not in lacks.stream_options
    options: dict[str, Any] = {"stream_options": {"include_usage": True}} if counts else {}
    if (base_url, body["model"]) in lacks.instructions and _is_instructed(body):
        options["messages"] = _with_instructions_said(body["messages"])
    return await client.post(
        "/chat/completions" if is_chat else "/embeddings",
        cast_to=httpx2.Response,
        body=body | options,
        # The header keeps the package from reading the body; compression would delay tokens until a block is full.
        options={
            "headers": {**headers, "X-Stainless-Raw-Response": "stream", "Accept-Encoding": "identity"},
            "timeout": openai.Timeout(None, connect=settings.CHAT_TIMEOUT_CONNECT),
            "security": {"bearer_auth": True},
        },
    )


def _with_instructions_said(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages with the system's instructions moved to the beginning of the first user message."""
    said = "\n\n".join(str(message["content"]) for message in messages if message["role"] in SYSTEM)
    others = [message for message in messages if message["role"] not in SYSTEM]
    first = next((place for place, message in enumerate(others) if message["role"] == "user"), None)
    if first is None:
        return [{"role": "user", "content": said}, *others]
    content = others[first]["content"]
    joined = [{"type": "text", "text": said}, *content] if isinstance(content, list) else f"{said}\n\n{content}"
    return [*others[:first], others[first] | {"content": joined}, *others[first + 1 :]]


async def _first_model(client: openai.AsyncOpenAI, base_url: str) -> str:
    """Name of the first chat model that the server lists, from the cache, else by a request."""
    names = catalogue.known(base_url)
    if names is None:
        try:
            names = catalogue.names_in(await client.get("/models", cast_to=object, options=LISTING))
        except (TypeError, ValueError) as failure:
            raise providers.ProviderProtocol(f"no list of models: {type(failure).__name__}") from None
        if not names:
            raise providers.ProviderModel("the server lists no model; set CHAT_MODELS")
        catalogue.remember(base_url, names)
    return catalogue.for_chat(names)[0]


def list_models(endpoint: Endpoint) -> tuple[str, ...]:
    """Names of the models that the server lists, in its order. Blocks for some seconds at most.

    Raises ValueError for a list that is too long, and the errors of the `openai` package.
    """
    with (
        openai.DefaultHttpxClient(verify=tls(), trust_env=_may_use_proxy(endpoint)) as http_client,
        openai.OpenAI(**_address(endpoint), max_retries=0, timeout=LIST_SECONDS, http_client=http_client) as client,
        client.models.with_streaming_response.list(extra_headers=LISTING["headers"]) as answer,
    ):
        body = b""
        for part in answer.iter_bytes(LIST_PIECE):
            body += part
            if len(body) > LIST_MAX_BYTES:
                raise ValueError(f"a list of models of more than {LIST_MAX_BYTES} bytes")
        return catalogue.names_in(body)
