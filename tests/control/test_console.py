"""The console's listener: the set-up link and nothing else, with strict headers on every answer."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import update

from mcp_platform.base.config.settings import Http
from mcp_platform.control.console.app import ConsoleApp
from mcp_platform.control.start import setup_judge, start_setup_link
from mcp_platform.features.cors.check import HostRule
from mcp_platform.features.headers.check import for_api, for_pages
from mcp_platform.features.identity.tables import SETUP_LINKS
from mcp_platform.net.server import HttpServer
from tests.control.worlds import World, world

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def console(folder: Path) -> AsyncIterator[tuple[World, int]]:
    async with world(folder) as here:
        sock = socket.create_server(("127.0.0.1", 0))
        sock.setblocking(False)
        port = sock.getsockname()[1]
        app = ConsoleApp(HostRule.of(None, "127.0.0.1", port), setup_judge(here.executor, here.ring), lambda: True)
        server = HttpServer(
            app, Http(), gate=None, always=for_api(secure=False), pages=for_pages(secure=False), name="console"
        )
        server.listen(sock)
        try:
            yield here, port
        finally:
            await server.drain(1.0)
            sock.close()


async def ask(
    port: int, target: str, *, method: str = "GET", host: str | None = None, more: str = ""
) -> tuple[int, str, str]:
    """Status, header lines and body of one answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"{method} {target} HTTP/1.1\r\nHost: {host or f'127.0.0.1:{port}'}\r\nConnection: close\r\n{more}\r\n"
    writer.write(head.encode())
    async with asyncio.timeout(5):
        answer = (await reader.read()).decode()
    writer.close()
    lines, _, body = answer.partition("\r\n\r\n")
    return int(lines.split(" ")[1]), lines.lower(), body


async def test_the_right_link_opens_the_page_once_the_platform_was_served(tmp_path: Path) -> None:
    async with console(tmp_path) as (here, port):
        token = here.first.setup_token
        assert (await ask(port, f"/setup/{token}"))[0] == 410
        await start_setup_link(here.executor)
        for target in (f"/setup/{token}", f"/setup?token={token}"):
            status, lines, body = await ask(port, target)
            assert (status, "your gateway is running" in body.lower()) == (200, True)
            assert "text/html; charset=utf-8" in lines
            assert token not in body


async def test_the_15_minutes_start_at_the_first_start_and_only_then(tmp_path: Path) -> None:
    async with console(tmp_path) as (here, port):
        await start_setup_link(here.executor)
        with here.store.unit(1.0) as unit:
            unit.connection.execute(update(SETUP_LINKS).values(expires_at=2.0))
        await start_setup_link(here.executor)
        status, _, body = await ask(port, f"/setup/{here.first.setup_token}")
        assert (status, "expired" in body) == (410, True)


@pytest.mark.parametrize(
    "target", ["/setup", "/setup/", "/setup/wrong", "/setup?token=", "/setup?token=a&token=b", "/setup?token=%00%ff"]
)
async def test_a_wrong_link_opens_nothing(tmp_path: Path, target: str) -> None:
    async with console(tmp_path) as (here, port):
        await start_setup_link(here.executor)
        status, _, body = await ask(port, target)
        assert status == 403
        assert "wrong" not in body
        assert here.first.setup_token not in body


@pytest.mark.parametrize(
    ("target", "how", "expected"),
    [
        ("/", {}, 200),
        ("/healthz", {}, 200),
        ("/readyz", {}, 200),
        ("/readyz", {"method": "HEAD"}, 200),
        ("/nothing", {}, 404),
        ("/setup/a/b", {}, 404),
        ("/", {"method": "POST", "more": "Content-Length: 0\r\n"}, 405),
        ("/", {"host": "evil.example"}, 403),
        ("/", {"more": "Origin: https://evil.example\r\n"}, 403),
        ("/", {"more": "Origin: null\r\n"}, 403),
        ("/", {"more": "X: a\x00b\r\n"}, 400),
    ],
)
async def test_every_answer_has_the_strict_headers_and_no_cookie(
    tmp_path: Path, target: str, how: dict[str, str], expected: int
) -> None:
    async with console(tmp_path) as (_, port):
        status, lines, _ = await ask(port, target, **how)
        assert status == expected
        for line in (
            "content-security-policy: default-src 'none'",
            "frame-ancestors 'none'",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "cache-control: no-store",
        ):
            assert line in lines
        assert "set-cookie" not in lines
