"""Reading JSON part by part: what comes out is what Python's own parser finds, wherever the parts end."""

import io
import json
import random

import pytest

from conversations.transfer import reading

WORDS = ("\\", "\\\\", "a", '"', "\n", "👩\u200d👧", "é", "\u2028", "\x01", "u", "d83d", "\\ud83d", "\r", "x" * 30, " ")


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of a few bytes."""
    monkeypatch.setattr(reading, "UNIT", 40)


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("seed", range(20))
def test_texts_of_any_kind_are_read_whatever_their_parts_are(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 (not a secret)
    for number in range(100):
        text = "".join(chance.choices(WORDS, k=chance.randint(0, 60)))
        value = [text, {text: [text, number, None, True]}]
        file = json.dumps(value, ensure_ascii=number % 3 > 0, indent=number % 2 or None).encode()
        assert b"".join(part for part, _ in reading.units(io.BytesIO(file))) == file
        assert reading.Events(io.BytesIO(file)).value() == value


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("before", [0, 35, 36, 37, 200])
@pytest.mark.parametrize(
    ("written", "read"),
    [(b"\\ud83d", "\0"), (b"\\udc69a", "\0a"), (b"\\ud83d\\ud83d\\udc69", "\0👩"), (b"\\\\ud83d", "\\ud83d")],
)
def test_half_a_pair_of_surrogates_is_a_null_wherever_it_stands(before: int, written: bytes, read: str) -> None:
    file = b'["%s%s%s"]' % (b"a" * before, written, b"b" * before)
    assert reading.Events(io.BytesIO(file)).value() == ["a" * before + read + "b" * before]


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("broken", [b"\\x", b"\n", b"\xff", b"\\u12g"])
def test_what_json_forbids_within_a_long_text_is_no_json(broken: bytes) -> None:
    file = b'["%s%s%s"]' % (b"a" * 100, broken, b"b" * 100)
    with pytest.raises(reading.BrokenFile):
        reading.Events(io.BytesIO(file)).value()


def test_a_text_that_is_too_long_is_told() -> None:
    file = b'["%s"]' % (b"a" * (reading.TEXT_MAX_BYTES + 2 * reading.UNIT))
    with pytest.raises(reading.BrokenFile, match="longer than 16 MB"):
        reading.Events(io.BytesIO(file)).value()
