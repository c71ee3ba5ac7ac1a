"""The name that somebody may have meant who wrote one that is not there."""

from collections.abc import Iterable
from difflib import get_close_matches

from mcp_platform.base.errors import ErrorKind, Fault

MAX_COMPARED = 2000
"""Names that a misspelt one is compared with: some 10 ms."""
MAX_SHOWN_CHARACTERS = 160
"""Characters of the nearest: some names are a server's own, and as long as it likes."""


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known name that is most like `name`, or None where none is like it."""
    found = get_close_matches(name, sorted(known)[:MAX_COMPARED], 1, cutoff)
    return found[0] if found else None


def unknown(kind: ErrorKind, name: str, known: Iterable[str]) -> Fault:
    """The refusal of a name that is not among the `known`, which says what is nearest, if anything is."""
    close = nearest(name, known)
    if close is None:
        return Fault(kind)
    return Fault(kind, f"{kind.text.partition(';')[0]}; did you mean `{close[:MAX_SHOWN_CHARACTERS]}`?")
