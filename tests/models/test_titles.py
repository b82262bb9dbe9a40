"""Titles that conversations get from their first message."""

import pytest

from conversations.models.titles import shortened, title_from


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Hello", "Hello"),
        ("  Two \n\n lines\t", "Two lines"),
        ("word " * 30, "word " * 14 + "word…"),
        ("x" * 100, "x" * 79 + "…"),
        (
            "A comma, that stands before the cut of a title that is much too long to be shown, is not kept.",
            "A comma, that stands before the cut of a title that is much too long to be…",
        ),
    ],
)
def test_a_title_is_cut_between_words(text: str, title: str) -> None:
    assert title_from(text) == title
    assert len(title) <= 80


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("# A title\n\nand *more* **words**", "A title and more words"),
        (
            "`code` and ~~old~~ [link](https://x.example) ![picture](https://x.example/a.png)",
            "code and old link picture",
        ),
        ("- one\n- two\n> quote", "one two quote"),
        ("- [ ] one\n- [x] two", "one two"),
        ("```python\nprint(1)\n```\nWhy?", "print(1) Why?"),
        ("| a | b |\n|---|---|\n| c | d |", "a b c d"),
        ("**重要：**请看", "重要：请看"),
        ("1. one\n2. two", "1. one 2. two"),
        ("2024. What a year", "2024. What a year"),
        ("What is 5*6*7, 2**3**4 and 2 * 3?", "What is 5*6*7, 2**3**4 and 2 * 3?"),
        ("Why does __init__.py or snake_case_name not work?", "Why does __init__.py or snake_case_name not work?"),
        ("a <b>c</b> &amp; d", "a <b>c</b> & d"),
        ("    indented", "indented"),
        ("---", "---"),
        ("***", "***"),
        ("#hashtag", "#hashtag"),
        ("C# or C++?", "C# or C++?"),
        ("a\x00b", "a\ufffdb"),
    ],
)
def test_a_title_has_no_signs_of_markdown(text: str, title: str) -> None:
    assert title_from(text) == title


@pytest.mark.parametrize(
    "cluster",
    ["👨‍👩‍👧‍👦", "🇩🇪", "👍🏽", "e\u0301", "नि", "ก็", "각", "❤️", "1️⃣", "கி", "क्ष"],
)
@pytest.mark.parametrize("before", range(8))
def test_a_title_is_cut_between_characters_as_a_reader_sees_them(cluster: str, before: int) -> None:
    title = title_from("x" * before + cluster * 90)
    assert len(title) <= 80
    assert title.endswith("…")
    assert title[before:-1] == cluster * ((len(title) - 1 - before) // len(cluster))


def test_what_is_one_character_without_end_is_cut_all_the_same() -> None:
    assert len(shortened("a" + "\u0301" * 10_000, 80)) == 80
    assert len(title_from("# a" + "\u0301" * 100_000)) <= 80


def test_a_title_of_a_long_message_is_made_of_its_beginning() -> None:
    assert title_from("word " * 100_000).startswith("word word")
    assert title_from("\n" * 5_000 + "far") == "far"
