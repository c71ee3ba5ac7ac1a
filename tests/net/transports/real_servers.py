"""Real MCP servers over HTTP, each a process of its own, and links to them."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mcp_platform.base.config.settings import Upstreams
from mcp_platform.net.client import HttpClient
from mcp_platform.net.transports.http_link import HttpLink
from mcp_platform.net.transports.model import Target
from mcp_platform.net.transports.sse_link import SseLink
from tests.journeys.stock_servers import free_port
from tests.net.transports.calls import Source
from tests.peers.environments import ROOT, command_of, environment_for_node, node, npm_bin, python_of

SERVERS = ROOT / "tests" / "peers" / "servers"
START_S = 30.0
Linked = HttpLink | SseLink


@asynccontextmanager
async def python_server(peer: str, script: str, *arguments: str) -> AsyncIterator[str]:
    """One of ours in tests/peers/servers; yields its URL."""
    line = [str(python_of(peer)), str(SERVERS / script), *arguments]
    process = await asyncio.create_subprocess_exec(
        *line, stdout=asyncio.subprocess.PIPE, stdin=asyncio.subprocess.DEVNULL, start_new_session=True
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_S):
            port = int((await process.stdout.readline()).split()[1])
        yield f"http://127.0.0.1:{port}/{'sse' if '--sse' in arguments else 'mcp'}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


@asynccontextmanager
async def everything(transport: str, port: int | None = None) -> AsyncIterator[str]:
    """npm's server-everything, `sse` or `streamableHttp`; yields its URL."""
    port = port or free_port()
    line = [str(node()), str(npm_bin("mcp-server-everything")), transport]
    async with _served(line, {**environment_for_node(), "PORT": str(port)}, port):
        yield f"http://127.0.0.1:{port}/{'sse' if transport == 'sse' else 'mcp'}"


@asynccontextmanager
async def fastmcp(port: int | None = None) -> AsyncIterator[str]:
    """FastMCP 4 over streamable HTTP; yields its URL."""
    port = port or free_port()
    script = str(SERVERS / "adding_fastmcp.py")
    line = [str(command_of("fastmcp", "fastmcp")), "run", script, "--transport", "http", "--port", str(port)]
    async with _served([*line, "--no-banner", "--log-level", "WARNING"], dict(os.environ), port):
        yield f"http://127.0.0.1:{port}/mcp"


@asynccontextmanager
async def _served(line: list[str], environment: dict[str, str], port: int) -> AsyncIterator[None]:
    nothing = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        *line, env=environment, stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True
    )
    try:
        async with asyncio.timeout(START_S):
            while process.returncode is None:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.05)
                    continue
                writer.close()
                break
        assert process.returncode is None, "the server ended at its start"
        yield
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


@asynccontextmanager
async def linked(url: str, transport: str = "http", *, interactive: bool = True) -> AsyncIterator[Linked]:
    """A link to a server that runs."""
    client = HttpClient()
    target = Target("up_1", 1, transport, url, True, interactive)
    make = SseLink if transport == "sse" else HttpLink
    link = make(target, client, Source(), Upstreams())
    try:
        yield link
    finally:
        await link.close()
        await client.close()
