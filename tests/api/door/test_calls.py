"""Pieces of calls of any kind: what is streamed adds up to what is sent whole, and nothing raises."""

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from conversations.api.completions import Completion
from conversations.api.responses.answer import ResponseAnswer
from conversations.api.responses.schemas import ResponseIn
from conversations.api.responses.translation import repeated
from conversations.llm import service as llm
from conversations.llm.service import Event
from tests.api.responses.kit import events

ANSWERS = 400
NO_PIECES: list[Any] = [None, 0, -1, 1.5, float("inf"), "", "a", "\ud800", True, [], {}, ["x"], 10**30]
IDS: list[Any] = [None, "", "a", "b", 5]
INDEXES: list[Any] = [None, 0, 1, "0", 1.0, -1]
NAMES: list[Any] = [None, "", "look", "ask", ["look"]]
ARGUMENTS: list[Any] = [None, "", " ", '{"a": 1}', '{"a":', " 1}", {"a": 1}, "\ud83d", "\ude00"]
REPEATED = repeated(ResponseIn.model_validate({"input": "Hello"}))


def piece(chance: random.Random) -> object:
    """A piece of a call, or something else in its place."""
    if chance.random() < 0.2:
        return chance.choice(NO_PIECES)
    kind = chance.choice(["function", "function", "function", "custom", "other"])
    body = {"name": chance.choice(NAMES), "arguments": chance.choice(ARGUMENTS), "input": chance.choice(ARGUMENTS)}
    return {
        "index": chance.choice(INDEXES),
        "id": chance.choice(IDS),
        "type": chance.choice([None, "function", "custom", 5]),
        kind: body if chance.random() < 0.9 else chance.choice(NO_PIECES),
    }


def answer(chance: random.Random) -> Iterator[Event]:
    """The events of an answer with calls, text and reasoning, in any order."""
    for _ in range(chance.randint(1, 8)):
        match chance.randint(0, 6):
            case 0:
                yield llm.TextDelta("text")
            case 1:
                yield llm.ReasoningDelta("reasoning")
            case 2:
                yield llm.Extra("function_call", piece(chance))
            case 3:
                yield llm.Extra("tool_calls", piece(chance))
            case _:
                yield llm.Extra("tool_calls", [piece(chance) for _ in range(chance.randint(0, 3))])
    yield llm.Finish(chance.choice(["stop", "tool_calls", "function_call", "length"]))


def added_up(chunks: bytes) -> dict[int, list[str]]:
    """The ID, the name and the arguments of each streamed call, by its index."""
    found: dict[int, list[str]] = {}
    for line in chunks.decode().split("\n\n"):
        for choice in json.loads(line.removeprefix("data: "))["choices"] if line.startswith("data: {") else ():
            for call in choice["delta"].get("tool_calls", ()):
                body = call.get("function") or call.get("custom") or {}
                brought = (call.get("id"), body.get("name"), body.get("arguments") or body.get("input"))
                sums = found.setdefault(call["index"], ["", "", ""])
                sums[:] = [whole + (text or "") for whole, text in zip(sums, brought, strict=True)]
    return found


@pytest.mark.parametrize("seed", range(5))
def test_streamed_calls_of_a_completion_add_up_to_the_whole_ones(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 (not a secret)
    for _ in range(ANSWERS):
        streamed, sent_whole = Completion("x", "m"), Completion("x", "m")
        chunks = b""
        for event in answer(chance):
            chunks += streamed.frame(event)
            sent_whole.add(event)
        sums = added_up(chunks + streamed.last())
        choice = sent_whole.whole()["choices"][0]
        calls = choice["message"].get("tool_calls", [])
        bodies = [call.get("function") or call["custom"] for call in calls]
        told = [[body["name"], body.get("arguments", body.get("input"))] for body in bodies]
        assert told == [sums[place][1:] for place in range(len(calls))]
        assert len(sums) == len(calls) == len({call["id"] for call in calls})
        assert choice["finish_reason"] == streamed.finish_reason
        if calls and choice["finish_reason"] == "tool_calls":
            assert all(body["arguments"].strip() for body in bodies if "arguments" in body)


@pytest.mark.parametrize("seed", range(5))
def test_streamed_items_of_a_response_are_those_of_the_whole_one(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 (not a secret)
    for _ in range(ANSWERS // 4):
        streamed, sent_whole = ResponseAnswer("m", REPEATED), ResponseAnswer("m", REPEATED)
        frames = b""
        for event in answer(chance):
            frames += streamed.frame(event)
            sent_whole.add(event)
        told = events(frames + streamed.last())
        output = told[-1]["response"]["output"]
        done = {event["output_index"]: event["item"] for event in told if event["type"].endswith("item.done")}
        assert [done[place] for place in range(len(output))] == output
        for place, item in enumerate(output):
            pieces = "".join(event["delta"] for event in told if "delta" in event and event["output_index"] == place)
            assert pieces == text_of(item)
        assert [(item["type"], text_of(item)) for item in sent_whole.whole()["output"]] == [
            (item["type"], text_of(item)) for item in output
        ]


def text_of(item: dict[str, Any]) -> str:
    """What an item says, thinks, or is called with."""
    parts = item.get("content") or item.get("summary") or ()
    return str(item["arguments"]) if "arguments" in item else "".join(part["text"] for part in parts)
