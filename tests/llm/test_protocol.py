"""The protocol's pure parts: bytes to events, waits to words, whatever the packets."""

import json
from datetime import UTC, datetime
from functools import partial

import pytest

from chatbot.core.errors import UserFacingError
from conversations.errors.providers import LLMError, ProviderRateLimited, wait_in_words
from conversations.llm.protocol import (
    EVENT_MAX_BYTES,
    Answer,
    Event,
    EventStream,
    ProtocolError,
    ReasoningDelta,
    SentError,
    TextDelta,
    TextWasReasoning,
    ThinkSplitter,
    Usage,
    looks_like,
)
from conversations.llm.upstream import retry_after

STREAM = (
    b"\xef\xbb\xbfdata: first\r\n\r\n: a comment\r\ndata:second\n\nevent: x\rdata: two\rdata:  lines\r\r"
    + "data: Grüße 🌍\n\nretry: 5\ndata\n\n".encode()
    + b"data: last\n"
)
EVENTS = [b"first", b"second", b"two\n lines", "Grüße 🌍".encode(), b"last"]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1_000])
def test_packets_of_any_size_give_the_same_events(size: int) -> None:
    lines = EventStream()
    found = [data for start in range(0, len(STREAM), size) for data in lines.feed(STREAM[start : start + size])]
    assert [*found, *lines.close()] == EVENTS


def test_a_stream_cut_at_any_place_gives_the_same_events() -> None:
    for cut in range(len(STREAM) + 1):
        lines = EventStream()
        assert [*lines.feed(STREAM[:cut]), *lines.feed(STREAM[cut:]), *lines.close()] == EVENTS


def test_an_event_without_end_is_refused() -> None:
    lines = EventStream()
    assert lines.feed(b"x" * EVENT_MAX_BYTES) == []
    with pytest.raises(ProtocolError):
        lines.feed(b"x")


def reasoning_and_text(pieces: list[str]) -> tuple[str, str]:
    """What a splitter makes of the pieces: all reasoning, all text."""
    splitter = ThinkSplitter()
    events: list[Event] = []
    for piece in filter(None, pieces):
        events += [TextDelta(piece)] if splitter.passes(piece) else splitter.feed(piece)
    reasoning = text = ""
    for event in [*events, *splitter.close()]:
        match event:
            case ReasoningDelta(text=more):
                assert more
                reasoning += more
            case TextDelta(text=more):
                assert more
                text += more
            case TextWasReasoning():
                reasoning, text = text, ""
    return reasoning, text


@pytest.mark.parametrize(
    ("whole", "reasoning", "said"),
    [
        ("<think>a < b </thin> c</think>\n\nYes <think>no</think>", "a < b </thin> c", "Yes <think>no</think>"),
        ("\n <think>a</think>Yes", "a", "Yes"),
        ("<think></think>Yes", "", "Yes"),
        ("<think>never ends </thi", "never ends </thi", ""),
        ("<thi", "", "<thi"),
        ("<thing>", "", "<thing>"),
        ("Say <think>", "", "Say <think>"),
        ("  Yes", "", "  Yes"),
        ("<thinking>a</think>b</thinking>Yes", "a</think>b", "Yes"),
        ("<Think>a</THINK>Yes", "a", "Yes"),
        ("<thought>a</thought>Yes", "a", "Yes"),
        ("[THINK]a [b](c)[/THINK]Yes [no](x) [/THINK]", "a [b](c)", "Yes [no](x) [/THINK]"),
        ("◁think▷a◁/think▷Yes", "a", "Yes"),
        ("<seed:think>a</seed:think>Yes", "a", "Yes"),
        (
            "<|channel|>analysis<|message|>a <|end|> b<|end|><|start|>assistant<|channel|>final<|message|>Yes",
            "a <|end|> b",
            "Yes",
        ),
        ("a</think>Yes", "a", "Yes"),
        ("a\n</thinking>\n\nYes </think>", "a\n", "Yes </think>"),
        ("a[/THINK]Yes", "a", "Yes"),
        ("</think>\n\nYes", "", "Yes"),
        ("a <b </thi[/thin </think>\nYes", "a <b </thi[/thin ", "Yes"),
        ("İ<think a</think>Yes", "İ<think a", "Yes"),
        ("`<think>` begins it, `</think>` ends it.", "", "`<think>` begins it, `</think>` ends it."),
        ('"<think>" and "</think>"', "", '"<think>" and "</think>"'),
        ("“</think>” ends it", "", "“</think>” ends it"),
        ("End it with `</think>`.", "", "End it with `</think>`."),
        ("End it with '</think>', don't forget", "", "End it with '</think>', don't forget"),
        ("The tag </think> ends a thought.", "", "The tag </think> ends a thought."),
        ("`a </think> b` is code", "", "`a </think> b` is code"),
        ("```xml\n</think>\n```\nis code", "", "```xml\n</think>\n```\nis code"),
        ("```xml\n<think>\n</think>\n```", "", "```xml\n<think>\n</think>\n```"),
        ("    <think>\nis code</think>", "", "    <think>\nis code</think>"),
        ("It opens: <think>. It ends: </think>.", "", "It opens: <think>. It ends: </think>."),
        ("See ```code``` and `x`.\n</think>Yes", "See ```code``` and `x`.\n", "Yes"),
        ("<think>the tag `</think>` ends it</think>Yes", "the tag `</think>` ends it", "Yes"),
        ('<think>he said "a"</think>"b"', 'he said "a"', '"b"'),
        ("a `</think>`</think>Yes", "a `</think>`", "Yes"),
        ("`</think>`" * 9 + "</think>", "", "`</think>`" * 9 + "</think>"),
    ],
)
def test_thinking_is_told_from_text_wherever_the_pieces_end(whole: str, reasoning: str, said: str) -> None:
    for cut in range(len(whole) + 1):
        assert reasoning_and_text([whole[:cut], whole[cut:]]) == (reasoning, said)
    assert reasoning_and_text(list(whole)) == (reasoning, said)


def test_reasoning_may_be_about_its_own_tag_from_one_end_to_the_other() -> None:
    about = "a `</think>` " * 1_500
    assert reasoning_and_text(["<think>", about, "</think>Yes"]) == (about, "Yes")


def chunk(content: object, field: str = "content") -> bytes:
    """One chunk with this content, lone surrogates escaped."""
    return json.dumps({"choices": [{"index": 0, "delta": {field: content}}]}).encode()


def text_of(*chunks: bytes, together: bool) -> str:
    """The text of an answer in these chunks, read in one call or each in a call of its own."""
    answer = Answer()
    calls = [chunks] if together else [(one,) for one in chunks]
    return "".join(event.text for call in calls for event in answer.chunks(call) if isinstance(event, TextDelta))


either_way = pytest.mark.parametrize("together", [False, True], ids=["each chunk alone", "all in one call"])


@either_way
def test_text_can_always_be_stored(together: bool) -> None:  # noqa: FBT001 (a parameter of the test)
    said = partial(text_of, chunk("It is: "), together=together)
    assert said(chunk("a\x00b"), chunk("\x00"), chunk("c")) == "It is: abc"
    assert said(chunk("a \ud83c"), chunk("\udf0d b")) == "It is: a 🌍 b"
    assert said(chunk("a \ud83c"), chunk("b \udf0d c")) == "It is: a \ufffdb \ufffd c"
    assert said(b'{"choices":[{"delta":{"content":"a\xffb"}}]}') == "It is: a\ufffdb"


@either_way
def test_content_in_parts_and_refusals_are_text(together: bool) -> None:  # noqa: FBT001 (a parameter of the test)
    parts = chunk([{"type": "text", "text": "a"}, {"type": "image"}, "b", {"type": "text"}])
    assert text_of(parts, chunk("I cannot.", "refusal"), together=together) == "aI cannot."


@either_way
def test_the_first_text_of_an_answer_can_be_stored_too(together: bool) -> None:  # noqa: FBT001 (a parameter of the test)
    assert text_of(chunk("a\x00b \ud83c"), chunk("\udf0d"), together=together) == "ab 🌍"
    assert text_of(b'{"choices":[{"delta":{"content":"a\xffb"}}]}', together=together) == "a\ufffdb"


def test_text_that_follows_text_in_one_read_is_one_event() -> None:
    answer = Answer()
    assert list(answer.chunks([chunk("One ")])) == [TextDelta("One ")]
    assert list(answer.chunks([chunk("two "), chunk("three "), chunk("four")])) == [TextDelta("two three four")]


def test_text_comes_before_reasoning_that_follows_it_in_one_read() -> None:
    chunks = [chunk("One "), chunk("two "), chunk("Hm.", "reasoning_content"), chunk("three")]
    assert list(Answer().chunks(chunks)) == [
        TextDelta("One "),
        TextDelta("two "),
        ReasoningDelta("Hm."),
        TextDelta("three"),
    ]


@pytest.mark.parametrize(
    ("last", "error"), [(b'{"error":{"message":"overloaded"}}', SentError), (b'{"choices":[{"del', ProtocolError)]
)
def test_text_before_an_error_in_one_read_is_kept(last: bytes, error: type[Exception]) -> None:
    seen: list[Event] = []
    with pytest.raises(error):
        seen.extend(Answer().chunks([chunk("One "), chunk("two "), chunk("three"), last]))
    assert seen == [TextDelta("One "), TextDelta("two three")]


@pytest.mark.parametrize(
    ("begin", "kind"),
    [(b"", ""), (b" \r\n", ""), (b"data: {}", "stream"), (b": ping", "stream"), (b' {"a"', "json"), (b"\n<!D", "html")],
)
def test_the_first_bytes_tell_what_an_answer_is(begin: bytes, kind: str) -> None:
    assert looks_like(begin) == kind
    assert looks_like(b"\xef\xbb\xbf" + begin) == kind


@pytest.mark.parametrize(
    ("counted", "usage"),
    [
        ({"prompt_tokens": 7, "completion_tokens": 5}, Usage(7, 5)),
        ({"prompt_tokens": 7.0, "completion_tokens": 5.0}, Usage(7, 5)),
        ({"prompt_tokens": "7", "completion_tokens": "5.0"}, Usage(7, 5)),
        ({"input_tokens": 7, "output_tokens": 5}, Usage(7, 5)),
        ({"prompt_tokens": True, "completion_tokens": -1}, Usage(0, 0)),
        ({"prompt_tokens": float(2**40), "completion_tokens": "many"}, Usage(0, 0)),
        (
            {
                "prompt_tokens": 7,
                "completion_tokens": 5,
                "prompt_tokens_details": {"cached_tokens": 4.0},
                "completion_tokens_details": {"reasoning_tokens": "3"},
            },
            Usage(7, 5, 4, 3),
        ),
        ({"prompt_tokens": 7, "completion_tokens": 5, "prompt_tokens_details": None}, Usage(7, 5)),
        ({"prompt_tokens": 7, "completion_tokens": 5, "prompt_cache_hit_tokens": 6}, Usage(7, 5, 6)),
    ],
)
def test_tokens_are_counted_however_the_numbers_are_written(counted: dict[str, object], usage: Usage) -> None:
    answer = Answer()
    assert list(answer.chunks([json.dumps({"choices": [], "usage": counted}).encode()])) == []
    assert list(answer.close()) == [usage]


NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "20"}, 20.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "20", "retry-after-ms": "250"}, 0.25),
        ({"retry-after": "Fri, 02 Jan 2026 03:04:35 GMT"}, 30.0),
        ({"retry-after": "Fri, 02 Jan 2026 03:00:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
    ],
)
def test_the_wait_that_a_provider_asks_for_is_understood(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, now=NOW) == seconds


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "in a moment"),
        (0.5, "in a moment"),
        (20, "in about 20 seconds"),
        (89, "in about 89 seconds"),
        (100, "in about 2 minutes"),
        (5_399, "in about 90 minutes"),
        (7_200, "in about 2 hours"),
        (200_000, "in about 56 hours"),
    ],
)
def test_waits_are_said_in_words(seconds: float | None, words: str) -> None:
    assert wait_in_words(seconds) == words
    assert words in str(ProviderRateLimited(retry_after=seconds))


def everything_below(kind: type[UserFacingError]) -> list[type[UserFacingError]]:
    """Every subclass, near and far."""
    return [found for child in kind.__subclasses__() for found in (child, *everything_below(child))]


def test_every_error_of_a_provider_has_a_code_and_a_sentence_of_its_own() -> None:
    kinds = everything_below(LLMError)
    assert len({kind.code for kind in kinds}) == len(kinds) == 17
    for kind in kinds:
        sentence = str(kind())
        assert sentence.endswith(".")
        assert "saved" in sentence
        assert "\n" not in sentence
