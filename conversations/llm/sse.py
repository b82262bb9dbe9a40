"""Server-sent events from providers: bytes in, the JSON of each event out."""

import json
import re
from collections.abc import Iterator
from typing import Any

import jiter

EVENT_MAX_BYTES = 2 * 1024 * 1024
"""Bytes of the longest event that is kept in memory and read in one step in the event loop.

A server that sends more without an end does not speak the protocol.
"""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
ALIVE = re.compile(
    rb"[^\w\x80-\xff]*(ping|pong|heart[ _-]?beat|keep[ _-]?alive|(openrouter )?processing)?[^\w\x80-\xff]*",
    re.IGNORECASE,
)
"""Names and data of events that only keep a connection alive: a word for that, or no word at all (`:`, `[]`)."""


class ProtocolError(Exception):
    """The provider sent something that is not the protocol; the text describes it for staff."""


class EventStream:
    """Splits the bytes of a server-sent event stream into the data of its events.

    Packets may end anywhere. Lines may end in LF, CRLF or CR. Comments, empty data and unknown fields are skipped. An
    event named `error` and a field of that name (llama.cpp) become `{"error": …}`.
    """

    def __init__(self) -> None:
        self._line: list[bytes] = []
        self._line_bytes = 0
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._after_cr = False
        self._begun = False
        self._name = b""

    def feed(self, packet: bytes) -> list[bytes]:
        """Return the data of the events that `packet` completes, in order."""
        if b"\r" in packet or self._after_cr:
            packet = self._with_line_feeds(packet)
        head, *lines = packet.split(b"\n")
        # A long line arrives in many packets, which are joined once, at its end.
        self._line.append(head)
        self._line_bytes += len(head)
        if self._line_bytes + self._data_bytes > EVENT_MAX_BYTES:
            raise ProtocolError(f"an event of more than {EVENT_MAX_BYTES} bytes")
        if not lines:
            return []
        lines.insert(0, b"".join(self._line))
        rest = lines.pop()
        self._line = [rest]
        self._line_bytes = len(rest)
        if not self._begun:
            self._begun = True
            lines[0] = lines[0].removeprefix(BYTE_ORDER_MARK)
        events: list[bytes] = []
        for line in lines:
            self._data_bytes += len(line)
            if line.startswith(b"data:"):
                self._data.append(line[6:] if line.startswith(b"data: ") else line[5:])
            elif line:
                events += self._field(line)
            elif len(self._data) == 1 and not self._name and self._data[0][:1] == b"{":
                # Nearly all events have one line of data.
                events.append(self._data.pop())
                self._data_bytes = 0
            elif self._data or self._name:
                events += self._event()
        return events

    def _with_line_feeds(self, packet: bytes) -> bytes:
        """The packet with one line feed at the end of each line."""
        if self._after_cr and packet.startswith(b"\n"):
            packet = packet[1:]
            self._after_cr = False
        if packet:
            self._after_cr = packet.endswith(b"\r")
        return packet.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def close(self) -> list[bytes]:
        """Return the data of a last event whose blank line never came, as several servers leave it out."""
        return self.feed(b"\n\n")

    def _field(self, line: bytes) -> Iterator[bytes]:
        name, _, value = line.partition(b":")
        if name == b"event":
            self._name = value.strip().lower()
        elif name == b"error":
            yield _as_error(value)

    def _event(self) -> Iterator[bytes]:
        """The event that a blank line ends, unless it only keeps the connection alive."""
        data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
        name, self._name = self._name, b""
        self._data.clear()
        self._data_bytes = 0
        if b"error" in name:
            yield _as_error(data)
        elif (data[:1] == b"{" or not ALIVE.fullmatch(data)) and not (name and ALIVE.fullmatch(name)):
            yield data


def _as_error(said: bytes) -> bytes:
    """JSON of an object with `said` as its `error`."""
    try:
        error = decode(said)
    except ProtocolError:
        error = said.decode(errors="replace").strip()
    if isinstance(error, dict) and error.get("error"):
        return said
    return json.dumps({"error": error or "(no text)"}).encode()


def decode(data: bytes) -> Any:
    """Return the decoded JSON. Raises ProtocolError, without the text, when it is not JSON."""
    try:
        return jiter.from_json(data, cache_mode="keys")
    except ValueError:
        # The fast parser refuses what Python's accepts: lone surrogates, broken UTF-8.
        try:
            return json.loads(data.decode(errors="replace"))
        except (ValueError, RecursionError) as error:
            raise ProtocolError(f"not JSON ({len(data)} bytes): {error}") from None


def looks_like(beginning: bytes) -> str:
    """Return `json`, `html` or `stream`; an empty text while only white space has come.

    Decides by the bytes and not by the content type, which many servers and proxies set wrongly.
    """
    begin = re.sub(rb"^(\xef\xbb\xbf)?\s+", b"", beginning[:1_000]).removeprefix(BYTE_ORDER_MARK)
    if not begin:
        return ""
    return {b"{": "json", b"[": "json", b"<": "html"}.get(begin[:1], "stream")
