"""What the gateway knows: one frozen revision of it, and the messages by which it learns of the next.

A snapshot holds no plaintext secret and no code; a request reads one from start to end.
"""

from dataclasses import dataclass, field

import msgspec

from mcp_platform.features.apikeys.model import KeyRow, shard_of
from mcp_platform.features.identity.model import PrincipalRow
from mcp_platform.features.jwt.model import IssuerRow
from mcp_platform.features.ratelimit.model import LimitRow
from mcp_platform.features.rbac.model import RoleRow
from mcp_platform.features.upstreams.model import PromptRow, ResourceRow, TemplateRow, ToolRow, UpstreamRow
from mcp_platform.features.virtualservers.model import VirtualRow

FORMAT = 3


class Manifest(msgspec.Struct, frozen=True, array_like=True):
    """The signed list of content-addressed shards that make one revision. A hash is 32 bytes of BLAKE2b."""

    format: int
    platform: str
    revision: int
    created: float
    keys: list[bytes]
    """2^n shards; a key stands in the one that the first n bits of `shard_of` name."""
    principals: list[bytes]
    """2^n shards, likewise."""
    roles: bytes
    upstreams: bytes
    tools: dict[str, list[bytes]]
    """Upstream id → shards of its tools."""
    issuers: bytes
    limits: bytes
    prompts: dict[str, list[bytes]] = {}
    """Upstream id → shards of its prompts; likewise the next two."""
    resources: dict[str, list[bytes]] = {}
    templates: dict[str, list[bytes]] = {}
    virtuals: dict[str, list[bytes]] = {}
    """Virtual server id → a shard of its row without items, then shards of its items."""


class Heartbeat(msgspec.Struct, frozen=True, tag="heartbeat"):
    """Control lives, and this is the newest revision. Signed together with the nonce of the connection it is sent on,
    so that an old one says nothing."""

    revision: int
    manifest: bytes
    """Hash of the manifest's signed bytes."""
    signature: bytes


class SessionEnded(msgspec.Struct, frozen=True, tag="session_ended"):
    """A legacy session was ended by its client: worthless on every worker until it would have expired."""

    mark: bytes
    until: float


class SessionNotes(msgspec.Struct, frozen=True, tag="session_notes"):
    """What a legacy session has told us after it began. The newest counts."""

    mark: bytes
    until: float
    """When the session ends at the latest."""
    level: str | None = None
    """The least log level that its client wants to see; None: it has not said."""
    uris: tuple[str, ...] = ()
    """Resources it is subscribed to, by the URIs it asked for."""
    changed: float = 0.0
    """When it said so, epoch seconds."""


class ListsChanged(msgspec.Struct, frozen=True, tag="lists_changed"):
    """Lists of a server have changed, or the server says so. Sent after the revision that holds the new ones."""

    upstream: str
    kinds: tuple[str, ...]
    """Of `tools`, `prompts` and `resources` (which stands for templates too)."""
    revision: int = 0
    """The revision that holds the new ones: nobody is told before it was taken."""


class ListsHint(msgspec.Struct, frozen=True, tag="lists_hint"):
    """A worker heard a server say that its lists have changed."""

    upstream: str
    kinds: tuple[str, ...]


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """A worker introduces itself."""

    slot: int
    pid: int
    nonce: bytes
    revision: int


class Taken(msgspec.Struct, frozen=True, tag="taken"):
    """A worker answers by this revision from now on."""

    revision: int


FromControl = Heartbeat | SessionEnded | SessionNotes | ListsChanged
FromWorker = Hello | Taken | SessionEnded | SessionNotes | ListsHint


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One revision, decoded. Nothing in it changes."""

    revision: int = 0
    keys: tuple[dict[str, KeyRow], ...] = ({},)
    principals: tuple[dict[str, PrincipalRow], ...] = ({},)
    roles: dict[str, RoleRow] = field(default_factory=dict)
    upstreams: dict[str, UpstreamRow] = field(default_factory=dict)
    """By id."""
    tools: dict[str, ToolRow] = field(default_factory=dict)
    """By exposed name."""
    issuers: tuple[IssuerRow, ...] = ()
    limits: tuple[LimitRow, ...] = ()
    prompts: dict[str, PromptRow] = field(default_factory=dict)
    """By exposed name."""
    resources: dict[str, ResourceRow] = field(default_factory=dict)
    """By exposed URI."""
    templates: dict[str, TemplateRow] = field(default_factory=dict)
    """By exposed template."""
    virtuals: dict[str, VirtualRow] = field(default_factory=dict)
    """By name; those that are enabled."""

    def key(self, key_id: str) -> KeyRow | None:
        return self.keys[bucket(key_id, len(self.keys))].get(key_id)

    def principal(self, principal_id: str) -> PrincipalRow | None:
        return self.principals[bucket(principal_id, len(self.principals))].get(principal_id)


def bucket(identity: str, shards: int) -> int:
    """Which of `shards` (a power of two) holds this id."""
    return shard_of(identity) >> (33 - shards.bit_length())
