"""Every answer of every surface carries its security headers: generated from the table of headers, the routes, and the
catalogue of errors with the statuses in it."""

import asyncio
import http.client
import importlib
import json
import pkgutil
import re
import socket
import time
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest

import mcp_platform
from mcp_platform.base.config.settings import Http
from mcp_platform.base.errors import ErrorKind, Fault, catalogue
from mcp_platform.control.console.app import ConsoleApp
from mcp_platform.control.rest.place import PREFIX
from mcp_platform.control.rest.table import ROUTES
from mcp_platform.features.headers import check
from mcp_platform.features.headers.model import HEADERS, NONCE
from mcp_platform.gateway.app import AgentApp
from mcp_platform.net.server import Exchange, HttpServer
from tests.journeys.platform import Platform, modern_request

CONFIG = """
[http]
header_timeout_s = 1.0
body_timeout_s = 1.0
max_body_bytes = 4096
max_connections_per_address = 48
"""
TELLTALE = re.compile(rb"(?im)^(server|x-powered-by|via|x-runtime|x-aspnet\S*):")
Lines = list[tuple[str, str]]


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    made = Platform.make(tmp_path_factory.mktemp("headers"), config=CONFIG)
    try:
        yield made.start()
    finally:
        if made.process is not None:
            made.stop()


@pytest.fixture(scope="module")
def token(platform: Platform) -> str:
    """For the REST API."""
    made = platform.cli("token", "create")
    return str(made["token"])


def judge(whole: bytes, *, secure: bool) -> int:
    """Check one raw answer against the table; its status."""
    head, _, _ = whole.partition(b"\r\n\r\n")
    status, *lines = head.decode("ascii").split("\r\n")
    named: Lines = [(name.lower(), value) for name, _, value in (line.partition(": ") for line in lines)]
    is_page = dict(named).get("content-type", "").startswith("text/html")
    for header in HEADERS:
        found = [value for name, value in named if name == header.name.lower()]
        wanted = header.page if is_page else header.api
        if wanted is None or (header.only_secure and not secure):
            assert found == [], (status, header.name)
            continue
        assert len(found) == 1, (status, header.name, found)
        assert re.fullmatch(re.escape(wanted).replace(re.escape(NONCE), "[A-Za-z0-9_-]{22,}"), found[0]), found
    assert not TELLTALE.search(head), head
    assert b"set-cookie" not in head.lower()
    assert "Python" not in head.decode()
    return int(status.split(" ")[1])


def told(port: int, sent: bytes) -> bytes:
    """The first answer to raw bytes, head and what follows it until the server closes or falls silent."""
    with socket.create_connection(("127.0.0.1", port), 10) as sock:
        sock.sendall(sent)
        got = b""
        while b"\r\n\r\n" not in got:
            part = sock.recv(65536)
            assert part, got
            got += part
        return got


def head(method: str, target: str, port: int, *lines: str) -> bytes:
    return "\r\n".join([f"{method} {target} HTTP/1.1", f"Host: 127.0.0.1:{port}", *lines, "", ""]).encode()


# What both servers refuse by themselves, on the wire.

BROKEN = {
    400: lambda port: b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    403: lambda port: head("GET", "/readyz", port, "Origin: https://evil.example"),
    404: lambda port: head("GET", "/nothing", port),
    405: lambda port: b"TRACE / HTTP/1.1\r\nHost: x\r\n\r\n",
    408: lambda port: b"GET /readyz HTTP/1.1\r\nHost: x",
    414: lambda port: head("GET", "/" + "a" * 9000, port),
    417: lambda port: head("GET", "/readyz", port, "Expect: tea"),
    431: lambda port: head("GET", "/readyz", port, *(f"X-{i}: y" for i in range(200))),
    505: lambda port: b"GET / HTTP/3.0\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("surface", ["gateway", "console"])
@pytest.mark.parametrize("status", BROKEN)
def test_what_the_server_itself_refuses(platform: Platform, surface: str, status: int) -> None:
    port = platform.ports[surface]
    assert judge(told(port, BROKEN[status](port)), secure=False) == status


def test_429_for_an_address_with_too_many_connections(platform: Platform) -> None:
    port = platform.ports["gateway"]
    crowd = [socket.create_connection(("127.0.0.1", port), 10) for _ in range(48)]
    try:
        until = time.monotonic() + 5
        statuses = []
        while 429 not in statuses:
            assert time.monotonic() < until, statuses
            statuses.append(judge(told(port, head("GET", "/readyz", port)), secure=False))
    finally:
        for sock in crowd:
            sock.close()
    platform.wait_for(platform.is_ready, "room for others")


# The agents' surface.


def of_an_agent(platform: Platform, method: str, path: str, body: bytes, headers: dict[str, str]) -> int:
    lines = [f"{name}: {value}" for name, value in headers.items()]
    port = platform.ports["gateway"]
    return judge(told(port, head(method, path, port, *lines, f"Content-Length: {len(body)}") + body), secure=False)


@pytest.mark.parametrize("path", ["/mcp", "/mcp/", "/mcp/x", "/healthz", "/health", "/readyz", "/ready", "/", "/..%2f"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("known", [True, False])
def test_every_path_and_method_of_the_agents_surface(platform: Platform, path: str, method: str, known: bool) -> None:
    body, headers = modern_request("tools/list", {}, platform.api_key if known else None)
    status = of_an_agent(platform, method, path, body if method == "POST" else b"", headers)
    assert status in (200, 204, 400, 401, 404, 405)


@pytest.mark.parametrize(
    ("changed", "body", "status"),
    [
        ({}, None, 200),
        ({"Accept": "text/html"}, None, 406),
        ({"Content-Type": "text/html"}, None, 415),
        ({"Authorization": "Bearer wrong"}, None, 401),
        ({"MCP-Protocol-Version": "1999-01-01"}, None, 400),
        ({"Mcp-Method": "tools/call"}, None, 400),
        ({}, b"x" * 5000, 413),
        ({}, b"{", 400),
    ],
)
def test_each_refusal_of_a_message(
    platform: Platform, changed: dict[str, str], body: bytes | None, status: int
) -> None:
    good, headers = modern_request("tools/list", {}, platform.api_key)
    assert of_an_agent(platform, "POST", "/mcp", good if body is None else body, {**headers, **changed}) == status


# The people's surface: pages and the REST API, from its table of routes.


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/setup", "/setup/wrong", "/setup?token=x", "/nothing"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "OPTIONS"])
def test_every_path_and_method_of_the_console(platform: Platform, path: str, method: str) -> None:
    port = platform.ports["console"]
    assert judge(told(port, head(method, path, port)), secure=False) in (200, 403, 404, 405)


def test_each_page_has_a_nonce_of_its_own(platform: Platform) -> None:
    port = platform.ports["console"]
    seen = set()
    for _ in range(200):
        found = re.search(rb"script-src 'nonce-([A-Za-z0-9_-]+)'", told(port, head("GET", "/", port)))
        assert found is not None
        seen.add(found[1])
    assert len(seen) == 200


API = sorted({(route.method, route.path) for route in ROUTES})


@pytest.mark.parametrize(("method", "path"), [*API, ("GET", "/openapi.json"), ("GET", "/nothing"), ("POST", "")])
@pytest.mark.parametrize("known", [True, False])
def test_every_route_of_the_api(platform: Platform, token: str, method: str, path: str, known: bool) -> None:
    port = platform.ports["console"]
    target = re.sub(r"\{[^}]*\}", "nobody", path if path.startswith(PREFIX) else PREFIX + path)
    lines = [f"Authorization: Bearer {token}"] if known else []
    body = b"" if method in ("GET", "DELETE") else json.dumps({"nonsense": 1}).encode()
    lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"] if body else []
    status = judge(told(port, head(method, target, port, *lines) + body), secure=False)
    assert status < 500
    assert known or status in (401, 429)  # whoever tries often without a token is made to wait


# Every status of every error there is, and streams, over the same bytes that the surfaces take.


class Refusing:
    """Answers as a surface would: each path is an error's code, `/stream` a stream, `/lost` a mistake of ours."""

    def __init__(self, surface: type[AgentApp] | type[ConsoleApp]) -> None:
        self._surface = surface

    def early(self, method: str, path: str, headers: dict[str, str], address: str) -> Fault | None:
        code = path.removeprefix("/early/")
        return Fault(KINDS[code], retry_after_s=1.0) if code != path else None

    def max_body(self, path: str) -> int:
        return 0

    def lines(self, path: str, headers: dict[str, str]) -> bytes:
        return b""

    def refuse(self, fault: Fault) -> tuple[int, bytes, bytes]:
        return self._surface.refuse(self, fault)  # type: ignore[arg-type]  # it reads nothing of itself

    def handle(self, exchange: Exchange) -> Coroutine[Any, Any, None] | None:
        if exchange.path == "/stream":
            exchange.start(200, "text/event-stream")
            exchange.write(b"data: x\n\n")
            exchange.end()
        elif exchange.path == "/lost":
            raise RuntimeError("a mistake")
        elif exchange.path != "/silent":
            raise Fault(KINDS[exchange.path.removeprefix("/late/")], retry_after_s=1.0)
        return None


def every_error() -> dict[str, ErrorKind]:
    for found in pkgutil.walk_packages(mcp_platform.__path__, "mcp_platform."):
        if found.name.rpartition(".")[2].endswith("errors"):
            importlib.import_module(found.name)
    return catalogue()


KINDS = every_error()
CODES = sorted(code for code, kind in KINDS.items() if kind.http >= 400)


@pytest.mark.anyio
@pytest.mark.parametrize("secure", [True, False])
@pytest.mark.parametrize("surface", [AgentApp, ConsoleApp])
async def test_every_error_of_the_catalogue_and_streams(
    surface: type[AgentApp] | type[ConsoleApp], secure: bool
) -> None:
    sock = socket.create_server(("127.0.0.1", 0))
    always, pages = check.for_api(secure=secure), check.for_pages(secure=secure)
    server = HttpServer(Refusing(surface), Http(), gate=None, always=always, pages=pages, name="headers")
    server.listen(sock)
    port = sock.getsockname()[1]
    try:
        paths = [f"/{when}/{code}" for code in CODES for when in ("early", "late")]
        answers = {path: await asyncio.to_thread(told, port, head("GET", path, port)) for path in paths}
        statuses = {judge(answer, secure=secure) for answer in answers.values()}
        assert {400, 401, 403, 404, 405, 408, 409, 413, 422, 429, 431, 500, 502, 503, 504} <= statuses
        for path, status in {"/stream": 200, "/lost": 500, "/silent": 500}.items():
            assert judge(await asyncio.to_thread(told, port, head("GET", path, port)), secure=secure) == status
    finally:
        await server.drain(1.0)
        sock.close()


# The table itself.


def test_the_policy_of_answers_that_are_no_pages_allows_nothing() -> None:
    (policy,) = (header.api for header in HEADERS if header.name == "Content-Security-Policy")
    assert policy == "default-src 'none'; frame-ancestors 'none'"


@pytest.mark.parametrize(
    "directive",
    [
        "default-src 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
        f"script-src 'nonce-{NONCE}'",
    ],
)
def test_the_policy_of_pages(directive: str) -> None:
    (policy,) = (header.page for header in HEADERS if header.name == "Content-Security-Policy")
    assert policy is not None
    assert directive in policy.split("; ")
    assert not any(word in policy for word in ("unsafe", "*", "http:", "data:"))


@pytest.mark.parametrize(
    ("public_url", "host", "tls", "secure"),
    [
        (None, "mcp.example.com", False, False),
        ("http://mcp.example.com", "0.0.0.0", False, False),
        ("http://mcp.example.com", "mcp.example.com", True, False),
        ("https://mcp.example.com", "127.0.0.1", False, True),
        ("https://mcp.example.com:8443/", "0.0.0.0", True, True),
        ("https://xn--mnchen-3ya.example", "::", True, True),
        (None, "mcp.example.com", True, True),
        (None, "mcp.example.com:8443", True, True),
        (None, "127.0.0.1", True, False),
        (None, "0.0.0.0", True, False),
        (None, "::", True, False),
        (None, "[2001:db8::1]:8443", True, False),
        (None, "localhost", True, False),
        ("https://localhost:8443", "127.0.0.1", True, False),
        ("https://LocalHost.", "127.0.0.1", True, False),
        ("https://app.localhost", "127.0.0.1", True, False),
        ("https://127.0.0.1", "mcp.example.com", True, False),
        ("https://127.1", "mcp.example.com", True, False),
        ("https://[::1]:8443", "mcp.example.com", True, False),
        ("https://203.0.113.7", "0.0.0.0", True, False),
    ],
)
def test_hsts_is_said_exactly_where_clients_come_over_tls_to_a_name_of_its_own(
    public_url: str | None, host: str, tls: bool, secure: bool
) -> None:
    """A browser that once heard it for `localhost` would ask every server of that machine over https for a year."""
    assert check.is_secure(public_url, [host], tls=tls) is secure
    assert check.is_secure(public_url, [host], tls=tls, development=True) is False
    assert b"Strict-Transport-Security: max-age=31536000; includeSubDomains\r\n" in check.for_api(secure=True)
    assert b"Strict-Transport-Security" not in check.for_api(secure=False) + check.for_pages(secure=False)


def test_a_client_of_the_standard_library_sees_them(platform: Platform) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", platform.ports["gateway"], timeout=10)
    connection.request("GET", "/readyz")
    answer = connection.getresponse()
    assert answer.getheader("x-content-type-options") == "nosniff"
    connection.close()


def test_the_console_says_on_what_its_answers_depend(platform: Platform) -> None:
    """Who asks, and for what, decides whether a page is given: a cache must not give it to another."""
    for path in ("/", "/nothing", "/api/v1/roles"):
        connection = http.client.HTTPConnection("127.0.0.1", platform.ports["console"], timeout=10)
        connection.request("GET", path)
        answer = connection.getresponse()
        assert answer.getheader("vary") == "Origin, Sec-Fetch-Site, Sec-Fetch-Mode, Sec-Fetch-Dest", path
        connection.close()
