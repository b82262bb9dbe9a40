"""Fenced code: the lines that open and close it, and fenced code within code marked as Markdown."""

import re
from dataclasses import dataclass

FENCE = re.compile(r"(?P<mark>`{3,})(?P<info>[^`\n]*)\n|(?P<tildes>~{3,})(?P<rest>[^\n]*)\n")
MARKDOWN = frozenset({"markdown", "md", "mdx", "mdown"})
"""Languages of code blocks that may contain fenced code."""


@dataclass(frozen=True, slots=True)
class Fence:
    """The line that opens a fenced code block."""

    mark: str
    info: str
    indent: int

    def closes(self, body: str) -> bool:
        """Whether a line, without its indent, closes the code."""
        return body.startswith(self.mark) and not body.strip(" \t\n").strip(self.mark[0])

    @property
    def is_markdown(self) -> bool:
        """Whether the language after the fence is Markdown."""
        return self.info.split(" ")[0].lower() in MARKDOWN

    def content(self, line: str) -> str:
        """A line of the code without the indent of its fence."""
        if not self.indent:
            return line
        return line[min(self.indent, len(line) - len(line.lstrip(" "))) :]


class MarkdownCode:
    """Follows fenced code within code marked as Markdown, to find which closing fence ends the outer code."""

    def __init__(self, fence: Fence) -> None:
        self.ended = False
        self.held = False
        """Whether the last line closes the code only if a blank line follows."""
        self._fence = fence
        self._inner: list[Fence] = []
        self._introduces = False

    def follow(self, body: str) -> None:
        """Take a line without its indent; sets `ended` when this line, or the held one before it, closes the code."""
        if self.held:
            self.held = False
            if not body.strip():
                self.ended = True
                return
            self._inner.append(Fence(self._fence.mark, "", 0))
        if self._inner and self._inner[-1].closes(body):
            self._inner.pop()
        elif not self._inner and self._fence.closes(body):
            self.held = self._introduces
            self.ended = not self.held
        elif not self._inner or self._inner[-1].is_markdown:
            inner = fence_of(0, body)
            if inner is not None and inner.info and inner.mark.startswith(self._fence.mark):
                self._inner.append(inner)
        self._introduces = not body.strip() or body.rstrip().endswith((":", "："))


def fence_of(indent: int, body: str) -> Fence | None:
    """The fence that a whole line opens, or None."""
    match = FENCE.match(body)
    if match is None:
        return None
    mark = match["mark"] or match["tildes"]
    return Fence(mark, (match["info"] or match["rest"] or "").strip(), indent)
