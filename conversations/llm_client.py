"""The connection to a provider: clients and their open connections, one request, its answer unread.

The only file that imports `openai`. conversations.llm, which stands before it, imports it when it is first needed.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import httpx2
import openai  # noqa: TID251 (this file is where the vendor is known)
from django.conf import settings

from chatbot.embedded.model import Endpoint
from chatbot.telemetry import origin
from conversations import llm_errors as errors
from conversations import llm_models
from conversations.llm_reading import TRANSPORT_ERRORS, translated

CONNECTIONS = 1_000
KEEP_ALIVE_SECONDS = 30
LIST_SECONDS = 5.0
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Clients(dict[tuple[str, str], openai.AsyncOpenAI]):
    """The clients of one event loop, by base URL and key."""

    keeper: AsyncGenerator[None]

    async def close(self) -> None:
        """Close every client and its connections."""
        while self:
            _, client = self.popitem()
            await client.close()


_clients_of: dict[asyncio.AbstractEventLoop, Clients] = {}
_without_stream_options: set[str] = set()


@cache
def tls() -> ssl.SSLContext:
    """The certificates to trust, loaded once: that takes a tenth of a second."""
    return httpx2.create_ssl_context()


async def close() -> None:
    """Close the running loop's clients."""
    clients = _clients_of.get(asyncio.get_running_loop())
    if clients is not None:
        await clients.keeper.aclose()


async def _client(endpoint: Endpoint) -> openai.AsyncOpenAI:
    """Return the running loop's client for `endpoint`, with its open connections."""
    loop = asyncio.get_running_loop()
    for ended in [other for other in list(_clients_of) if other.is_closed()]:
        if leftover := _clients_of.pop(ended, None):
            await leftover.close()
    clients = _clients_of.get(loop)
    if clients is None:
        clients = _clients_of[loop] = Clients()
        clients.keeper = _until_the_loop_ends(loop, clients)
        await anext(clients.keeper)
    address = (endpoint.base_url, endpoint.api_key)
    if address not in clients:
        clients[address] = openai.AsyncOpenAI(
            base_url=endpoint.base_url,
            api_key=endpoint.api_key,
            max_retries=0,
            http_client=openai.DefaultAioHttpClient(
                verify=tls(),
                trust_env=_may_use_proxy(endpoint),
                limits=httpx2.Limits(max_connections=CONNECTIONS, keepalive_expiry=KEEP_ALIVE_SECONDS),
            ),
        )
    return clients[address]


async def _until_the_loop_ends(loop: asyncio.AbstractEventLoop, clients: Clients) -> AsyncGenerator[None]:
    """Close `clients` when the loop shuts its generators down, as `asyncio.run` and every ASGI server make it do."""
    try:
        yield
    finally:
        _clients_of.pop(loop, None)
        await clients.close()


def _may_use_proxy(endpoint: Endpoint) -> bool:
    """Whether a proxy that the environment names may be asked: not for what runs on this machine."""
    return urlsplit(endpoint.base_url).hostname not in LOOPBACK


@asynccontextmanager
async def opened(
    endpoint: Endpoint, body: dict[str, Any], deadline: float, headers: Mapping[str, str] | None = None
) -> AsyncIterator[httpx2.Response]:
    """Send the request, with these headers beside its own, and give the answer, its body unread.

    Without a model in `body`, the first that the server lists is asked and its name put there. Raises LLMError, at the
    latest at `deadline` (the loop's time).
    """
    try:
        async with asyncio.timeout_at(deadline):
            response = await _ask(endpoint, body, headers or {})
    except TimeoutError:
        raise errors.ProviderTimeout("no response in time") from None
    except TRANSPORT_ERRORS as failure:
        raise translated(failure, begun=False) from None
    except openai.APIStatusError as answer:
        raise _refusal(endpoint, body, answer) from None
    except openai.APIConnectionError as failure:
        raise translated(failure, begun=False) from None
    except openai.OpenAIError as failure:
        raise errors.ProviderProtocol(f"{type(failure).__name__}: {failure}") from None
    except (UnicodeError, httpx2.InvalidURL) as failure:
        # OPENAI_BASE_URL or OPENAI_API_KEY holds what no request can carry.
        raise errors.ProviderUnreachable(f"{type(failure).__name__}: {failure}") from None
    try:
        yield response
    finally:
        await response.aclose()


def _refusal(endpoint: Endpoint, body: dict[str, Any], answer: openai.APIStatusError) -> errors.LLMError:
    error = errors.from_response(answer.status_code, answer.response.content, answer.response.headers)
    # By which the provider finds the request; one that repeats ours tells nothing new.
    theirs = origin.id_in(answer.response.headers.get(origin.HEADER, ""))
    if theirs and theirs != origin.request_id():
        error.detail += f" (the provider's request {theirs})"
    if isinstance(error, errors.ProviderModel):
        llm_models.forget(endpoint.base_url)
    if isinstance(error, errors.ProviderRefused) and "temperature" in body and "temperature" in error.detail.lower():
        return errors.ProviderTemperature(error.detail)
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
        if not isinstance(_refusal(endpoint, body, answer), errors.ProviderModel):
            raise
        # It was removed since the server listed it: the one that is first now answers.
        body["model"] = await _first_model(client, endpoint.base_url)
        if body["model"] == gone:
            raise
    return await _post_as_understood(client, endpoint.base_url, body, headers)


async def _post_as_understood(
    client: openai.AsyncOpenAI, base_url: str, body: dict[str, Any], headers: Mapping[str, str]
) -> httpx2.Response:
    try:
        return await _post(client, base_url, body, headers)
    except (openai.BadRequestError, openai.UnprocessableEntityError) as refusal:
        if base_url in _without_stream_options or "stream_options" not in refusal.response.text:
            raise
        _without_stream_options.add(base_url)
    return await _post(client, base_url, body, headers)


async def _post(
    client: openai.AsyncOpenAI, base_url: str, body: dict[str, Any], headers: Mapping[str, str]
) -> httpx2.Response:
    options = {} if base_url in _without_stream_options else {"stream_options": {"include_usage": True}}
    return await client.post(
        "/chat/completions",
        cast_to=httpx2.Response,
        body=body | options,
        # The header keeps the client from reading the body; compression would hold a token back for its block's end.
        options={
            "headers": {**headers, "X-Stainless-Raw-Response": "stream", "Accept-Encoding": "identity"},
            "timeout": openai.Timeout(None, connect=settings.CHAT_TIMEOUT_CONNECT),
            "security": {"bearer_auth": True},
        },
    )


async def _first_model(client: openai.AsyncOpenAI, base_url: str) -> str:
    """Return the name of the first model that the server lists, as far as known; else it is asked."""
    names = llm_models.known(base_url)
    if names is None:
        try:
            names = _names([offered.id async for offered in client.models.list()])
        except (AttributeError, TypeError, ValueError) as failure:
            raise errors.ProviderProtocol(f"no list of models: {type(failure).__name__}") from None
        if not names:
            raise errors.ProviderModel("the server lists no model; set CHAT_MODELS")
        llm_models.remember(base_url, names)
    return names[0]


def list_models(endpoint: Endpoint) -> tuple[str, ...]:
    """Return the names of the models that the server lists, in its order. Blocks for some seconds at most."""
    with (
        openai.DefaultHttpxClient(verify=tls(), trust_env=_may_use_proxy(endpoint)) as http_client,
        openai.OpenAI(
            base_url=endpoint.base_url,
            api_key=endpoint.api_key,
            max_retries=0,
            timeout=LIST_SECONDS,
            http_client=http_client,
        ) as client,
    ):
        return _names([offered.id for offered in client.models.list()])


def _names(listed: list[Any]) -> tuple[str, ...]:
    return tuple(name for name in listed if isinstance(name, str) and name)
