"""How one definition differs from another, place by place, for whoever decides whether agents may have it. Pure."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec

MAX_SHOWN_CHARACTERS = 4000
"""Characters of one side of a difference. A description of more is no description; how many more there are is said."""
_NOTHING = object()


class Difference(msgspec.Struct, frozen=True):
    """One place where they are not the same."""

    at: str
    """The way there, names of members between slashes: `inputSchema/properties/path`."""
    before: str | None
    """As agents have it: text as it is, anything else as JSON. None where there was nothing."""
    after: str | None
    """As the server lists it now. None where there is nothing any more."""
    cut: int = 0
    """Characters of all three that are left out here."""


def differences(before: bytes | None, after: bytes) -> Iterator[Difference]:
    """In the order of the places; of a definition that agents do not have yet, all that it says."""
    waiting: list[tuple[tuple[str, ...], Any, Any]] = [
        ((), {} if before is None else json.loads(before), json.loads(after))
    ]
    while waiting:
        way, old, new = waiting.pop()
        if isinstance(old, dict) and isinstance(new, dict):
            for name in sorted(old.keys() | new.keys(), reverse=True):
                waiting.append(((*way, name), old.get(name, _NOTHING), new.get(name, _NOTHING)))
        elif _canonical(old) != _canonical(new):
            (at, far), (was, more), (is_now, still_more) = _side("/".join(way)), _side(old), _side(new)
            yield Difference(at or "", was, is_now, far + more + still_more)


def _canonical(value: object) -> str | None:
    """Text in which 1, 1.0 and true are three values, as they are to whoever reads a schema."""
    return None if value is _NOTHING else json.dumps(value, sort_keys=True)


def _side(value: object) -> tuple[str | None, int]:
    if value is _NOTHING:
        return None, 0
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text[:MAX_SHOWN_CHARACTERS], max(0, len(text) - MAX_SHOWN_CHARACTERS)
