"""A real upstream-host in a process of its own, with a broker that a test fills; found by pytest as fixtures' material.

Run as a program it is the host: `python hosts.py FOLDER SETTINGS-JSON`.
"""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mcp_platform.base.config.settings import Processes, Settings, Upstreams
from mcp_platform.base.errors import Fault
from mcp_platform.base.folder import DataFolder
from mcp_platform.net import local
from mcp_platform.net.frames import FrameStream
from mcp_platform.net.inherit import Inherited
from mcp_platform.net.transports.broker_wire import LAUNCH, BrokerReply, BrokerRequest, LaunchWire
from mcp_platform.net.transports.host_link import HostConnection, HostLink
from mcp_platform.net.transports.model import Target
from mcp_platform.upstream_host import process

ROOT = Path(__file__).resolve().parents[2]
SERVERS = ROOT / "tests" / "peers" / "servers"


@dataclass
class Host:
    """A running host and one worker's connection to it."""

    data: DataFolder
    settings: dict[str, object]
    connection: HostConnection
    launches: dict[str, LaunchWire] = field(default_factory=dict)
    asked: list[BrokerRequest] = field(default_factory=list)
    process: "subprocess.Popen[bytes] | None" = None
    lifeline: int = -1

    def link(self, name: str, *argv: str, version: int = 1, interactive: bool = True, **launch: object) -> HostLink:
        """A link to a server that is started by `argv`."""
        if argv:
            self.launches[name] = LaunchWire(argv=list(argv), name=name, **launch)
        return HostLink(Target(name, version, "stdio", None, False, interactive), self.connection)

    def start(self) -> None:
        """Start the host, or another after it died."""
        read, self.lifeline = os.pipe()
        command = [sys.executable, str(Path(__file__)), str(self.data.root), json.dumps(self.settings), str(read)]
        with (self.data.root / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                pass_fds=[read, int(str(self.settings["socket"]))],
                stderr=log,
                env={**os.environ, "PYTHONPATH": str(ROOT), "SECRET_OF_OURS": "do-not-inherit"},
            )
        os.close(read)

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def log(self) -> list[dict[str, object]]:
        """Every line of the host's log."""
        return [json.loads(line) for line in (self.data.root / "log").read_text().splitlines() if line[:1] == "{"]

    def end(self, number: int) -> int:
        """Send a signal and wait for the end; the exit status."""
        assert self.process is not None
        self.process.send_signal(number)
        status = self.process.wait(30)
        os.close(self.lifeline)
        self.lifeline = -1
        return status


@asynccontextmanager
async def running_host(folder: Path, **settings: object) -> AsyncIterator[Host]:
    """A host whose broker answers from `launches`; `settings` are those of upstreams, and `drain_s`."""
    data = DataFolder(folder)
    data.run.mkdir(mode=0o700)
    broker_socket = local.listen(data.run / "broker.sock")
    host = Host(data, settings, HostConnection(data.run / "host.sock"))

    async def broker(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        stream: FrameStream[BrokerRequest] = FrameStream(reader, writer, BrokerRequest)
        try:
            while True:
                request = await stream.receive()
                host.asked.append(request)
                known = host.launches.get(request.upstream) if request.kind == LAUNCH else None
                stream.send(BrokerReply(request.id, known is not None, launch=known, error="not known"))
        except Fault:
            stream.close()

    server = await asyncio.start_unix_server(broker, sock=broker_socket)
    listening = local.listen(data.run / "host.sock")
    os.set_inheritable(listening.fileno(), True)
    host.settings = {**settings, "socket": listening.detach()}
    host.start()
    try:
        yield host
    finally:
        if host.process is not None and host.process.poll() is None:
            host.end(signal.SIGTERM)
        await host.connection.close()
        server.close()
        os.close(int(str(host.settings["socket"])))


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def main() -> None:
    settings = json.loads(sys.argv[2])
    listening = socket.socket(fileno=settings.pop("socket"))
    drain_s = settings.pop("drain_s", 5.0)
    whole = Settings(upstreams=Upstreams(**settings), processes=Processes(drain_s=drain_s, log_level="debug"))
    process.run(Inherited(DataFolder(Path(sys.argv[1])), whole, host=listening, lifeline=int(sys.argv[3])))


if __name__ == "__main__":
    main()
