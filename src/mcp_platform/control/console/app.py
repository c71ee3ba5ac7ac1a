"""Serves the console's listener: the set-up link, and whether control is well. Sets no cookie and reads none."""

import secrets
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any
from urllib.parse import parse_qs

import msgspec

from mcp_platform.base.errors import ErrorKind, Fault, define
from mcp_platform.base.log import Log
from mcp_platform.control.console import pages
from mcp_platform.control.rest.door import MAX_BODY_BYTES, RestDoor
from mcp_platform.control.rest.place import is_api
from mcp_platform.control.rest.problem import problem
from mcp_platform.features.cors.check import HostRule, OriginRule, is_from_elsewhere
from mcp_platform.features.cors.errors import CROSS_SITE_REFUSED, HOST_REFUSED, ORIGIN_REFUSED
from mcp_platform.features.headers.check import page_policy
from mcp_platform.features.identity.errors import SETUP_LINK_EXPIRED
from mcp_platform.net.server import Exchange

PAGE_UNKNOWN = define(
    "page_unknown",
    http=404,
    jsonrpc=-32601,
    text="The console has no such page.",
    whose="caller",
)
PAGE_METHOD = define(
    "page_method",
    http=405,
    jsonrpc=-32601,
    text="This page is only read: send GET or HEAD.",
    whose="caller",
)
VARY = b"Vary: Origin, Sec-Fetch-Site, Sec-Fetch-Mode, Sec-Fetch-Dest\r\n"
"""For every answer: who asks for a path decides whether it is given."""
_OTHER_HOST = "The Host header names no address of the console; set `console.public_url`."
_OTHER_ORIGIN = "Only the console's own pages may ask it anything; no other origin can be allowed."
_NOT_PAGES = frozenset({"/healthz", "/readyz"})
_HTML = "text/html; charset=utf-8"
_log = Log("control.console")

SetupJudge = Callable[[str], Awaitable[ErrorKind | None]]
"""The token of a set-up link → None where it is good now, else what is wrong with it."""


class ConsoleApp:
    """What there is on the console's listener."""

    def __init__(
        self,
        hosts: HostRule,
        judge_setup: SetupJudge,
        ready: Callable[[], bool],
        origins: OriginRule | None = None,
        rest: RestDoor | None = None,
    ) -> None:
        """`origins`: those of the console's own pages; there are no others. `rest` None: there is no API."""
        self._hosts = hosts
        self._origins = origins or OriginRule.of()
        self._judge_setup = judge_setup
        self._ready = ready
        self._rest = rest
        self.refused: Callable[[Fault, str], None] = lambda fault, address: None
        """Told of every refusal that is the console's own; the server tells of the others."""

    def early(self, method: str, path: str, headers: dict[str, str], address: str) -> Fault | None:
        if not self._hosts.accepts(headers.get("host", "")):
            return Fault(HOST_REFUSED, _OTHER_HOST)
        if not self._origins.accepts(headers.get("origin")):
            return Fault(ORIGIN_REFUSED, _OTHER_ORIGIN)
        to_page = method in ("GET", "HEAD") and path not in _NOT_PAGES and not is_api(path)
        if is_from_elsewhere(headers, to_page=to_page):
            return Fault(CROSS_SITE_REFUSED)
        if self._rest is not None and is_api(path):
            return self._rest.early(headers, address)
        if path not in ("/", "/healthz", "/readyz") and _is_setup(path) is False:
            return Fault(PAGE_UNKNOWN)
        return None if method in ("GET", "HEAD") else Fault(PAGE_METHOD)

    def max_body(self, path: str) -> int:
        return MAX_BODY_BYTES if self._rest is not None and is_api(path) else 0

    def handle(self, exchange: Exchange) -> Coroutine[Any, Any, None] | None:
        if self._rest is not None and is_api(exchange.path):
            return self._rest.handle(exchange)
        if exchange.path == "/healthz":
            exchange.reply(200, b'{"status":"ok"}')
        elif exchange.path == "/readyz":
            ready = self._ready()
            exchange.reply(200 if ready else 503, msgspec.json.encode({"ready": ready}))
        elif exchange.path == "/":
            _show(exchange, 200, pages.ROOT)
        else:
            return self._setup(exchange)
        return None

    async def _setup(self, exchange: Exchange) -> None:
        """Bounded by the store's own time-out."""
        wrong = await self._judge_setup(_token(exchange))
        if wrong is None:
            _show(exchange, 200, pages.RUNNING)
            return
        _log.warning("setup_link_refused", code=wrong.code, address=exchange.address)
        self.refused(Fault(wrong), exchange.address)
        page = pages.LINK_EXPIRED if wrong is SETUP_LINK_EXPIRED else pages.LINK_WRONG
        _show(exchange, wrong.http, page)

    def lines(self, path: str, headers: dict[str, str]) -> bytes:
        """No other origin may read anything here."""
        return b""

    def refuse(self, fault: Fault) -> tuple[int, bytes, bytes]:
        status, lines, body = problem(fault)
        return status, lines + (b"Allow: GET, HEAD\r\n" if fault.kind is PAGE_METHOD else b""), body


def _show(exchange: Exchange, status: int, page: bytes) -> None:
    """Answer with a page. The only way to send one: each has a policy with a nonce of its own."""
    exchange.reply(status, page, _HTML, page_policy(secrets.token_urlsafe(18)))


def _is_setup(path: str) -> bool:
    return path == "/setup" or (path.startswith("/setup/") and "/" not in path[7:])


def _token(exchange: Exchange) -> str:
    """From `/setup/TOKEN` or `/setup?token=TOKEN`; empty where there is not exactly one."""
    if exchange.path != "/setup":
        return exchange.path.removeprefix("/setup/")
    given = parse_qs(exchange.query, max_num_fields=5).get("token", [])
    return given[0] if len(given) == 1 else ""
