"""Whether a URI can come from a URI template (RFC 6570), for finding whose a resource is. Pure.

Each expression stands for text without a slash, or with slashes where it is reserved (`{+path}`, `{/path*}`,
`{?query}`, `{#fragment}`): enough to tell servers apart; the server itself decides what it serves.
"""

import re
from functools import lru_cache

MAX_TEMPLATE_CHARACTERS = 2048
"""Characters of a template that is tried; a longer one makes no URI here."""
_EXPRESSION = re.compile(r"\{([+#./;?&]?)[^{}]*\}")
_ANYTHING = frozenset("+#/?&;.")


@lru_cache(maxsize=4096)
def _parts(template: str) -> tuple[tuple[str, ...], tuple[bool, ...]]:
    """The literal texts, and between each two of them whether the expression may hold slashes."""
    literals, slashes, end = [], [], 0
    for found in _EXPRESSION.finditer(template):
        literals.append(template[end : found.start()])
        slashes.append(found[1] in _ANYTHING and found[1] != "")
        end = found.end()
    literals.append(template[end:])
    return tuple(literals), tuple(slashes)


def literal_characters(template: str) -> int:
    """How much a template says itself."""
    return sum(map(len, _parts(template)[0])) if len(template) <= MAX_TEMPLATE_CHARACTERS else 0


def matches(template: str, uri: str) -> bool:
    """True where every literal part of `template` stands in `uri`, in order, from its start to its end. Linear: each
    part is looked for once, at the first place where it can stand."""
    if len(template) > MAX_TEMPLATE_CHARACTERS:
        return False
    literals, slashes = _parts(template)
    if not slashes:
        return template == uri
    first, last = literals[0], literals[-1]
    if not uri.startswith(first) or not uri.endswith(last) or len(uri) < len(first) + len(last):
        return False
    at, end = len(first), len(uri) - len(last)
    for literal, slash in zip(literals[1:-1], slashes[:-1], strict=True):
        found = uri.find(literal, at, end)
        if found < 0 or (not slash and "/" in uri[at:found]):
            return False
        at = found + len(literal)
    return slashes[-1] or "/" not in uri[at:end]
