"""Where the answer to one request goes: JSON if nothing comes before it, else an event stream that it ends.

An outlet answers exactly once. After that what is written goes nowhere; so it does when the client is gone, unless it
has a stream that it may come back for.
"""

import asyncio
from collections.abc import Callable

import msgspec

from mcp_platform.base import clock
from mcp_platform.base.errors import Fault
from mcp_platform.gateway import answers
from mcp_platform.gateway.client_stream import ClientStream
from mcp_platform.gateway.exchange import KEEP_ALIVE_S, MAX_WAITING_BYTES, Exchange
from mcp_platform.net.transports.model import Answer
from mcp_platform.net.transports.offers import CHANGES, ELICITED
from mcp_platform.wire import json_text, jsonrpc
from mcp_platform.wire.modern import LOG_LEVELS

__all__ = ["Exchange", "Outlet", "Reply"]

LONG_S = 0.05
"""Seconds after which a call that may be resumed is answered as a stream, whether there is something to say or not:
from then on its client can come back for the answer."""
Opener = Callable[[], ClientStream]


class Reply(msgspec.Struct, frozen=True):
    """An answer that is ready and not yet released, and what the record says of it."""

    status: int
    body: bytes
    extra: bytes = b""
    outcome: str = "ok"
    error: str = ""
    content: bytes = b""
    """The result, for the record."""


class Outlet:
    """The answer side of one JSON-RPC request."""

    def __init__(
        self,
        exchange: Exchange,
        identity: jsonrpc.Id,
        *,
        modern: bool,
        progress_token: str | int | None,
        log_level: str | None,
        opener: Opener | None = None,
    ) -> None:
        """`opener` begins a stream that outlives its connection; None where there is no coming back."""
        self.exchange = exchange
        self.identity = identity
        self.modern = modern
        self._progress_token = progress_token
        self._log_level = log_level
        self._opener = opener
        self._stream: ClientStream | None = None
        self._streaming = False
        self._long = asyncio.get_running_loop().call_later(LONG_S, self._begin) if opener is not None else None
        self._spoke_at = clock.monotonic()
        self.answered = False

    def notify(self, method: str, params: bytes) -> None:
        """Pass a notification about this request on. Progress nobody asked for and, for a modern client, log messages
        nobody asked for are left out (2026-07-28, basic/utilities)."""
        if method in CHANGES or (method == ELICITED and self.modern):
            return  # whoever wants to hear of changes does so from the hub, in the names that the client knows
        if method == "notifications/progress":
            if self._progress_token is None:
                return
            members = msgspec.json.decode(params, type=dict[str, msgspec.Raw])
            token = msgspec.Raw(msgspec.json.encode(self._progress_token))
            params = msgspec.json.encode({"progressToken": token, **members, **{"progressToken": token}})
        elif method == "notifications/message" and not self._wants(params):
            return
        if self._streaming and self._stream is None and self.exchange.waiting_bytes > MAX_WAITING_BYTES:
            return
        self._send(jsonrpc.notification(method, json_text.one_line(params)))

    def ask(self, identity: str, method: str, params: bytes) -> None:
        """Send a legacy client a request of its own on this stream."""
        self._send(jsonrpc.request(identity, method, {}).replace(b"{}", json_text.one_line(params), 1))

    def pause(self) -> None:
        """The server leaves us alone for a while: so do we our client, if it knows to come back (2025-11-25)."""
        self._begin()
        if self._stream is not None and self._stream.primes:
            self._stream.leave(self.exchange)

    def keep_alive_if_due(self, now: float) -> None:
        """Show that the call still runs, to the client and to proxies between. `now`: monotonic seconds."""
        if self._stream is not None:
            self._stream.keep_alive_if_due(now)
        elif not self.answered and not self.exchange.gone and now - self._spoke_at >= KEEP_ALIVE_S:
            self._begin()
            self._spoke_at = now
            self.exchange.write(b": still at work\n\n")

    def of_answer(self, answer: Answer, method: str) -> Reply:
        """The upstream's answer to `method` as this client is to have it. Raises Fault(upstream_garbage)."""
        if answer.error is not None:
            status, error, code = answers.relayed_error(answer, modern=self.modern)
            body = jsonrpc.error(self.identity, error)
            return Reply(status, body, outcome="error", error=f"jsonrpc:{code}", content=error)
        value, failed = answers.relayed_result(answer, method, modern=self.modern)
        body = jsonrpc.result(self.identity, value)
        return Reply(200, body, outcome="tool_error" if failed else "ok", content=value)

    def of_fault(self, fault: Fault, outcome: str = "error", error_id: str | None = None) -> Reply:
        """A refusal or failure as this client is to have it."""
        status = answers.status_of(fault, modern=self.modern, attributed=True)
        body = answers.fault_body(fault, self.identity, error_id)
        return Reply(status, body, answers.fault_headers(fault), outcome, fault.kind.code)

    def release(self, reply: Reply) -> None:
        """Let the client have it."""
        self._finish(reply.status, reply.body, reply.extra)

    def result(self, value: bytes) -> None:
        """A result of our own, ready in the client's dialect, that needs no record."""
        self._finish(200, jsonrpc.result(self.identity, value))

    def fail(self, fault: Fault, error_id: str | None = None) -> None:
        """A refusal of a call that was never sent."""
        self.release(self.of_fault(fault, error_id=error_id))

    def _wants(self, message: bytes) -> bool:
        """Whether the client wants to see a log message of that level. A legacy client that has not said is sent all
        (2025-11-25, server/utilities/logging); a modern one none."""
        if self._log_level is None:
            return not self.modern
        try:
            level = msgspec.json.decode(message, type=_Levelled).level
        except (msgspec.MsgspecError, ValueError):
            return False
        return LOG_LEVELS.get(level, 0) >= LOG_LEVELS.get(self._log_level, 0)

    def _send(self, message: bytes) -> None:
        if self.answered:
            return
        self._begin()
        if self._stream is not None:
            self._stream.send(message)
        elif not self.exchange.gone:
            self._spoke_at = clock.monotonic()
            self.exchange.write(answers.event(message))

    def _begin(self) -> None:
        if self._streaming or self.answered or self.exchange.gone or self.exchange.started:
            return
        self._streaming = True
        if self._opener is not None:
            self._stream = self._opener()
            self._stream.attach(self.exchange)
        else:
            self.exchange.start(200, answers.EVENTS, answers.STREAM_HEADERS)

    def _finish(self, status: int, body: bytes, extra: bytes = b"") -> None:
        if self.answered:
            return
        self.answered = True
        if self._long is not None:
            self._long.cancel()
        if self._stream is not None:
            self._stream.finish(body)
        elif self.exchange.gone:
            return
        elif self._streaming:
            self.exchange.write(answers.event(body))
            self.exchange.end()
        else:
            self.exchange.reply(status, body, answers.JSON, extra)


class _Levelled(msgspec.Struct):
    level: str = ""
