"""Serves the console's listener: the set-up link, and whether control is well. Sets no cookie and reads none."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any
from urllib.parse import parse_qs

import msgspec

from mcp_platform.base.errors import ErrorKind, Fault, define
from mcp_platform.base.log import Log
from mcp_platform.control.console import pages
from mcp_platform.features.cors.check import HostRule, OriginRule
from mcp_platform.features.cors.errors import HOST_REFUSED, ORIGIN_REFUSED
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
ALWAYS = (
    b"Content-Security-Policy: default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
    b"X-Content-Type-Options: nosniff\r\n"
    b"X-Frame-Options: DENY\r\n"
    b"Referrer-Policy: no-referrer\r\n"
    b"Cross-Origin-Opener-Policy: same-origin\r\n"
    b"Cross-Origin-Resource-Policy: same-origin\r\n"
    b"Permissions-Policy: camera=(), geolocation=(), microphone=()\r\n"
    b"Cache-Control: no-store\r\n"
)
"""Header lines of every answer, errors included."""
_HTML = "text/html; charset=utf-8"
_log = Log("control.console")

SetupJudge = Callable[[str], Awaitable[ErrorKind | None]]
"""The token of a set-up link → None where it is good now, else what is wrong with it."""


class ConsoleApp:
    """What there is on the console's listener."""

    def __init__(self, hosts: HostRule, judge_setup: SetupJudge, ready: Callable[[], bool]) -> None:
        self._hosts = hosts
        self._origins = OriginRule.of()
        self._judge_setup = judge_setup
        self._ready = ready

    def early(self, method: str, path: str, headers: dict[str, str], address: str) -> Fault | None:
        if not self._hosts.accepts(headers.get("host", "")):
            return Fault(HOST_REFUSED)
        if not self._origins.accepts(headers.get("origin")):
            return Fault(ORIGIN_REFUSED)
        if path not in ("/", "/healthz", "/readyz") and _is_setup(path) is False:
            return Fault(PAGE_UNKNOWN)
        return None if method in ("GET", "HEAD") else Fault(PAGE_METHOD)

    def max_body(self, path: str) -> int:
        return 0

    def handle(self, exchange: Exchange) -> Coroutine[Any, Any, None] | None:
        if exchange.path == "/healthz":
            exchange.reply(200, b'{"status":"ok"}')
        elif exchange.path == "/readyz":
            ready = self._ready()
            exchange.reply(200 if ready else 503, msgspec.json.encode({"ready": ready}))
        elif exchange.path == "/":
            exchange.reply(200, pages.ROOT, _HTML)
        else:
            return self._setup(exchange)
        return None

    async def _setup(self, exchange: Exchange) -> None:
        """Bounded by the store's own time-out."""
        wrong = await self._judge_setup(_token(exchange))
        if wrong is None:
            exchange.reply(200, pages.RUNNING, _HTML)
            return
        _log.warning("setup_link_refused", code=wrong.code, address=exchange.address)
        page = pages.LINK_EXPIRED if wrong is SETUP_LINK_EXPIRED else pages.LINK_WRONG
        exchange.reply(wrong.http, page, _HTML)

    def refuse(self, fault: Fault) -> tuple[int, bytes, bytes]:
        body = msgspec.json.encode({"error": {"code": fault.kind.code, "text": fault.text, "data": fault.data}})
        allow = b"Allow: GET, HEAD\r\n" if fault.kind is PAGE_METHOD else b""
        return fault.kind.http, allow, body


def _is_setup(path: str) -> bool:
    return path == "/setup" or (path.startswith("/setup/") and "/" not in path[7:])


def _token(exchange: Exchange) -> str:
    """From `/setup/TOKEN` or `/setup?token=TOKEN`; empty where there is not exactly one."""
    if exchange.path != "/setup":
        return exchange.path.removeprefix("/setup/")
    given = parse_qs(exchange.query, max_num_fields=5).get("token", [])
    return given[0] if len(given) == 1 else ""
