"""A list in pages: what follows the last thing seen, in the order of a column that is unique.

A page never skips or repeats what stood there all the time, whatever is added or removed between two of them.
"""

from typing import Annotated, Any

import msgspec
from sqlalchemy import ColumnElement, Select

MAX_PAGE = 1000
"""Things in one page, at most."""


class Which(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which things of a list, and how many."""

    name: str | None = None
    """Only the one of this name or id; None: all."""
    after: str | None = None
    """Only what follows this name or id."""
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_PAGE)] | None = None
    """How many; None: every one."""


def turn(query: Select[Any], column: ColumnElement[Any], which: Which) -> Select[Any]:
    """`query` in the order of `column`, cut down to what `which` wants and one more, which tells that there is more."""
    query = query.order_by(column)
    if which.name is not None:
        query = query.where(column == which.name)
    if which.after is not None:
        query = query.where(column > which.after)
    return query if which.limit is None else query.limit(which.limit + 1)


def cut(what: str, listed: list[dict[str, object]], which: Which) -> dict[str, object]:
    """The answer to a question for a page: the things under the name `what`, and whether there are `more`."""
    limit = len(listed) if which.limit is None else which.limit
    return {what: listed[:limit], "more": len(listed) > limit}


def pick(what: str, named: list[dict[str, object]], which: Which) -> dict[str, object]:
    """The same from a list that is short and in the order of `name` already."""
    wanted = [
        each
        for each in named
        if (which.name is None or each["name"] == which.name)
        and (which.after is None or str(each["name"]) > which.after)
    ]
    return cut(what, wanted, which)
