"""What a model thinks before it answers, while it comes."""

import pytest

from conversations.models.reasoning import NOTHING, Reasoning, ReasoningBuffer


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def thinking(clock: Clock) -> ReasoningBuffer:
    return ReasoningBuffer(clock)


@pytest.mark.parametrize(
    ("seconds", "title"),
    [
        (None, "Thinking…"),
        (0.0, "Thought for less than a second"),
        (0.99, "Thought for less than a second"),
        (1.0, "Thought for 1 s"),
        (4.7, "Thought for 4 s"),
        (59.9, "Thought for 59 s"),
        (60.0, "Thought for 1 min"),
        (125.0, "Thought for 2 min 5 s"),
        (3_605.0, "Thought for 1 h"),
        (3_725.0, "Thought for 1 h 2 min"),
    ],
)
def test_a_title_says_how_long_it_took(seconds: float | None, title: str) -> None:
    assert Reasoning("Hm", seconds).title == title


def test_the_first_piece_is_shown_at_once_and_the_next_ones_at_a_slow_pace(
    clock: Clock, thinking: ReasoningBuffer
) -> None:
    assert thinking.add("Let ") == Reasoning("Let ")
    assert thinking.add("me ") is None
    clock.now += 0.3
    assert thinking.add("think") == Reasoning("Let me think")


def test_what_was_held_back_is_there_for_who_looks(thinking: ReasoningBuffer) -> None:
    thinking.add("Let ")
    thinking.add("me")
    assert thinking.snapshot() == Reasoning("Let me")
    assert thinking.snapshot() is None


def test_its_end_tells_all_of_it_and_how_long_it_took(clock: Clock, thinking: ReasoningBuffer) -> None:
    thinking.add("Let ")
    thinking.add("me think")
    clock.now += 4.0
    assert thinking.end() == Reasoning("Let me think", 4.0)
    assert thinking.end() is None


def test_a_second_reasoning_adds_to_the_first(clock: Clock, thinking: ReasoningBuffer) -> None:
    thinking.add("First")
    clock.now += 2.0
    thinking.end()
    clock.now += 50.0
    assert thinking.add("Second") == Reasoning("First\n\nSecond")
    clock.now += 1.0
    assert thinking.end() == Reasoning("First\n\nSecond", 3.0)


def test_an_empty_reasoning_is_none(thinking: ReasoningBuffer) -> None:
    assert thinking.add("\n\n") is None
    assert thinking.end() is None
    assert thinking.add(" \nHm") == Reasoning("Hm")


def test_without_reasoning_there_is_nothing() -> None:
    assert ReasoningBuffer().end() is None
    assert not NOTHING.text
