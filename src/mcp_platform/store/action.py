"""What an action is: data that says who may, what is recorded, and the function that does it in one transaction.

Features declare actions; only control/execute.py runs them.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from mcp_platform.base.config import Settings
from mcp_platform.store.permission import Permission
from mcp_platform.store.tag import Tag
from mcp_platform.store.unit import Unit


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks control for something."""

    kind: str
    """`local` (a process of our own user at this machine), `token` (who holds an admin token) or `system` (the platform
    itself)."""
    id: str
    """As the audit log names it: `local:<uid>`, `token:<id>`, `system:control`."""
    permissions: frozenset[Permission]
    agent: str | None = None
    """The program that acts, as whoever let it in named it."""
    address: str | None = None
    """Where the request came from; None where it did not come over a network."""


@dataclass(frozen=True, slots=True)
class Touched:
    """What a change concerns, so that publishing rebuilds that and no more."""

    keys: frozenset[str] = frozenset()
    """API key ids."""
    principals: bool = False
    roles: bool = False
    upstreams: frozenset[str] = frozenset()
    """Upstream ids."""
    settings: bool = False
    issuers: bool = False
    limits: bool = False
    lists: frozenset[tuple[str, str]] = frozenset()
    """(upstream id, kind) of the lists of which agents see others now: those who want to hear of it are told."""
    virtuals: frozenset[str] = frozenset()
    """Ids of virtual servers."""


NOTHING = Touched()


@dataclass(frozen=True, slots=True)
class Change:
    """What an action did."""

    result: dict[str, object]
    """The answer; it may be logged and audited."""
    touched: Touched = NOTHING
    secret: dict[str, object] = field(default_factory=dict, repr=False)
    """Joined to the answer and to nothing else."""
    target: str | None = None
    """What it was done to, for the audit log: a name or an id."""
    then: tuple[tuple[str, Mapping[str, object]], ...] = ()
    """(action, parameters) that the platform itself asks for next, in its own name."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """The keys that actions need."""

    mac_key: bytes = field(repr=False)
    data_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Context:
    """What an action is given beside its parameters."""

    actor: Actor
    secrets: Secrets
    settings: Settings
    found: Any = None
    """What `look` brought back from outside; None where the action has none."""
    observed: Mapping[str, object] = field(default_factory=dict)
    """What control sees of the running platform's other processes; empty with nothing running."""


Run = Callable[[Unit, Any, Context], Change]
Gather = Callable[[Unit, Any, Context], Any]
Look = Callable[[Any, Any], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that can be asked of control."""

    name: str
    """`thing.verb`, as the CLI and the console call it."""
    permission: Permission
    audit: Tag
    params: type[msgspec.Struct]
    """Decoded strictly: an unknown field is an error."""
    run: Run
    """Does it, inside the transaction. Never waits for anything outside the database."""
    summary: str
    """One sentence for the reference."""
    records: tuple[str, ...] = ()
    """Fields of `params` whose values the audit log keeps. An allow-list: nothing else is written."""
    withholds: tuple[str, ...] = ()
    """The other fields: the log says that they were given, and the names of a mapping, but no value."""
    names: Callable[[Any], Iterable[str]] | None = None
    """The `server/tool` patterns in `params`. What they name and nobody knows stands in the answer as `warnings`; where
    `params.strict` is true, it is refused."""
    reads: bool = False
    """True where nothing changes: audited, but no new revision."""
    internal: bool = False
    """True where only the platform itself may ask for it."""
    gather: Gather | None = None
    """Runs first, in a transaction of its own: checks what can be checked early and collects what `look` needs."""
    look: Look | None = None
    """Awaited between `gather` and `run`: `look(gathered, reach)` asks the world outside."""
    looking: str = ""
    """What the one who waits for `look` is told; `{name}` stands for that parameter."""
