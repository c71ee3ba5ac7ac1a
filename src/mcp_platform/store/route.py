"""What a route of the REST API is: data that says which action it asks for, and what goes in and comes out.

Features declare routes; control/app.py binds them. The permission is the action's own, so that the two never differ.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

import msgspec

from mcp_platform.base.errors import ErrorKind
from mcp_platform.store.action import Action
from mcp_platform.store.permission import Permission

Moment = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]
"""A moment in an answer: RFC 3339, UTC. Actions say it in seconds, in fields that end with `_at` or `not_after`."""
Method = Literal["GET", "POST", "PUT", "DELETE"]


class Published(msgspec.Struct, frozen=True):
    """What came of telling the workers: the change itself stands in any case."""

    revision: int | None = None
    """The revision that the change made."""
    workers: int | None = None
    """Workers that were there."""
    taken: int | None = None
    """Those that had it when this was answered."""
    ms: float | None = None
    error: str | None = None
    """Set where the workers could not be told yet."""


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """What every change answers besides."""

    published: Published


class Warned(Changed, frozen=True, kw_only=True):
    """What a change answers that names servers and tools."""

    warnings: list[str]
    """Which of them are not known. They are accepted all the same: what is named may be added later."""


@dataclass(frozen=True, slots=True)
class Listing:
    """How a list comes out of the action's result, and in what order it is turned."""

    items: str
    """The field of the result that is the list."""
    order: tuple[str, ...]
    """Fields of an item by which the action's `after` goes on; none where the action itself says how."""
    after: str = "after"
    """The parameter of the action that says where to go on."""
    onward: str | None = None
    """The field of the result that says it, where `order` does not."""


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path."""

    method: Method
    path: str
    """Below /api/v1. What stands in braces becomes the parameter of the action that `names` says."""
    action: Action
    answer: type[msgspec.Struct]
    """What is answered; of a list, one item. What it does not declare is never sent."""
    status: int = 200
    body: type[msgspec.Struct] | None = None
    """What may be sent, and nothing else."""
    example: Mapping[str, object] | None = None
    """A body that is right."""
    query: type[msgspec.Struct] | None = None
    """What may be asked for behind `?`."""
    listing: Listing | None = None
    one: str | None = None
    """The field of the result that is a list, of which the only item is answered."""
    absent: ErrorKind | None = None
    """What is said where that list is empty."""
    guarded: str | None = None
    """Path of the resource that this changes: whoever asks says by If-Match which state of it they mean."""
    refusals: tuple[ErrorKind, ...] = ()
    """What the action may refuse or fail with, besides what every route can."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Name in the path or query → parameter of the action, where they differ."""

    @property
    def permission(self) -> Permission:
        return self.action.permission

    @property
    def summary(self) -> str:
        """One sentence for the reference."""
        return self.action.summary if self.one is None else "Shows one of them: " + _small(self.action.summary)

    @property
    def has_state(self) -> bool:
        """Whether the answer has an ETag."""
        return self.listing is not None or self.one is not None


def _small(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def by_name(actions: tuple[Action, ...]) -> dict[str, Action]:
    return {action.name: action for action in actions}
