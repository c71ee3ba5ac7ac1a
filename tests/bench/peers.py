"""What stands where we stand, in environments of their own: a real FastMCP server, and FastMCP's proxies before it."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.bench.candidate import Candidate, until_open
from tests.bench.gateways import over_server
from tests.bench.machine import BESIDE, MEASURED, pin, pinned, tree
from tests.bench.traffic import Request, called
from tests.journeys.processes import process_table
from tests.journeys.stock_servers import free_port, modern_http
from tests.peers.environments import python_of


@contextmanager
def before_fastmcp(folder: Path) -> Iterator[list[Candidate]]:
    """The server itself, us before it, and FastMCP's proxy before it: default, and connected once."""
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
        yield [direct, ours, *proxies]


def additions(credentials: tuple[str, ...], count: int) -> list[Request]:
    """Calls of its one tool."""
    credential = credentials[0] if credentials else None
    return [called("add", {"a": number, "b": number * 7}, credential) for number in range(count)]


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
