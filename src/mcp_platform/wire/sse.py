"""Server-sent events (WHATWG HTML §9.2): read as they come in pieces, and written. Pure: bytes in, events out.

A sender sizes everything that is read here, so an event has a ceiling, whatever it is made of.
"""

from dataclasses import dataclass

_BOM = b"\xef\xbb\xbf"
_MAX_RETRY_DIGITS = 9
"""Digits of a `retry:` that are read: eleven days."""


class EventTooLarge(ValueError):
    """An event is larger than the ceiling."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `data` is not decoded: what it holds is the reader's business."""

    data: bytes
    kind: str = "message"
    id: str | None = None


def encode(data: bytes, kind: str = "message", identity: str | None = None, retry_ms: int | None = None) -> bytes:
    """One event as it is sent. `data` holds no line break: it is JSON of ours, a URI, or empty."""
    lines = b"" if identity is None else b"id: %b\n" % identity.encode()
    if retry_ms is not None:
        lines += b"retry: %d\n" % retry_ms
    return b"event: %b\n%bdata: %b\n\n" % (kind.encode(), lines, data)


class SseParser:
    """Fed with whatever arrived, it gives the events that ended in it. Comments and unknown fields are skipped."""

    def __init__(self, max_event_bytes: int) -> None:
        self._max = max_event_bytes
        self._tail: list[bytes] = []
        """The line that has not ended yet, in pieces, so that a long line is joined once and not at every feed."""
        self._size = 0
        """Bytes of the event so far: of the lines that ended and of the tail."""
        self._after_cr = False
        self._at_start = True
        self._data: list[bytes] = []
        self._kind = ""
        self._id: str | None = None
        self.last_id: str | None = None
        """The id that stood in or before the last whole event, for `Last-Event-ID`."""
        self.retry_ms: int | None = None
        """How long the sender wants to be left alone before the stream is opened again."""

    def feed(self, piece: bytes) -> list[Event]:
        """The events that end in `piece`. Raises EventTooLarge; then the stream cannot be read further."""
        if self._after_cr and piece:
            self._after_cr = False
            if piece[0] == 0x0A:
                piece = piece[1:]
        if not piece:
            return []
        events: list[Event] = []
        lines = piece.splitlines(keepends=True)
        for line in lines[:-1]:
            self._line(line, events)
        last = lines[-1]
        if last[-1] in b"\r\n":
            self._after_cr = last[-1] == 0x0D
            self._line(last, events)
        else:
            self._grow(len(last))
            self._tail.append(last)
        return events

    def _line(self, ended: bytes, events: list[Event]) -> None:
        line = ended.rstrip(b"\r\n")
        ending = len(ended) - len(line)
        self._grow(len(ended))
        if self._tail:
            self._tail.append(line)
            line = b"".join(self._tail)
            self._tail.clear()
        if line.startswith(b":"):
            # A comment belongs to no event, so keep-alives must not fill the ceiling of the one they stand in.
            self._size -= len(line) + ending
        if self._at_start:
            self._at_start = False
            line = line.removeprefix(_BOM)
        if not line:
            self._dispatch(events)
            return
        name, _, value = line.partition(b":")
        self._field(name, value.removeprefix(b" "))

    def _field(self, name: bytes, value: bytes) -> None:
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._kind = value.decode(errors="replace")
        elif name == b"id" and b"\0" not in value:
            self._id = value.decode(errors="replace")
        elif name == b"retry" and value.isdigit() and len(value) <= _MAX_RETRY_DIGITS:
            self.retry_ms = int(value)

    def _dispatch(self, events: list[Event]) -> None:
        if self._data:
            events.append(Event(b"\n".join(self._data), self._kind or "message", self._id))
        self.last_id = self._id
        self._data, self._kind, self._size = [], "", 0

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > self._max:
            raise EventTooLarge
