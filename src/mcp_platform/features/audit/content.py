"""Searching the arguments and results of calls: one after the other is opened with its subject's key and read.

There is no index of them, on purpose: whatever could answer from it would still know the content after the subject's
key was erased. So a search is bounded, says how far it came and what it could not read, and goes on from there.
"""

from typing import Annotated, Final, Protocol

import msgspec

from mcp_platform.base.errors import INVALID, Fault
from mcp_platform.features.audit import query as language
from mcp_platform.features.audit.model import Row
from mcp_platform.features.audit.present import presented
from mcp_platform.features.audit.reading import Asked, actors_of, cursor_after, is_complete, span_of
from mcp_platform.features.identity.tables import principal_names
from mcp_platform.store.action import Action, Change, Context
from mcp_platform.store.permission import Permission
from mcp_platform.store.tag import Tag
from mcp_platform.store.unit import Unit

MAX_EXAMINED: Final = 2000
"""Calls that are looked into for one answer."""
MAX_CHARACTERS: Final = 200
"""Of the text that is looked for."""
MAX_FOUND: Final = 100
"""Calls in one answer, whose names and excerpts stay under the 1 MiB that a line of the CLI's door may have."""


class Excerpt(msgspec.Struct, frozen=True):
    """A place where the text stands."""

    where: str
    """`arguments` or `result`."""
    text: str
    """What stands around it."""


class Match(msgspec.Struct, frozen=True):
    """A call with the text in its content."""

    row: Row
    excerpts: tuple[Excerpt, ...]


class Unread(msgspec.Struct):
    """Contents that were among those to be looked into, and could not be."""

    none: int = 0
    """Nothing was recorded: by policy, or because there was nothing."""
    hashed: int = 0
    """Only a hash was recorded."""
    erased: int = 0
    """The subject's key is gone."""
    damaged: int = 0
    """The journal's record, or the key, cannot be read; `audit verify` says more."""


class Examined(msgspec.Struct):
    """How far a search of contents came."""

    found: list[Match] = msgspec.field(default_factory=list)
    calls: int = 0
    unread: Unread = msgspec.field(default_factory=Unread)
    last: Row | None = None
    """The last call that was looked into, where there are more behind it; None at the end."""


class Opens(Protocol):
    """Who reads contents."""

    async def examine(self, asked: Asked, text: str, limit: int) -> Examined: ...


class Reach(Protocol):
    """What these actions are given of the world outside."""

    @property
    def record(self) -> Opens: ...


class ContentSearch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of a search."""

    content: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_CHARACTERS)]
    query: str = ""
    limit: int = 50
    """Calls to find."""
    examine: int = MAX_EXAMINED
    """Calls to look into."""
    oldest_first: bool = False
    cursor: str | None = None
    """`next` of the part before."""


def prepare(unit: Unit, params: ContentSearch, context: Context) -> tuple[Asked, ContentSearch]:
    if not 0 < params.limit <= MAX_FOUND:
        raise Fault(INVALID, f"limit is a number from 1 to {MAX_FOUND}.")
    if not 0 < params.examine <= MAX_EXAMINED:
        raise Fault(INVALID, f"examine is a number from 1 to {MAX_EXAMINED}.")
    query = language.parse(params.query, unit.now)
    span = span_of(query, params.cursor, unit.now, oldest_first=params.oldest_first)
    return Asked(query, span, params.examine, actors_of(unit, query)), params


async def look(prepared: tuple[Asked, ContentSearch], reach: Reach) -> tuple[Asked, Examined]:
    asked, params = prepared
    return asked, await reach.record.examine(asked, params.content, params.limit)


def search(unit: Unit, params: ContentSearch, context: Context) -> Change:
    asked, examined = context.found
    names = principal_names(unit, {match.row.principal for match in examined.found})
    rows = [
        {**presented(match.row, names), "found": [msgspec.to_builtins(excerpt) for excerpt in match.excerpts]}
        for match in examined.found
    ]
    return Change(
        result={
            "examined": examined.calls,
            "examines_at_most": params.examine,
            "unread": msgspec.to_builtins(examined.unread),
            "next": None if examined.last is None else cursor_after(examined.last, asked.span),
            "complete": is_complete(context),
        },
        secret={"rows": rows},
    )


ACTIONS = (
    Action(
        name="content.search",
        permission=Permission.AUDIT_CONTENT_READ,
        audit=Tag.AUDIT_CONTENT_SEARCH,
        params=ContentSearch,
        gather=prepare,
        look=look,
        looking="Reading arguments and results",
        run=search,
        records=("query", "limit", "examine", "oldest_first"),
        withholds=("content", "cursor"),
        summary="Looks for a text in the arguments and results of calls, as far as they can be read: one part.",
        reads=True,
    ),
)
