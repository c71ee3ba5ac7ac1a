"""What stands where we stand, in environments of their own: a real FastMCP server, and other proxies before it."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.bench.candidate import Candidate, until_open
from tests.bench.gateways import over_server
from tests.bench.machine import BESIDE, MEASURED, pin, pinned, tree
from tests.bench.traffic import Request, called
from tests.journeys.platform import LEGACY
from tests.journeys.processes import descendants, process_table
from tests.journeys.stock_servers import free_port, modern_http
from tests.peers.environments import ROOT, command_of, python_of

SERVER = ROOT / "tests" / "peers" / "servers" / "adding_fastmcp.py"


@contextmanager
def before_fastmcp(folder: Path) -> Iterator[list[Candidate]]:
    """The server itself, us before it, FastMCP's proxy before it (default, and connected once), and mcp-proxy, which
    only goes before a stdio server: before the same one over stdio."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        url = stack.enter_context(modern_http(folder / "fastmcp.log"))
        port = urlsplit(url).port
        assert port is not None, "a stock server's URL has a port"
        pids = [pid for pid, (_, process) in process_table().items() if f"--port {port}" in process.line]
        pin(pids, BESIDE)
        direct = Candidate("FastMCP server, direct", port, pids, ())
        ours = stack.enter_context(over_server(folder / "gateway", url))
        proxies = [stack.enter_context(_proxy(url, *how)) for how in ((), ("connected",))]
        yield [direct, ours, *proxies, stack.enter_context(_mcp_proxy())]


def additions(candidate: Candidate, count: int) -> list[Request]:
    """Calls of its one tool."""
    credential = candidate.credentials[0] if candidate.credentials else None
    given = [{"a": number, "b": number * 7} for number in range(count)]
    if candidate.legacy:
        return [Request(_LEGACY_HEADERS, _legacy_body(each)) for each in given]
    return [called("add", {**each}, credential) for each in given]


_LEGACY_HEADERS = {
    "Content-Type": "application/json",
    "Accept": "application/json, text/event-stream",
    "MCP-Protocol-Version": LEGACY,
}


def _legacy_body(arguments: dict[str, int]) -> bytes:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "add", "arguments": arguments}}
    return json.dumps(message).encode()


@contextmanager
def _mcp_proxy() -> Iterator[Candidate]:
    """Without sessions, because the load has none; the server behind it runs on the other core and does not count."""
    port = free_port()
    server = [str(command_of("fastmcp", "fastmcp")), "run", str(SERVER), "--transport", "stdio"]
    proxy = [str(command_of("mcp-proxy", "mcp-proxy")), "--port", str(port), "--stateless", "--log-level", "ERROR"]
    line = pinned(MEASURED, [*proxy, "--", *server])
    with subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            until_open(port, 60)
            pin([each.pid for each in descendants(process.pid)], BESIDE)
            yield Candidate("mcp-proxy, before the server over stdio", port, [process.pid], (), legacy=True)
        finally:
            process.terminate()


@contextmanager
def _proxy(url: str, *how: str) -> Iterator[Candidate]:
    port = free_port()
    script = Path(__file__).with_name("fastmcp_proxy.py")
    line = pinned(MEASURED, [str(python_of("fastmcp")), str(script), url, str(port), *how])
    with subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            until_open(port, 60)
            name = "FastMCP proxy, connected once" if how else "FastMCP proxy, default"
            yield Candidate(name, port, tree(process.pid), ())
        finally:
            process.kill()
