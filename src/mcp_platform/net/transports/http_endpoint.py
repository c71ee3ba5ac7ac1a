"""One URL of one upstream: what every request to it has in common, credentials included.

The constant part of the head is made once for each set of credentials; a call adds its few lines.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace

from mcp_platform.base.config.settings import Upstreams
from mcp_platform.base.errors import Fault
from mcp_platform.base.log import Log
from mcp_platform.net import client_head
from mcp_platform.net.client import HttpClient
from mcp_platform.net.client_address import parse_url
from mcp_platform.net.client_exchange import Exchange
from mcp_platform.net.transports.broker_wire import CredentialSource
from mcp_platform.net.transports.conversation import Conversation, Heard, Send
from mcp_platform.net.transports.deadline import Deadline
from mcp_platform.net.transports.http_reply import Interrupted, read_reply
from mcp_platform.net.transports.http_resume import Reading, read_on
from mcp_platform.net.transports.model import Answer, Call, Caller, Credentials, Polled, Target
from mcp_platform.net.transports.switchboard import Switchboard
from mcp_platform.net.upstream_errors import UPSTREAM_BUSY, UPSTREAM_GARBAGE, UPSTREAM_LOST, UPSTREAM_REFUSED

_COMMON = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
_STREAM = {"accept": "text/event-stream"}
_MCP = frozenset(
    {"accept", "content-type", "mcp-protocol-version", "mcp-method", "mcp-name", "mcp-session-id", "last-event-id"}
)
"""Headers that the transport sets; a configured one of the same name is left out."""
MAX_SESSION_ID = 1024
"""Characters of a session id. The specification names none; SDKs mint 32 to 36."""

MAX_COURTESIES = 256
"""Polite messages under way at once (cancellations, ended sessions); what is more is left out."""
COURTESY_S = 5.0
"""Seconds each may take."""
STANDING_SHARE = 0.5
"""How many of the connections to one upstream may be streams that stand open: calls need the rest."""

_log = Log(__name__)


@dataclass(frozen=True, slots=True)
class Manner:
    """What is the same for all requests of one session."""

    era: str
    back: Send | None = None
    """Takes our answers to what the server asks meanwhile; None where its revision has no way back."""
    heard: Heard | None = None
    """Takes what the server says in a call's stream that concerns not only the call."""
    board: Switchboard | None = None
    """Knows the session's calls, for what is said outside their streams."""
    resume: Callable[[str], Awaitable[bytes]] | None = None
    """The head of the GET that reads a broken stream on after an event's id."""
    batches: bool = False


class Endpoint:
    """Sends one message and gives its answer; knows neither eras nor sessions."""

    def __init__(self, target: Target, client: HttpClient, source: CredentialSource, settings: Upstreams) -> None:
        assert target.url is not None, "an HTTP upstream has a URL"
        self.target = target
        self.settings = settings
        self._client = client
        self._source = source
        self._destination = parse_url(target.url)
        self._heads: dict[str, tuple[Credentials, bytes]] = {}
        # Each worker counts from somewhere else: a retry of a client that reaches another worker has another id
        # (2026-07-28, MRTR), and ids of two workers in one session do not meet.
        self._last_id = random.getrandbits(31)  # unique enough, and no secret
        self._standing = 0
        self._courtesies: set[asyncio.Task[None]] = set()

    def at(self, target: Target) -> "Endpoint":
        """The same upstream at another of its URLs."""
        return Endpoint(target, self._client, self._source, self.settings)

    def next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    async def head(self, owner: str | None, extra: bytes, method: str = "POST") -> bytes:
        """The head of a request for `owner`. Raises Fault(upstream_down) when credentials cannot be had."""
        credentials = await self._source.credentials(self.target, owner)
        kept = self._heads.get(method)
        if kept is None or kept[0] is not credentials:
            own = {name: value for name, value in credentials.headers.items() if name.lower() not in _MCP}
            common = _STREAM if method == "GET" else _COMMON
            kept = (credentials, client_head.head(method, self._destination, {**common, **own}))
            self._heads[method] = kept
            if credentials.trust != self._destination.origin.trust:
                origin = replace(self._destination.origin, trust=credentials.trust)
                self._destination = replace(self._destination, origin=origin)
        return kept[1] + extra

    async def converse(
        self, head: bytes, body: bytes, identity: int, call: Call, caller: Caller, manner: Manner
    ) -> tuple[Answer, dict[str, str], int]:
        """One request: its answer, the headers and the HTTP status it came with.

        Raises Fault(upstream_*); being cancelled closes the connection.
        """
        exchange = await self._client.open(self._destination)
        deadline = Deadline(call.timeout_s, self.settings.max_call_s, exchange.abort)
        may_ask = call.owner is not None and call.capabilities != b"{}"
        conversation = Conversation(
            caller, deadline, manner.back, may_ask=may_ask, progress=call.progress, heard=manner.heard
        )
        if manner.board is not None:
            manner.board.begin(identity, conversation)
        lingers = False
        try:
            exchange.send(head, body)
            answer = await read_reply(
                exchange, identity, conversation, call.max_result_bytes, manner.era, batches=manner.batches
            )
            lingers = True
            if manner.board is not None:
                deadline.stop()
                await manner.board.settled(identity)
            return answer, exchange.headers, exchange.status
        except Interrupted as broken:
            if isinstance(caller, Polled) and broken.retry_ms is not None and manner.resume is not None:
                caller.polled()
            answer = await self._read_on(broken, identity, call, conversation, deadline, manner)
            return answer, exchange.headers, exchange.status
        except Fault as fault:
            if fault.kind is UPSTREAM_REFUSED:
                self.refused(call.owner)
            raise
        finally:
            deadline.stop()
            if manner.board is not None:
                manner.board.end(identity)
            conversation.close()
            if not lingers:
                exchange.close()

    async def _read_on(
        self,
        broken: Interrupted,
        identity: int,
        call: Call,
        conversation: Conversation,
        deadline: Deadline,
        manner: Manner,
    ) -> Answer:
        if manner.resume is None:
            raise Fault(UPSTREAM_LOST)
        reading = Reading(identity, conversation, deadline, call.max_result_bytes, manner.batches)
        return await read_on(broken, reading, manner.resume, self.open)

    async def open(self) -> Exchange:
        """A connection for one exchange. Raises Fault(upstream_*)."""
        return await self._client.open(self._destination)

    def take_standing(self) -> None:
        """A stream is going to stand open; `give_standing` when it ended. Raises Fault(upstream_busy)."""
        if self._standing >= max(1, int(self.settings.max_connections * STANDING_SHARE)):
            raise Fault(UPSTREAM_BUSY, data={"stage": "connect"}, retry_after_s=5.0)
        self._standing += 1

    def give_standing(self) -> None:
        self._standing -= 1

    def refused(self, owner: str | None) -> None:
        """The upstream did not take our credentials: they are fetched anew for the next request."""
        self._source.forget(self.target, owner)

    async def tell(self, head: bytes, body: bytes, timeout_s: float) -> int:
        """Send what has no answer (a notification, our answer to a question, DELETE); the HTTP status."""
        exchange = await self.open()
        deadline = Deadline(timeout_s, timeout_s, exchange.abort)
        try:
            exchange.send(head, body)
            await exchange.head()
            await exchange.read(65536)
            return exchange.status
        finally:
            deadline.stop()
            exchange.close()

    def politely(self, message: Coroutine[None, None, None]) -> None:
        """Send what nobody waits for, bounded in number and time."""
        if len(self._courtesies) >= MAX_COURTESIES:
            message.close()
            return
        task = asyncio.get_running_loop().create_task(self._send_politely(message))
        self._courtesies.add(task)
        task.add_done_callback(self._courtesies.discard)

    async def _send_politely(self, message: Coroutine[None, None, None]) -> None:
        try:
            async with asyncio.timeout(COURTESY_S):
                await message
        except (Fault, TimeoutError) as error:
            _log.debug("upstream_not_told", upstream=self.target.id, why=type(error).__name__)
        finally:
            message.close()

    async def close(self) -> None:
        """Wait for the polite messages under way; each has its bound."""
        if self._courtesies:
            await asyncio.wait(list(self._courtesies))


def session_id(headers: dict[str, str]) -> str | None:
    """The session id an upstream gave. Raises Fault(upstream_garbage) where it is none (2025-11-25: visible ASCII)."""
    given = headers.get("mcp-session-id")
    if given is None:
        return None
    if not 0 < len(given) <= MAX_SESSION_ID or not all("!" <= character <= "~" for character in given):
        raise Fault(UPSTREAM_GARBAGE, data={"stage": "mcp"})
    return given
