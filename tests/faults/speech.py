"""What people ask and the scripted model answers: each text is its question's alone, and the question says which."""

import re
from dataclasses import dataclass
from itertools import islice
from typing import Self

from tests.kit.provider import Gate, Script, reply, stream

ASKED = "wombat"
ANSWERED = "quokka"
"""Words that are in every question and every answer, and must be in no log."""

WORDS_PER_PARAGRAPH = 14
OTHER_WORDS = ("Grüße", "世界", "🌍", "naïve", "a\u2028b", "&", "<b>", "“so”")


@dataclass(frozen=True, slots=True)
class Speech:
    """An answer of `words` words, `interval` seconds apart, the first after `first` seconds."""

    number: int
    words: int = 80
    interval: float = 0.03
    first: float = 0.05

    @classmethod
    def asked_by(cls, question: str) -> Self:
        """The speech that a question asks for."""
        found = re.search(rf"{ASKED}(\d+): (\d+) words ([\d.]+) s apart after ([\d.]+) s", question)
        assert found, "not a question of these tests"
        return cls(int(found[1]), int(found[2]), float(found[3]), float(found[4]))

    @property
    def question(self) -> str:
        """What the person asks."""
        return f"{ASKED}{self.number}: {self.words} words {self.interval:.3f} s apart after {self.first:.3f} s"

    @property
    def text(self) -> str:
        """What the model answers, and the page has to show in the end."""
        words = [
            OTHER_WORDS[n % len(OTHER_WORDS)] if n % 5 == 4 else f"{ANSWERED}{self.number}.{n}"
            for n in range(self.words)
        ]
        rest = iter(words)
        return "\n\n".join(" ".join(part) for part in iter(lambda: list(islice(rest, WORDS_PER_PARAGRAPH)), []))

    @property
    def seconds(self) -> float:
        """How long the model takes."""
        return self.first + self.words * self.interval

    @property
    def script(self) -> Script:
        """The provider's answer."""
        return reply(self.text, interval=self.interval, first=self.first)


@dataclass(frozen=True, slots=True)
class Rest:
    """What is left of a speech that has begun so, said as quickly."""

    speech: Speech
    begun: str

    @property
    def text(self) -> str:
        """What the model adds."""
        return self.speech.text.removeprefix(self.begun)

    @property
    def script(self) -> Script:
        """The provider's answer."""
        return reply(self.text, interval=self.speech.interval, first=self.speech.first)


type Words = Speech | Rest
"""What a model says in one go."""


def script_for(question: str) -> Script:
    """The provider's answer to a question."""
    return Speech.asked_by(question).script


def held_back(question: str) -> Script:
    """The answer as it is asked for, but its end when the test says so: however slow the machine is, it goes on."""
    speech = Speech.asked_by(question)
    return before_end(speech, speech.script)


def before_end(speech: Speech, script: Script) -> Script:
    """These words of a speech, with its gate before the end."""
    *words, finish, usage, done = script.steps
    return stream(*words, Gate(end_of(speech.number)), finish, usage, done)


def end_of(number: int) -> str:
    """The gate before the end of the answer of this number."""
    return f"end {number}"
