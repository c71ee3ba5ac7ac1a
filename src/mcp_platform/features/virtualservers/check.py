"""What a virtual server may look like, which tools are chosen unasked, and which names its items have. Pure."""

import re
from collections.abc import Collection, Iterable

import msgspec

from mcp_platform.base.errors import Fault
from mcp_platform.features.upstreams.check import is_exposable
from mcp_platform.features.virtualservers.errors import ITEM_NAME_TAKEN, VIRTUAL_INVALID
from mcp_platform.features.virtualservers.model import CALL_TOOL, SEARCH_TOOLS

MAX_VIRTUALS = 200
"""Virtual servers of one platform. More are a sign of one for each caller, which roles do better."""
MAX_ITEMS = 10_000
"""Items of one virtual server: about 10 MB of definitions in a worker, and what the search of tools was measured at."""
MAX_TITLE_CHARACTERS = 200
MAX_DESCRIPTION_CHARACTERS = 4096
"""Characters of the description of a virtual server or of an item: it goes into the context of every agent."""
MAX_INSTRUCTIONS_CHARACTERS = 16_384
MAX_ROLES = 100
RESERVED = frozenset(
    {
        "all",
        "api",
        "default",
        "health",
        "healthz",
        "mcp",
        "message",
        "messages",
        "metrics",
        "oauth",
        "ready",
        "readyz",
        "sse",
        "well-known",
    }
)
"""Names that no virtual server has: they name, or may come to name, something else below a URL."""
RESERVED_ITEMS = frozenset({SEARCH_TOOLS, CALL_TOOL})
"""Names that no tool has at a virtual server, whether it has the search of tools or not: that can be turned on."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def is_virtual_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None and text not in RESERVED


def check_name(text: str) -> None:
    """Raises Fault(virtual_invalid)."""
    if not is_virtual_name(text):
        raise Fault(
            VIRTUAL_INVALID,
            "A virtual server's name is 1 to 32 of a-z, 0-9, `_` and `-`, begins with a letter or digit, and is none "
            f"of: {', '.join(sorted(RESERVED))}.",
        )


def check_words(title: str, description: str, instructions: str) -> None:
    """Raises Fault(virtual_invalid)."""
    for text, most, what in (
        (title, MAX_TITLE_CHARACTERS, "title"),
        (description, MAX_DESCRIPTION_CHARACTERS, "description"),
        (instructions, MAX_INSTRUCTIONS_CHARACTERS, "instructions"),
    ):
        if len(text) > most or _CONTROL.search(text) is not None:
            raise Fault(VIRTUAL_INVALID, f"The {what}: at most {most} characters, and no control characters.")


def check_item_description(text: str) -> None:
    """Raises Fault(virtual_invalid)."""
    check_words("", text, "")


def may_use(needed: Collection[str], held: Iterable[str]) -> bool:
    """Whether a caller who holds these roles may use a virtual server that is for those: none given is for everybody.
    It opens nothing by itself: each item asks the caller's roles again."""
    return not needed or not set(needed).isdisjoint(held)


class _Hints(msgspec.Struct):
    """Annotations as far as they are asked for. What is not given is unknown, and a tool is destructive until it says
    otherwise (2025-11-25, ToolAnnotations)."""

    readOnlyHint: object = None
    destructiveHint: object = None


class _Annotated(msgspec.Struct):
    annotations: _Hints | None = None


def is_chosen_unasked(definition: bytes) -> bool:
    """Whether a tool is taken when somebody chooses its server as a whole: only one that says it reads, and that does
    not say it destroys. A server's own word is enough to propose a tool, and for nothing else."""
    try:
        hints = msgspec.json.decode(definition, type=_Annotated).annotations
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False
    return hints is not None and hints.readOnlyHint is True and hints.destructiveHint is not True


def name_of_item(server: str, own: str, usual: str, wanted: str | None, taken: Collection[str]) -> str:
    """The name that agents see an item by: the one that is `wanted`; else the `usual` one, which it has at `/mcp`, or
    `server.own`. Never one that is `taken` here or reserved. Raises Fault(virtual_invalid, item_name_taken)."""
    if wanted is not None:
        if not is_exposable(wanted):
            raise Fault(VIRTUAL_INVALID, "The name of an item is 1 to 64 of A-Z, a-z, 0-9, `_`, `.` and `-`.")
        candidates = [wanted]
    else:
        candidates = [usual, f"{server}.{own}"]
    for candidate in candidates:
        if is_exposable(candidate) and candidate not in RESERVED_ITEMS and candidate not in taken:
            return candidate
    raise Fault(ITEM_NAME_TAKEN)


def worded(definition: bytes, name: str | None, description: str | None) -> bytes:
    """The object with another `name` and `description`; None: as it stands."""
    if name is None and description is None:
        return definition
    members = msgspec.json.decode(definition, type=dict[str, msgspec.Raw])
    if name is not None:
        members["name"] = msgspec.Raw(msgspec.json.encode(name))
    if description is not None:
        members["description"] = msgspec.Raw(msgspec.json.encode(description))
    return msgspec.json.encode(members)
