"""JSON read event by event from a file of any size and any content."""

import json
import re
import secrets
from collections import deque
from collections.abc import Iterator
from typing import IO, Any

import ijson
from ijson.common import ObjectBuilder

Event = tuple[str, Any]
"""The parser's event (`start_map`, `map_key`, `end_map`, `start_array`, `end_array`, a scalar's kind) and its value."""

UNIT = 64 * 1024
"""Bytes that are parsed at a time."""

TEXT_MAX_BYTES = 16 * 1024 * 1024
"""Bytes of the longest text or number that is read."""

VALUE_MAX_EVENTS = 100_000
"""Keys and values in one message, or in one field of a conversation."""

DEPTH_MAX = 64
"""Nested lists and objects; a message is at the fourth level."""

UTF8_MAX = 4
"""Bytes of the longest character in UTF-8."""

ESCAPE_BYTES = 12
"""Bytes of the longest escape sequence, that of a surrogate pair."""

FIRST_HALF = re.compile(rb"\\u[dD][89abAB]")
SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
ESCAPES = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
HALF = re.compile("[\ud800-\udfff]")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

NOT_JSON = "The file cannot be read from here on: it is not valid JSON, or it is incomplete."
TOO_LONG = f"A text is longer than {TEXT_MAX_BYTES // 1024 // 1024} MB."
TOO_DEEP = "Lists or objects are nested too deeply."
TOO_MUCH = "A message or field has too many values."


class BrokenFile(Exception):
    """The file cannot be read beyond this point; the text says why, as a sentence."""


class TooMuch(Exception):
    """One value is too large; the file can be read on after it."""


class Events:
    """The JSON events of a file, in order. Raises `BrokenFile` where the file is no longer valid."""

    def __init__(self, file: IO[bytes]) -> None:
        self.depth = 0
        """Number of lists and objects that are open after the last event."""
        self._units = units(file)
        # A random mark, which no file can contain.
        self._mark = secrets.token_hex(16).encode()
        self._pending: deque[Event] = deque()
        self._broken = ""
        self._begin()

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        while not self._pending:
            if self._broken:
                raise BrokenFile(self._broken)
            self._parse(next(self._units, (b"", False))[0])
        event = self._pending.popleft()
        if event[0].startswith("start_"):
            self.depth += 1
            if self.depth > DEPTH_MAX:
                self._pending.clear()
                self._broken = TOO_DEEP
                raise BrokenFile(TOO_DEEP)
        elif event[0].startswith("end_"):
            self.depth -= 1
        return event

    def value(self, first: Event | None = None) -> Any:
        """The whole value that begins with the event `first`, or with the next one. Raises `TooMuch`."""
        kind, value = first or next(self)
        builder, room = ObjectBuilder(), TEXT_MAX_BYTES
        depth = self.depth - kind.startswith("start_")
        for _ in range(VALUE_MAX_EVENTS):
            builder.event(kind, value)
            if self.depth <= depth and kind != "map_key":
                return builder.value
            room -= len(value) if isinstance(value, str) else 0
            if room < 0:
                break
            kind, value = next(self)
        raise TooMuch(TOO_MUCH)

    def values(self) -> Iterator[Any]:
        """The values in the list that has just begun. Raises `TooMuch`."""
        while (event := next(self))[0] != "end_array":
            yield self.value(event)

    def skip_to(self, depth: int) -> None:
        """Read until at most `depth` lists and objects are open."""
        while self.depth > depth:
            next(self)

    def resume(self) -> bool:
        """After `BrokenFile`, continue at the next conversation that begins a line; returns whether there is one."""
        for unit, begins_line in self._units:
            if begins_line and unit.startswith(b"{"):
                self._begin()
                # The text before the first conversation of any file.
                self._parse(b'{"conversations":[')
                self._pending.clear()
                self.depth = 2
                self._parse(unit)
                return True
        return False

    def _begin(self) -> None:
        self._found = ijson.sendable_list()
        self._parser = ijson.basic_parse_coro(self._found, use_float=True)
        self._pending.clear()
        self._broken = ""
        self._silence = 0
        self._inside = 0
        """1 while the next byte is within a JSON string, else 0."""
        self._middle: list[bytes] = []
        """Parts of a long string that the parser has not seen."""
        self._done = False

    def _parse(self, data: bytes) -> None:
        """Parse the next bytes; empty bytes are the file's end."""
        size = len(data)
        quotes = quotes_in(data)
        was_inside, self._inside = self._inside, self._inside ^ quotes % 2
        if was_inside and not quotes and size > UNIT // 2:
            # The parser gets a mark in place of the bytes: it would read the whole string again with each part.
            middle, data = data, b"" if self._middle else self._mark
            self._middle.append(middle)
            if not data:
                self._hear(size)
                return
        try:
            if data:
                self._parser.send(without_surrogates(data))
            elif self._done:
                self._broken = NOT_JSON
            else:
                self._done = True
                self._parser.close()
                self._broken = NOT_JSON
        except (ijson.JSONError, ValueError, OverflowError):
            self._broken = NOT_JSON
        self._hear(size)

    def _hear(self, size: int) -> None:
        """Take the events that the parser has found in `size` bytes."""
        self._silence = 0 if self._found else self._silence + size
        if self._silence > TEXT_MAX_BYTES:
            self._broken = TOO_LONG
        if self._found and self._middle:
            kind, text = self._found[0]
            try:
                before, after = text.split(self._mark.decode())
                self._found[0] = (kind, "".join([before, *map(decoded, self._middle), after]))
            except (AttributeError, ValueError):
                # Not text, or not text that JSON allows.
                self._broken = NOT_JSON
                self._found.clear()
            self._middle.clear()
        self._pending.extend(self._found)
        del self._found[:]


def units(file: IO[bytes]) -> Iterator[tuple[bytes, bool]]:
    """The file in parts, each with whether it begins a line.

    No escape sequence is cut in two, and a line that begins with an object begins a part.
    """
    gathered, begins_line, at_start = bytearray(), True, True
    first = True
    while line := file.readline(UNIT):
        if first:
            line, first = line.removeprefix(BYTE_ORDER_MARK), False
        if gathered and at_start and line.startswith(b"{"):
            yield bytes(gathered), begins_line
            gathered.clear()
        if not gathered:
            begins_line = at_start
        gathered += line
        at_start = line.endswith(b"\n")
        if len(gathered) >= UNIT:
            end = between_escapes(gathered)
            yield bytes(gathered[:end]), begins_line
            del gathered[:end]
            begins_line = False
    if gathered:
        yield bytes(gathered), begins_line


def between_escapes(data: bytearray) -> int:
    """Offset near the end of `data` at which to cut: no character, escape sequence or surrogate pair is split."""
    for length in range(1, UTF8_MAX + 1):
        if data[-length] >= 0xC0:
            # The first byte of a character tells its length.
            needed = 2 + (data[-length] >= 0xE0) + (data[-length] >= 0xF0)
            return len(data) - length * (needed > length)
        if data[-length] < 0x80:
            break
    at = data.rfind(b"\\", len(data) - ESCAPE_BYTES)
    if at < 0 or not _begins_escape(data, at):
        return len(data)
    before = at - ESCAPE_BYTES // 2
    return before if FIRST_HALF.match(data, before) and _begins_escape(data, before) else at


def _begins_escape(data: bytearray, at: int) -> bool:
    """Whether the backslash at this offset begins an escape sequence: in a row of them, every second one ends one."""
    return (at + 1 - len(data[: at + 1].rstrip(b"\\"))) % 2 == 1


def quotes_in(data: bytes) -> int:
    """Number of quotes that begin or end a string; the part must start and end between escape sequences."""
    if b"\\" in data:
        data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    return data.count(b'"')


def decoded(part: bytes) -> str:
    """Decode a part of a JSON string; each lone half of a surrogate pair becomes a NUL. Raises `ValueError`."""
    return HALF.sub("\0", json.loads(b'"%s"' % part))


def without_surrogates(data: bytes) -> bytes:
    r"""JSON with each lone half of a surrogate pair as `\u0000`, which is refused later: the parser would write `?`."""
    if not SURROGATE.search(data):
        return data
    return ESCAPES.sub(lambda match: b"\\u0000" if match[1] else match[0], data)
