"""What an upstream server may look like, and which name agents see a tool or prompt by. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

from mcp_platform.base.errors import Fault
from mcp_platform.features.upstreams.errors import SERVER_INVALID
from mcp_platform.net.client_trust import Trust, check_trust

MAX_HEADERS = 50
"""Headers or environment variables of one server."""
MAX_VALUE_CHARACTERS = 16384
"""Characters of one of them. The longest tokens in use (JWTs with groups) have some 10,000."""
MAX_WORDS = 100
"""Words of a command."""

_SERVER_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}", re.ASCII)
_EXPOSED = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}", re.ASCII)
_HEADER_VALUE = re.compile(r"[\x21-\x7e]([\t\x20-\x7e]*[\x21-\x7e])?")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}", re.ASCII)
_OURS = frozenset(
    {
        "accept",
        "connection",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "last-event-id",
        "mcp-method",
        "mcp-name",
        "mcp-protocol-version",
        "mcp-session-id",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that the transport writes itself; an operator's value would break the message."""


@dataclass(frozen=True, slots=True)
class ServerSpec:
    """A server as an operator describes it, checked."""

    name: str
    transport: str
    url: str | None = None
    argv: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    cwd: str | None = None
    interactive: bool = True
    trust: Trust | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What a look at a server brought back."""

    era: str
    """`legacy` or `modern`."""
    tools: tuple[bytes, ...]
    """Tool objects, JSON, verbatim."""
    server: dict[str, object] = field(default_factory=dict)
    """Name and version as the server claims them, for the operator's eyes."""
    prompts: tuple[bytes, ...] = ()
    """Prompt objects, JSON, verbatim; likewise the next two."""
    resources: tuple[bytes, ...] = ()
    templates: tuple[bytes, ...] = ()
    problems: Mapping[str, str] = field(default_factory=dict)
    """`prompts`, `resources` or `templates` that could not be listed → stable code of the error."""
    capabilities: bytes = b"{}"
    """What the server says it can do: JSON object."""
    server_info: bytes = b"{}"
    """Its name and version, verbatim: JSON object."""
    instructions: str = ""


class Reach(Protocol):
    """The way to servers outside."""

    async def probe(self, spec: ServerSpec) -> Found:
        """Connect or start, find the era, list everything, and let go. Raises Fault with `stage` in its data."""


def is_server_name(text: str) -> bool:
    return _SERVER_NAME.fullmatch(text) is not None


def is_exposable(text: str) -> bool:
    """The characters and length that every client and model API takes in a tool name."""
    return _EXPOSED.fullmatch(text) is not None


def check_spec(spec: ServerSpec) -> None:
    """Raises Fault(server_invalid) that says which rule is broken, never with which value."""
    if not is_server_name(spec.name):
        raise _invalid("A server's name is 1 to 32 of a-z, 0-9, `_` and `-`, and begins with a letter or digit.")
    if spec.transport != "stdio":
        _check_url(spec.url or "")
        if spec.env or spec.cwd is not None or spec.argv:
            raise _invalid("A server with a URL takes headers, but no command, environment or folder.")
        _check_headers(spec.headers)
        _check_trust(spec)
    else:
        if spec.headers or spec.url is not None or spec.trust is not None:
            raise _invalid("A server with a command takes an environment, but no URL, headers or certificates.")
        _check_command(spec)


def _invalid(text: str) -> Fault:
    return Fault(SERVER_INVALID, text)


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        port_ok = parts.port is None or parts.port > 0
    except ValueError:
        raise _invalid("The URL cannot be read.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_ok:
        raise _invalid("The URL has the form `https://host[:port]/path`, or `http://` where nobody can listen.")
    if parts.username is not None or parts.password is not None:
        raise _invalid("The URL holds no user or password; give them as a header, which is kept sealed.")
    if parts.fragment or re.search(r"[\x00-\x20\x7f-\U0010ffff\\]", url) or len(url) > 2048:
        raise _invalid("The URL is at most 2048 printable ASCII characters without a space, a backslash or a fragment.")


def _check_trust(spec: ServerSpec) -> None:
    if spec.trust is None:
        return
    if not (spec.url or "").startswith("https:"):
        raise _invalid("Certificates and pins are for a URL that begins with `https://`.")
    check_trust(spec.trust)


def _check_headers(headers: Mapping[str, str]) -> None:
    names = [name.lower() for name in headers]
    if len(names) > MAX_HEADERS or len(set(names)) != len(names):
        raise _invalid("At most 50 headers, and none twice.")
    for name, value in headers.items():
        if _HEADER_NAME.fullmatch(name) is None or name.lower() in _OURS:
            raise _invalid("A header's name is a token (RFC 9110), and not one that the transport writes itself.")
        if len(value) > MAX_VALUE_CHARACTERS or _HEADER_VALUE.fullmatch(value) is None:
            raise _invalid("A header's value is printable ASCII, neither empty nor longer than 16384 characters.")


def _check_command(spec: ServerSpec) -> None:
    if not spec.argv or len(spec.argv) > MAX_WORDS or not spec.argv[0]:
        raise _invalid("A command is 1 to 100 words: the program and its arguments. No shell reads it.")
    if len(spec.env) > MAX_HEADERS or not all(map(_ENV_NAME.fullmatch, spec.env)):
        raise _invalid("At most 50 environment variables, named by letters, digits and `_`.")
    texts = [*spec.argv, *spec.env.values(), spec.cwd or ""]
    if any("\x00" in text or len(text) > MAX_VALUE_CHARACTERS for text in texts):
        raise _invalid("Words, variables and the folder hold no NUL and have at most 16384 characters.")
    if spec.cwd is not None and not spec.cwd.startswith("/"):
        raise _invalid("The folder is an absolute path.")


def exposed_name(server: str, own: str, taken: Mapping[str, tuple[str, str]]) -> str | None:
    """The name that agents see: the tool's (or prompt's) own where nobody else's, otherwise `server.own`; None where
    neither can be had. `taken` says whose each assigned name is, and was: a name never passes to another."""
    for candidate in (own, f"{server}.{own}"):
        if is_exposable(candidate) and taken.get(candidate, (server, own)) == (server, own):
            return candidate
    return None
