"""Scripts by name for faults of providers, requested with the message `script: NAME`."""

from functools import cache

from tests.kit.provider.script import (
    END,
    Close,
    Done,
    Finish,
    Raw,
    Reasoning,
    Reset,
    Script,
    Split,
    Stall,
    Text,
    Usage,
    error,
    html,
    reply,
    stream,
    tokens,
    whole,
)

HALF = (Text("The answer "), Text("begins "))
UMLAUT = Text("Grüße, 世界 🌍")

CATALOGUE: dict[str, Script] = {
    "long": tokens(2_000, interval=0.005),
    "slow": tokens(200, interval=0.05, first=1.0),
    "reasoning": stream(Reasoning("Let me "), Reasoning("think."), Text("Forty-two."), *END),
    "think": stream(Text("<think>Let me "), Text("think.</think>\n\n"), Text("Forty-two."), *END),
    "empty": stream(Finish(), Done()),
    "no-done": stream(*HALF, Finish(), Usage()),
    "no-finish": stream(*HALF),
    "close": stream(*HALF, Close()),
    "reset": stream(*HALF, Reset()),
    "reset-at-once": stream(Reset()),
    "stall": stream(*HALF, Stall()),
    "stall-at-once": stream(Stall()),
    "half-event": stream(*HALF, Raw(b'data: {"choices":[{"index":0,"del'), Close()),
    "split-character": stream(Split(UMLAUT, tuple(range(120, 190))), *END),
    "split-line": stream(Split(UMLAUT, (1, 5, 6, 40)), *END),
    "megabyte": stream(Text("word " * 200_000), *END),
    "error-inside": stream(*HALF, Raw(b'data: {"error":{"message":"It broke","type":"server_error"}}\n\n')),
    "html": html(),
    "json": whole("An answer in one piece."),
    "401": error(401, "Incorrect API key provided: sk-none", code="invalid_api_key"),
    "404": error(404, "The model `x` does not exist", code="model_not_found"),
    "429": error(429, "Rate limit reached", code="rate_limit_exceeded", headers={"Retry-After": "30"}),
    "429-no-wait": error(429, "Rate limit reached", code="rate_limit_exceeded"),
    "quota": error(429, "You exceeded your current quota", code="insufficient_quota"),
    "too-long": error(400, "This model's maximum context length is 4096 tokens", code="context_length_exceeded"),
    "filtered": error(400, "The prompt was filtered", code="content_filter"),
    "500": error(500, "The server had an error while processing your request", kind="server_error"),
    "markdown": reply(
        "# A heading\n\nText with **bold**, `code` and a [link](https://example.org).\n\n"
        "| a | b |\n|---|---|\n| 1 | 2 |\n\n"
        "```python\ndef answer() -> int:\n    return 42\n```\n\n- [x] done\n- [ ] open\n",
        interval=0.02,
    ),
}


@cache
def named(name: str) -> Script | None:
    """The script with this name, or None; numbers for a longer script follow its name.

    `tokens COUNT INTERVAL FIRST` is COUNT words at this pace in seconds; `held COUNT` stalls after COUNT words.
    """
    match name.split(" "):
        case ["tokens", count, interval, first]:
            return tokens(int(count), interval=float(interval), first=float(first))
        case ["held", count]:
            return stream(*tokens(int(count), interval=0.02).steps[: -len(END)], Stall())
    return CATALOGUE.get(name)
