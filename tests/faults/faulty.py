"""What goes wrong with model providers, and how the reply has to end then."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import repeat

from tests.faults.speech import Rest, Speech, Words, before_end
from tests.kit.provider import (
    END,
    Close,
    Done,
    Finish,
    Raw,
    Reasoning,
    Request,
    Reset,
    Script,
    Split,
    Stall,
    Text,
    Usage,
    error,
    html,
    stream,
)
from tests.kit.provider.wire import event

HALF_EVENT = Raw(b'data: {"choices":[{"index":0,"del')
ERROR_EVENT = Raw(b'data: {"error":{"message":"It broke","type":"server_error"}}\n\n')
TOO_MANY = "Rate limit reached"
NO_KEY = error(401, "Incorrect API key provided", code="invalid_api_key")
BROKEN = error(500, "The server had an error", kind="server_error")


@dataclass(frozen=True, slots=True)
class Fault:
    """The provider's answers to one question, the last of them again and again, and what the site makes of them."""

    scripts: Callable[[Words], Sequence[Script]]
    outcome: str = "complete"
    """The reply's status, or the code of its error."""

    requests: int = 1
    """How often the provider is asked."""
    stalls: bool = False
    """Whether only the site's patience ends it."""


def whole(speech: Words) -> Text:
    """The answer in one event."""
    return Text(speech.text)


def half(speech: Words) -> Text:
    """The first half of the answer in one event."""
    return Text(speech.text[: len(speech.text) // 2])


def in_characters(speech: Words) -> Split:
    """The answer, cut in the middle of every character that is longer than one byte."""
    data = event(whole(speech))
    return Split(whole(speech), tuple(place for place, byte in enumerate(data) if byte & 0xC0 == 0x80))


def in_lines(speech: Words) -> Split:
    """The answer, cut every few bytes."""
    return Split(whole(speech), tuple(range(3, len(event(whole(speech))), 11)))


def reasoned(speech: Words) -> Script:
    """The answer after reasoning."""
    return stream(Reasoning("Let me think. "), Reasoning("So."), *speech.script.steps)


FAULTS = {
    "none": Fault(lambda speech: [speech.script]),
    "reasoning": Fault(lambda speech: [reasoned(speech)]),
    "split characters": Fault(lambda speech: [stream(in_characters(speech), *END)]),
    "split lines": Fault(lambda speech: [stream(in_lines(speech), *END)]),
    "one large event": Fault(lambda speech: [stream(whole(speech), *END)]),
    "no [DONE]": Fault(lambda speech: [stream(whole(speech), Finish(), Usage())]),
    "reset": Fault(lambda speech: [stream(half(speech), Reset())], "provider_broke_off"),
    "close": Fault(lambda speech: [stream(half(speech), Close())], "provider_broke_off"),
    "half an event": Fault(lambda speech: [stream(half(speech), HALF_EVENT, Close())], "provider_broke_off"),
    "error in the middle": Fault(lambda speech: [stream(half(speech), ERROR_EVENT)], "provider_broke_off"),
    "stall": Fault(lambda speech: [stream(half(speech), Stall())], "provider_timeout", stalls=True),
    "stall at once": Fault(lambda _: [stream(Stall())], "provider_timeout", stalls=True),
    "reset at once": Fault(lambda _: [stream(Reset())], "provider_unreachable", 3),
    "reset, then fine": Fault(lambda speech: [stream(Reset()), speech.script], requests=2),
    "web page": Fault(lambda _: [html()], "provider_protocol"),
    "429": Fault(lambda _: [error(429, TOO_MANY)], "provider_rate_limited", 3),
    "429 with a long wait": Fault(
        lambda _: [error(429, TOO_MANY, headers={"Retry-After": "30"})], "provider_rate_limited"
    ),
    "429 with a short wait, then fine": Fault(
        lambda speech: [error(429, TOO_MANY, headers={"Retry-After": "1"}), speech.script], requests=2
    ),
    "500": Fault(lambda _: [BROKEN], "provider_unavailable", 3),
    "500, then fine": Fault(lambda speech: [BROKEN, speech.script], requests=2),
    "401": Fault(lambda _: [NO_KEY], "provider_key"),
}


class FaultyModel:
    """Answers each question with the fault that its number stands for, until it is `healed`."""

    def __init__(self) -> None:
        self.healed = False
        self.holds = False
        """Whether an answer of a healed one waits at its gate before the end."""
        self.requests: Counter[int] = Counter()
        """How often it was asked each question."""

    def __call__(self, question: str) -> Script:
        """The answer to a question."""
        speech = Speech.asked_by(question)
        return self.answer(speech, speech)

    def answer(self, speech: Speech, words: Words) -> Script:
        """The answer that says these words of a speech, if its fault lets it."""
        if self.healed:
            return before_end(speech, words.script) if self.holds else words.script
        self.requests[speech.number] += 1
        *firsts, last = fault_of(speech).scripts(words)
        answers = [*firsts, *repeat(last, self.requests[speech.number])]
        return answers[self.requests[speech.number] - 1]


class CutModel(FaultyModel):
    """Cuts each answer in the middle, as at a limit, and goes on with it when asked to: there its fault is."""

    def of_request(self, request: Request) -> Script:
        """The answer to a request, which has the answer's beginning when that is to go on."""
        question, *begun = (said["content"] for said in request.json["messages"] if said["role"] != "system")
        speech = Speech.asked_by(question)
        if not begun:
            return stream(half(speech), Finish("length"), Usage(), Done())
        if not speech.text.startswith(begun[0]) or not begun[0].startswith(half(speech).text):
            return error(400, "That is not what was said")
        return self.answer(speech, Rest(speech, begun[0]))


def fault_of(speech: Speech) -> Fault:
    """What goes wrong with this speech."""
    return list(FAULTS.values())[speech.number % len(FAULTS)]
