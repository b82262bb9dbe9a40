"""Definitions that the blocks of a text share: targets of reference links, and footnotes."""

from html import escape

import pyromark
from pyromark.event import BrokenLink

from conversations.markdown.blocks import FOOTNOTE
from conversations.markdown.scanner import prepare
from conversations.markdown.source import FIGURE

TARGET_MAX, GIVEN_MAX = 2_000, 50_000
"""Characters of one target, and of all targets given to one block: a short label may stand for a long target."""


class References:
    """The definitions of a text so far; `missing` collects the labels that were looked up without success."""

    def __init__(self, anchor: str) -> None:
        self.anchor = anchor
        """Prefix of the ids of the text's footnotes."""
        self.missing: set[str] = set()
        self._links: dict[str, tuple[str, str]] = {}
        self._notes: dict[str, tuple[int, int]] = {}
        self.longest = 0
        """Characters of the longest target that the last block has defined."""
        self.given = 0
        """Characters of the targets found since the caller last set this to 0."""

    def define(self, text: str, at: int) -> list[str]:
        """Store the definitions of the block at index `at`; returns the labels that are new."""
        self.longest = 0
        if "]:" not in text:
            return []
        if note := FOOTNOTE.match(text.lstrip(" ")):
            label = normal(f"^{note['label']}")
            if label in self._notes:
                return []
            self._notes[label] = len(self._notes) + 1, at
            return [label]
        source = prepare(text)
        new = []
        for label, definition in pyromark.reference_definitions(source.text).items():
            name = normal(label)
            length = len(definition["dest"]) + len(definition["title"] or "")
            self.longest = max(self.longest, length)
            if length <= TARGET_MAX and name not in self._links:
                self._links[name] = source.address(definition["dest"]), source.restored(definition["title"] or "")
                new.append(name)
        return new

    def find(self, link: BrokenLink) -> tuple[str, str] | None:
        """Target and title of a link whose label its own block does not define; the parser's callback."""
        label = normal(link["reference"])
        if note := self._notes.get(label):
            return f"{FIGURE}{note[0]}", ""
        if label not in self._links:
            self.missing.add(label)
            return None
        target, title = self._links[label]
        self.given += len(target) + len(title)
        return (target, title) if self.given <= GIVEN_MAX else None

    def note(self, label: str, html: str, at: int) -> str:
        """HTML of the footnote in block `at`; of several with one label, links lead to the first."""
        number, first = self._notes.get(normal(f"^{label}"), (len(self._notes) + 1, at))
        place = f' id="{self.anchor}{number}"' if first == at else ""
        name = f"<sup>{escape(label, quote=False)}</sup>"
        return f'<div class="footnote"{place}>{name}\n{html}</div>\n'


def normal(label: str) -> str:
    """A label in the form in which labels are compared."""
    return " ".join(label.split()).casefold()
