"""Event streams as a client reads them: by hand, so that a test sees every field of every event."""

import http.client
import json
import time
from dataclasses import dataclass
from typing import Any

from tests.gateway.wires import Wire
from tests.journeys.platform import Platform

PATIENCE_S = 40.0
"""Seconds without a message, though the stream lives: comments come every 15."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event, or a comment (`kind` is empty then)."""

    kind: str
    data: str
    id: str | None
    retry: str | None

    def json(self) -> Any:
        return json.loads(self.data)


class Events:
    """The events of one answer, one after the other."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        assert answer.getheader("content-type") == "text/event-stream", (answer.status, answer.read())
        self.answer = answer

    def next(self) -> Event | None:
        """The next event or comment; None at the end of the stream."""
        fields: dict[str, str] = {}
        while True:
            line = self.answer.readline()
            if not line:
                return None
            text = line.decode().rstrip("\n")
            if not text:
                kind = "" if set(fields) <= {""} else fields.get("event", "message")
                return Event(kind, fields.get("data", ""), fields.get("id"), fields.get("retry"))
            name, _, value = text.partition(":")
            fields[name] = value.removeprefix(" ")

    def message(self) -> Any:
        """The next JSON-RPC message, whatever stands before it."""
        until = time.monotonic() + PATIENCE_S
        while (event := self.next()) is not None:
            if event.kind == "message" and event.data:
                return event.json()
            assert time.monotonic() < until, f"{PATIENCE_S} seconds of comments without a message"
        raise AssertionError("the stream ended without another message")

    def updated(self) -> Any:
        """The next word of a resource that changed; lists may change meanwhile."""
        message = self.message()
        while message["method"].endswith("list_changed"):
            message = self.message()
        return message

    def rest(self) -> list[Any]:
        """Every message until the stream ends."""
        found = []
        while (event := self.next()) is not None:
            if event.kind == "message" and event.data:
                found.append(event.json())
        return found


def get(wire: Wire, headers: dict[str, str], last: str | None = None, path: str = "/mcp") -> http.client.HTTPResponse:
    """GET with what belongs to it."""
    sent = {name: value for name, value in headers.items() if name != "Content-Type"}
    sent["Accept"] = "text/event-stream"
    if last is not None:
        sent["Last-Event-ID"] = last
    return wire.send(b"", sent, "GET", path)


def opened(platform: Platform, headers: dict[str, str], last: str | None = None, path: str = "/mcp") -> Events:
    """A stream on a connection of its own; its first event or comment has been read, so it is registered."""
    events = Events(get(Wire(platform), headers, last, path))
    events.next()
    return events
