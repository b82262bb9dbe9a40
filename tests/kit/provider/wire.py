"""Scripts as bytes, computed before requests come as far as possible."""

import json
from functools import lru_cache
from http import HTTPStatus

from tests.kit.provider.script import (
    Calls,
    Close,
    Done,
    Finish,
    Gate,
    Raw,
    Reasoning,
    Reset,
    Script,
    Split,
    Stall,
    Step,
    Text,
    Usage,
    Wait,
)

SPLIT_SECONDS = 0.004
"""Seconds between the packets of a split step, so that the client receives them one by one."""

Operation = bytes | float | Gate | Stall | Close | Reset | Usage
"""Bytes to send, seconds to wait, or a step that depends on the request."""

KNOWN = frozenset(HTTPStatus)
MODEL = "scripted"
COMMON = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": MODEL}


def event(step: Text | Reasoning | Calls | Finish | Usage | Done | Raw) -> bytes:
    """The bytes of one step, in the format of the stream."""
    match step:
        case Raw(data):
            return data
        case Done():
            return b"data: [DONE]\n\n"
        case Usage(prompt, completion):
            usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
            return _data({**COMMON, "choices": [], "usage": usage})
        case Finish(reason):
            return _data({**COMMON, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
        case Calls(pieces):
            return _data({**COMMON, "choices": [{"index": 0, "delta": {"tool_calls": [*map(json.loads, pieces)]}}]})
        case Text(text):
            delta = {"content": text}
        case Reasoning(text, field):
            delta = {field: text}
    return _data({**COMMON, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}]})


def _data(body: object) -> bytes:
    return b"data: " + json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


def framed(data: bytes, *, chunked: bool) -> bytes:
    """`data` as one chunk of the HTTP body, or unchanged."""
    return b"%x\r\n%b\r\n" % (len(data), data) if chunked and data else data


@lru_cache(maxsize=512)
def operations(script: Script) -> tuple[Operation, ...]:
    """The operations for `script`, from its first byte to the end of its body."""
    listed: list[Operation] = []
    for step in script.before:
        listed += _operations(step, chunked=False)
    listed.append(head(script))
    for step in script.steps:
        listed += _operations(step, chunked=script.chunked)
    if script.chunked:
        listed.append(b"0\r\n\r\n")
    return tuple(listed)


def _operations(step: Step, *, chunked: bool) -> list[Operation]:
    match step:
        case Wait(seconds):
            return [float(seconds)]
        case Gate() | Stall() | Close() | Reset() | Usage():
            return [step]
        case Split(inner, at):
            data = event(inner)
            edges = [0, *at, len(data)]
            parts = [framed(data[start:end], chunked=chunked) for start, end in zip(edges, edges[1:], strict=False)]
            return [operation for part in parts for operation in (part, SPLIT_SECONDS)]
        case _:
            return [framed(event(step), chunked=chunked)]


def head(script: Script) -> bytes:
    """The status line and headers of an answer, as bytes."""
    body = [("Transfer-Encoding", "chunked")] if script.chunked else [("Connection", "close")]
    lines = [f"{name}: {value}\r\n" for name, value in (("Content-Type", script.content_type), *body, *script.headers)]
    phrase = HTTPStatus(script.status).phrase if script.status in KNOWN else "Unassigned"
    return f"HTTP/1.1 {script.status} {phrase}\r\n{''.join(lines)}\r\n".encode()
