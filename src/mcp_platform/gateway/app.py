"""The agents' surface: which paths there are, and what is refused before a body is read."""

from collections.abc import Coroutine
from functools import lru_cache
from typing import Any

import msgspec

from mcp_platform.base.errors import Fault
from mcp_platform.features.cors.check import HostRule, OriginRule, Sharing, asks_for_private_network, preflight
from mcp_platform.features.cors.errors import HOST_REFUSED, ORIGIN_REFUSED, PRIVATE_NETWORK_REFUSED
from mcp_platform.gateway import answers, pipeline
from mcp_platform.gateway.answers import allow_line
from mcp_platform.gateway.endpoints import MCP
from mcp_platform.gateway.errors import ACCEPT_WRONG, CONTENT_TYPE_WRONG, METHOD_NOT_ALLOWED, PATH_UNKNOWN
from mcp_platform.gateway.exchange import Exchange
from mcp_platform.gateway.identity import bearer
from mcp_platform.gateway.paths import METHODS, place_of
from mcp_platform.gateway.stream_errors import STREAM_ACCEPT_WRONG
from mcp_platform.gateway.world import World
from mcp_platform.net.peer import TrustedProxies
from mcp_platform.wire import headers as names
from mcp_platform.wire.errors import VERSION_UNSUPPORTED
from mcp_platform.wire.versions import LEGACY_VERSIONS, MODERN_VERSIONS

HEALTH = frozenset({"/healthz", "/health"})
READY = frozenset({"/readyz", "/ready"})


class AgentApp:
    """Serves one worker's share of the agents' surface."""

    def __init__(self, world: World, hosts: HostRule, origins: OriginRule, proxies: TrustedProxies) -> None:
        self._world = world
        self._proxies = proxies
        self._hosts = hosts
        self._origins = origins
        self._sharing = Sharing.of(origins)

    def early(self, method: str, path: str, headers: dict[str, str], address: str) -> Fault | None:
        """What `_judge` finds; and what nobody known answers for is counted by address."""
        fault = self._judge(method, path, headers)
        if place_of(path) is not None and (fault is None or fault.kind.http != 401):
            return fault  # whose it is shows when the credential is checked
        view = self._world.view
        if view is not None:
            try:
                view.limits.failed(self._proxies.client(address, headers), path)
            except Fault as limited:
                return limited
        return fault

    def _judge(self, method: str, path: str, headers: dict[str, str]) -> Fault | None:
        """In this order: Host and Origin, path, HTTP method, the form of the credential and of the body to come."""
        if not self._hosts.accepts(headers.get("host", "")):
            return Fault(HOST_REFUSED)
        if not self._origins.accepts(headers.get("origin")):
            return Fault(ORIGIN_REFUSED)
        if asks_for_private_network(headers):
            return Fault(PRIVATE_NETWORK_REFUSED)
        if path in HEALTH or path in READY:
            return None if method in ("GET", "HEAD") else Fault(METHOD_NOT_ALLOWED)
        place = place_of(path)
        if place is None:
            return Fault(PATH_UNKNOWN)
        if method == "OPTIONS":
            return None
        if method not in METHODS[place.kind] or (method != "POST" and headers.get(names.VERSION) in MODERN_VERSIONS):
            return Fault(METHOD_NOT_ALLOWED)
        return _judge_message(method, place.kind, headers)

    def max_body(self, path: str) -> int:
        return self._world.settings.http.max_body_bytes if place_of(path) is not None else 0

    def handle(self, exchange: Exchange) -> Coroutine[Any, Any, None] | None:
        exchange.address = self._proxies.client(exchange.address, exchange.headers)
        place = place_of(exchange.path)
        if exchange.method == "OPTIONS":
            allow = allow_line(() if place is None else METHODS[place.kind])
            exchange.reply(204, extra=allow + (preflight(exchange.headers) if "origin" in exchange.headers else b""))
        elif place is not None:
            return pipeline.serve(self._world, exchange)
        elif exchange.path in HEALTH:
            exchange.reply(200, b'{"status":"ok"}')
        else:
            self._ready(exchange)
        return None

    def lines(self, path: str, headers: dict[str, str]) -> bytes:
        return self._sharing.lines(headers)

    def refuse(self, fault: Fault) -> tuple[int, bytes, bytes]:
        return fault.kind.http, answers.fault_headers(fault), answers.fault_body(fault, None)

    def _ready(self, exchange: Exchange) -> None:
        try:
            view = self._world.now_known()
        except Fault as fault:
            exchange.reply(503, msgspec.json.encode({"ready": False, "error": fault.kind.code}))
            return
        exchange.reply(200, msgspec.json.encode({"ready": True, "revision": view.snapshot.revision}))


def _judge_message(method: str, kind: str, headers: dict[str, str]) -> Fault | None:
    try:
        bearer(headers)
    except Fault as fault:
        return fault
    version = headers.get(names.VERSION)
    if version is not None and version not in LEGACY_VERSIONS and (method != "POST" or kind != MCP):
        # Only a message to the MCP endpoint may be modern; every other request belongs to a session.
        return Fault(VERSION_UNSUPPORTED, data={"supported": list(LEGACY_VERSIONS)})
    if method == "DELETE":
        return None
    if method == "GET":
        return None if _accepts_stream(headers.get("accept")) else Fault(STREAM_ACCEPT_WRONG)
    if not _is_json(headers.get("content-type", "")):
        return Fault(CONTENT_TYPE_WRONG)
    if kind != MCP:  # its answers go elsewhere
        return None
    return None if _accepts_both(headers.get("accept")) else Fault(ACCEPT_WRONG)


@lru_cache(maxsize=256)
def _accepts_stream(accept: str | None) -> bool:
    """Whether the client takes an event stream; one that says nothing takes anything."""
    if accept is None:
        return True
    ranges = {each.partition(";")[0].strip().lower() for each in accept.split(",")}
    return not ranges.isdisjoint({"text/event-stream", "text/*", "*/*"})


@lru_cache(maxsize=256)
def _is_json(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == "application/json"


@lru_cache(maxsize=256)
def _accepts_both(accept: str | None) -> bool:
    """A client must be ready for JSON and for an event stream (every revision since 2025-03-26); one that says nothing
    takes anything (RFC 9110 §12.5.1)."""
    if accept is None:
        return True
    ranges = {each.partition(";")[0].strip().lower() for each in accept.split(",")}
    if "*/*" in ranges:
        return True
    json_too = not ranges.isdisjoint({"application/json", "application/*"})
    return json_too and not ranges.isdisjoint({"text/event-stream", "text/*"})
