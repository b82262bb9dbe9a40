"""Titles and descriptions in the form in which they are stored, and folded so that equal words compare equal."""

import re
import unicodedata

TITLE_MAX_CHARS = 200
DESCRIPTION_MAX_CHARS = 2_000

BREAKING = {"Cc", "Cs", "Zl", "Zp"}
"""Unicode categories that no line of text holds: controls, lone surrogates, separators of lines and paragraphs."""
INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp", "Zs", "Mn"}
"""Unicode categories of which a title cannot consist: nobody would see it."""
FILLER = "\N{HANGUL FILLER}"

WORD = re.compile(r"[^\W_]+")


def clean_title(text: str) -> str:
    """A title of one line, without white space around it. Raises `ValueError` with a sentence."""
    line = "".join(" " if unicodedata.category(character) in BREAKING else character for character in text)
    title = " ".join(line.split())
    if all(unicodedata.category(character) in INVISIBLE or character == FILLER for character in title):
        raise ValueError("Say in a few words what is to be done.")
    if len(title) > TITLE_MAX_CHARS:
        raise ValueError(f"The title is too long: {len(title):,} characters, and {TITLE_MAX_CHARS} are allowed.")
    return title


def clean_description(text: str) -> str:
    """A description with line feeds as line ends, without white space around it. Raises `ValueError`."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    kept = (
        character for character in lines if character in "\n\t" or unicodedata.category(character) not in {"Cc", "Cs"}
    )
    description = "".join(kept).strip()
    if len(description) > DESCRIPTION_MAX_CHARS:
        raise ValueError(
            f"The description is too long: {len(description):,} characters, and {DESCRIPTION_MAX_CHARS:,} are allowed."
        )
    return description


def folded(text: str) -> str:
    """The text without case, diacritics and width, so that `Café` is `cafe`."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(character for character in apart if unicodedata.category(character) != "Mn")
    return " ".join(unicodedata.normalize("NFKC", bare).casefold().split())


def words(text: str) -> list[str]:
    """The words of a text that is `folded`: runs of letters and digits."""
    return WORD.findall(text)
