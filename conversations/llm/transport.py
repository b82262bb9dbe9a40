"""The answer of aiohttp below the one that the vendor's package shows."""

import aiohttp
import httpx2


def plain_answer(response: httpx2.Response) -> aiohttp.ClientResponse | None:
    """aiohttp's own answer, whose body can be read without the package's; None where a version hides it.

    The package wraps it in four generators, whose steps cost more than what they bring, and tells it to nobody: it is
    `_aiohttp_response` of the `_stream` of the answer's stream, as of openai 2.
    """
    answer = getattr(getattr(response.stream, "_stream", None), "_aiohttp_response", None)
    return answer if isinstance(answer, aiohttp.ClientResponse) else None
