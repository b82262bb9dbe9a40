"""The short way for a paragraph that is nothing but words yet."""

import random

import pytest

from conversations.markdown.open_block import PROSE, OpenProse, prose
from conversations.markdown.rendering import parsed_open

PIECES = [*"aZ éß世ñ0129 ,.;:?!%'\"()’‘“”…–— ", "www.", "http", "ftp:", "mailto:", "e.g. ", "1. "]


@pytest.mark.parametrize("seed", range(20))
def test_prose_looks_as_the_parser_makes_it(seed: int) -> None:
    chosen = random.Random(seed)  # noqa: S311 (not a secret)
    texts = ["".join(chosen.choices(PIECES, k=chosen.randint(1, 14))) for _ in range(200)]
    short = {text: html for text in texts if (html := prose(text)) is not None}
    assert short
    assert short == {text: parsed_open(text) for text in short}


@pytest.mark.parametrize("seed", range(20))
def test_growing_prose_looks_as_all_of_it_does(seed: int) -> None:
    chosen = random.Random(seed)  # noqa: S311 (not a secret)
    growing = OpenProse()
    for _ in range(40):
        text = ""
        for piece in chosen.choices([*PIECES, "שלום ", "*", "_"], k=chosen.randint(1, 14)):
            text += piece
            assert growing.html(text) == prose(text), text


@pytest.mark.parametrize(
    "text", ["1. one", "- x", "*a*", "a_b", "a\nb", "a & b", "<b>", "https://x", "[x]", "`x", " a"]
)
def test_what_may_mean_something_takes_the_long_way(text: str) -> None:
    assert not PROSE.fullmatch(text)
