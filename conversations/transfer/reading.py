"""JSON read event by event from a file of any size, whatever is in it."""

import re
from collections import deque
from collections.abc import Iterator
from typing import IO, Any

import ijson
from ijson.common import ObjectBuilder

Event = tuple[str, Any]
"""What the parser says: `start_map`, `map_key`, `end_map`, `start_array`, `end_array` or a scalar's kind; its value."""

UNIT = 64 * 1024
"""Bytes that are parsed at a time."""

TEXT_MAX_BYTES = 16 * 1024 * 1024
"""The longest text or number that is read: the parser holds it whole."""

VALUE_MAX_EVENTS = 100_000
"""Keys and values in one message, or in one field of a conversation."""

DEPTH_MAX = 64
"""Lists and objects within each other; a message is the fourth."""

ESCAPE_BYTES = 12
"""The longest escape sequence, that of a pair of surrogates."""

SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
ESCAPES = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

NOT_JSON = "The file cannot be read here: this is no valid JSON, or the file is cut off."
TOO_LONG = f"A text is longer than {TEXT_MAX_BYTES // 1024 // 1024} MB."
TOO_DEEP = "Lists or objects lie too deep within each other."
TOO_MUCH = "A message or field holds more than can be read."


class BrokenFile(Exception):
    """The file cannot be read on from here; its text says why, as a sentence."""


class TooMuch(Exception):
    """One value is too large; the file can be read on behind it."""


class Events:
    """The JSON events of a file, one after the other. Raises `BrokenFile` where there is no sense in it any more."""

    def __init__(self, file: IO[bytes]) -> None:
        self.depth = 0
        """Lists and objects that are open after the last event."""
        self._units = units(file)
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
        """The value that begins with the event `first`, or the next one, whole. Raises `TooMuch`."""
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
        """Read until no more lists and objects are open than that."""
        while self.depth > depth:
            next(self)

    def resume(self) -> bool:
        """After `BrokenFile`, go on at the next conversation that begins a line; whether there is one."""
        for unit, begins_line in self._units:
            if begins_line and unit.startswith(b"{"):
                self._begin()
                # What stands before the first conversation of any file.
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
        self._done = False

    def _parse(self, data: bytes) -> None:
        """Parse some more; nothing is the file's end."""
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
        self._silence = 0 if self._found else self._silence + len(data)
        if self._silence > TEXT_MAX_BYTES:
            self._broken = TOO_LONG
        self._pending.extend(self._found)
        del self._found[:]


def units(file: IO[bytes]) -> Iterator[tuple[bytes, bool]]:
    """The file in parts, each with whether it begins a line: no escape sequence is cut in two, and a line that begins
    with an object begins a part."""
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
        if len(gathered) >= UNIT and (b"\\" not in gathered[-ESCAPE_BYTES:] or len(gathered) > TEXT_MAX_BYTES):
            yield bytes(gathered), begins_line
            gathered.clear()
    if gathered:
        yield bytes(gathered), begins_line


def without_surrogates(data: bytes) -> bytes:
    """The same JSON with each half of a surrogate pair as a null, which nobody accepts: the parser would write `?`."""
    if not SURROGATE.search(data):
        return data
    return ESCAPES.sub(lambda match: b"\\u0000" if match[1] else match[0], data)
