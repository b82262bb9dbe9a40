"""What a process knows, in one object."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from chatbot.core import process
from chatbot.core.process import Part

THREADS = 8


def test_whoever_asks_gets_the_same_part() -> None:
    counts = Part(Counter[str])
    counts()["a"] += 1
    counts()["a"] += 1
    assert counts() == {"a": 2}


def test_each_part_is_its_own() -> None:
    some, others = Part(set[str]), Part(set[str])
    some().add("a")
    assert others() == set()


def test_a_new_process_knows_nothing() -> None:
    names = Part(set[str])
    names().add("a")
    process.begin()
    assert names() == set()


def test_what_still_runs_goes_on_with_what_it_has() -> None:
    names = Part(set[str])
    before = names()
    process.begin()
    before.add("a")
    assert names() == set()


def test_of_several_threads_that_ask_at_once_one_makes_the_part() -> None:
    together, made = threading.Barrier(THREADS), list[object]()

    def make() -> object:
        made.append(object())
        return made[-1]

    part = Part(make)

    def ask(_: int) -> object:
        together.wait()
        return part()

    with ThreadPoolExecutor(THREADS) as pool:
        assert len(set(pool.map(ask, range(THREADS)))) == len(made) == 1


def test_a_part_may_be_made_of_another() -> None:
    first = Part(lambda: [1])
    second = Part(lambda: [*first(), 2])
    assert second() == [1, 2]
