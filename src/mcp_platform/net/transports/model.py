"""One call to an upstream, whatever the transport and the revision it speaks."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import msgspec

from mcp_platform.base.errors import Fault
from mcp_platform.net.client_trust import Trust


class RpcError(msgspec.Struct, frozen=True):
    """A JSON-RPC error object."""

    code: int
    message: str
    data: msgspec.Raw = msgspec.Raw(b"null")


class Answer(msgspec.Struct, frozen=True):
    """What an upstream answered: a result or an error, verbatim JSON."""

    result: bytes | None = None
    error: bytes | None = None
    """The JSON of the `error` member."""
    era: str = "legacy"
    """`legacy` or `modern`: which dialect the answer is in."""


class Call(msgspec.Struct, frozen=True):
    """A request for an upstream, in no dialect yet: the transport adds what the upstream's revision demands."""

    method: str
    params: bytes
    """JSON object without `_meta`, re-encoded from what was checked."""
    meta: bytes = b"{}"
    """JSON object: the caller's `_meta` less the keys that the transport owns (protocol version, client info and
    capabilities, progress token)."""
    name: str | None = None
    """The target (tool name, prompt name or resource URI) as the upstream knows it, for `Mcp-Name`."""
    owner: str | None = None
    """Principal id; None where the connection may be shared by all."""
    capabilities: bytes = b"{}"
    """JSON object: the END client's capabilities; `{}` towards a shared connection."""
    client_info: bytes | None = None
    """JSON object: the END client's name and version as it claims them."""
    log_level: str | None = None
    progress: bool = False
    """True where the caller wants progress."""
    timeout_s: float = 60.0
    """Until the first byte of an answer or the next sign of life, in seconds."""
    max_result_bytes: int = 16 * 1024 * 1024
    param_headers: tuple[tuple[str, str], ...] = ()
    """`Mcp-Param-*` headers and their values as text, from the tool's `x-mcp-header`; only a modern server over HTTP
    gets them."""


class Target(msgspec.Struct, frozen=True):
    """Which upstream to reach. Everything that is secret comes from the broker."""

    id: str
    version: int
    transport: str
    """`http` (streamable HTTP, and what it may fall back to), `sse` (HTTP+SSE of 2024-11-05) or `stdio`."""
    url: str | None
    has_credentials: bool
    interactive: bool


class Caller(Protocol):
    """The other direction during a call: what an upstream says before it answers."""

    def notify(self, method: str, params: bytes) -> None:
        """A notification about this call (progress, message), `params` verbatim JSON less the remapped token."""

    async def ask(self, method: str, params: bytes) -> Answer:
        """A request of the server to its client (elicitation, sampling, roots). Answers when the client did."""


@runtime_checkable
class Polled(Protocol):
    """A caller that can leave its own client alone for as long as the server leaves it."""

    def polled(self) -> None:
        """The server has closed the stream of this call, to be asked for the rest of it (2025-11-25)."""


class Wanted(msgspec.Struct, frozen=True):
    """What a listener wants to hear of an upstream."""

    tools: bool = False
    """That its list of tools changed; likewise the next two."""
    prompts: bool = False
    resources: bool = False
    uris: frozenset[str] = frozenset()
    """Changes of these resources, by the server's own URI."""
    task_ids: frozenset[str] = frozenset()
    """News of these tasks, by the server's own id (extension io.modelcontextprotocol/tasks)."""


class Listener(Protocol):
    """Told of an upstream's changes. None of its methods waits."""

    def heard(self, method: str, params: bytes) -> None:
        """`notifications/{tools,prompts,resources}/list_changed`, `notifications/resources/updated` or
        `notifications/tasks`; `params` are verbatim JSON less the subscription id of 2026-07-28. The URI may be one
        below a wanted one (2025-11-25)."""

    def renewed(self) -> None:
        """It was broken and is whole again: changes may have been missed."""

    def failed(self, fault: Fault) -> None:
        """It is broken now and tried again, later and later, until it is closed."""


class Listening(Protocol):
    """An open ear at an upstream."""

    @property
    def honoured(self) -> Wanted:
        """The part of what is wanted that the server can tell, by its capabilities or its acknowledgement."""

    async def want(self, wanted: Wanted) -> None:
        """Want something else from now on. Raises Fault(upstream_*); then the former is still listened for."""

    async def whole(self, patience_s: float) -> None:
        """Wait until it is mended, if it is broken. Raises Fault(upstream_*) after so many seconds."""

    async def close(self) -> None:
        """Nothing is heard any more."""


Announced = Callable[[str, str], None]
"""Called with an upstream's id and the method of a `list_changed` notification, whoever listens."""


@dataclass(slots=True)
class Credentials:
    """What the broker gives for one upstream, in plaintext; never written anywhere."""

    headers: dict[str, str] = field(default_factory=dict, repr=False)
    trust: Trust | None = None
    """Whom the connection must lead to, and who we are there; None: as everybody on this system."""


@dataclass(slots=True)
class Launch:
    """How to start a stdio server; from the broker."""

    argv: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict, repr=False)
    cwd: str | None = None
    name: str = ""
    """The server's name, for the log."""


class Link(Protocol):
    """A way to an upstream. Cancelling `call` cancels upstream in the manner of its revision."""

    async def call(self, call: Call, caller: Caller) -> Answer:
        """Send one request and wait for its answer. Raises Fault(upstream_*)."""

    async def tell(self, owner: str, capabilities: bytes, method: str, params: bytes) -> None:
        """A notification of a legacy client to its own session at a legacy server, where there is one now."""

    async def close(self) -> None:
        """Let go of every connection of this link."""
