"""The URIs that agents see resources by: the server's own where it is free, else one that names the server. Pure.

`mcpp://SERVER/PERCENT-ENCODED-URI` is understood for every resource of every server, listed or not. Nothing else may
begin that way, so it can mean no other server's.
"""

import re
from collections.abc import Mapping
from urllib.parse import quote

SCHEME = "mcpp://"
MAX_URI_CHARACTERS = 2048
"""Characters of a server's own URI or template; the least that RFC 9110 wants of everybody is 8000 octets for a whole
request line, and ours is written with up to three for one."""

_FORM = re.compile(r"[^\x00-\x20\x7f]+")
_EXPRESSION = re.compile(r"(\{[^{}]*\})")


def is_uri(text: str) -> bool:
    """Whether it can stand in a list. Servers do not keep to RFC 3986, so only what breaks a line is refused."""
    return len(text) <= MAX_URI_CHARACTERS and _FORM.fullmatch(text) is not None


def qualified_uri(server: str, uri: str) -> str:
    """The URI that always means this resource of this server."""
    return f"{SCHEME}{server}/{quote(uri, safe='')}"


def qualified_template(server: str, template: str) -> str:
    """Likewise of a template: everything but its `{…}` expressions is percent-encoded."""
    parts = _EXPRESSION.split(template)
    encoded = [part if number % 2 else quote(part, safe="") for number, part in enumerate(parts)]
    return f"{SCHEME}{server}/{''.join(encoded)}"


def exposed_uri(server: str, uri: str, taken: Mapping[str, str], *, template: bool = False) -> str:
    """What agents see: `uri` itself where it is nobody else's. `taken` says whose each assigned one is, and was."""
    if uri[: len(SCHEME)].lower() != SCHEME and taken.get(uri, server) == server:
        return uri
    return qualified(server, uri, template=template)


def qualified(server: str, uri: str, *, template: bool) -> str:
    """The URI or template that always means this server's."""
    return qualified_template(server, uri) if template else qualified_uri(server, uri)
