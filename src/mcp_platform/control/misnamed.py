"""Finds slips in `server/tool` patterns: what they name and nobody knows.

A pattern may be made before its server is added, so it is accepted; but a scope that allows nothing because of one
letter must not be silent.
"""

from collections.abc import Iterable, Mapping

from sqlalchemy import select

from mcp_platform.base.errors import Fault
from mcp_platform.base.nearest import nearest
from mcp_platform.control.errors import NAMES_UNKNOWN
from mcp_platform.features.upstreams.tables import UPSTREAM_TOOLS, UPSTREAMS
from mcp_platform.store.unit import Unit

MAX_WARNINGS = 10
"""Sentences in one answer. Somebody who has more to mend reads no further."""


def misnamed(unit: Unit, patterns: Iterable[str], *, strict: bool) -> list[str]:
    """A sentence for each pattern that names something that is not there. Raises Fault(names_unknown) with the first of
    them where `strict`."""
    wanted = list(dict.fromkeys(patterns))
    found = warnings_of(wanted, _known(unit)) if wanted else []
    if strict and found:
        raise Fault(NAMES_UNKNOWN, f"Nothing was changed. {found[0]}", {"warnings": found})
    return found


def warnings_of(patterns: Iterable[str], known: Mapping[str, frozenset[str]]) -> list[str]:
    """`known`: server → its tools. Pure."""
    found: list[str] = []
    left_out = 0
    for pattern in patterns:
        wrong = _missing(pattern, known)
        if wrong is not None and len(found) < MAX_WARNINGS:
            found.append(f"{pattern}: {wrong[0]}{_nearest(*wrong[1:])}")
        elif wrong is not None:
            left_out += 1
    return [*found, f"{left_out} more name something that is not there."] if left_out else found


def _missing(pattern: str, known: Mapping[str, frozenset[str]]) -> tuple[str, str, Iterable[str]] | None:
    """What is missing, its name, and the names it may have been meant for; None where nothing is."""
    kind, _, _ = pattern.partition("/")[0].rpartition(":")
    server, _, tool = pattern.removeprefix(f"{kind}:" if kind else "").partition("/")
    if kind:  # prompts and resources come and go: only the server is looked for
        known_or_all = server == "*" or server in known
        return None if known_or_all else ("there is no server of this name", server, known)
    if server == "*":
        every = frozenset[str]().union(*known.values())
        return None if tool == "*" or tool in every else ("no server has a tool of this name", tool, every)
    if server not in known:
        return "there is no server of this name", server, known
    tools = known[server]
    return None if tool == "*" or tool in tools else ("this server has no tool of this name", tool, tools)


def _nearest(name: str, names: Iterable[str]) -> str:
    close = nearest(name, names)
    return f"; did you mean `{close}`?" if close is not None else "; it takes effect when there is one."


def _known(unit: Unit) -> dict[str, frozenset[str]]:
    tools: dict[str, set[str]] = {}
    both = UPSTREAMS.outerjoin(UPSTREAM_TOOLS, UPSTREAM_TOOLS.c.upstream_id == UPSTREAMS.c.id)
    for server, tool in unit.connection.execute(select(UPSTREAMS.c.name, UPSTREAM_TOOLS.c.name).select_from(both)):
        tools.setdefault(server, set()).update(() if tool is None else (tool,))
    return {server: frozenset(names) for server, names in tools.items()}
