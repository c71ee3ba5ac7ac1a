"""A program for tests: forked workers that share one listening socket and one gate, and answer with their slot.

Arguments: workers, max_connections, max_per_address. Prints the port and the workers' pids; `forget N` on its input
waits for worker N to be dead and forgets it; end of input ends everything.
"""

import asyncio
import json
import os
import signal
import socket
import sys
import time

import uvloop

from mcp_platform.base.config.settings import Http
from mcp_platform.base.errors import Fault
from mcp_platform.net.gate import Gate
from mcp_platform.net.server import Exchange, HttpServer


class SlotApp:
    def __init__(self, slot: int) -> None:
        self.slot = slot

    def early(self, method: str, path: str, headers: dict[str, str], address: str) -> Fault | None:
        return None

    def max_body(self, path: str) -> int:
        return 0

    def handle(self, exchange: Exchange) -> None:
        exchange.reply(200, b"%d" % self.slot)

    def lines(self, path: str, headers: dict[str, str]) -> bytes:
        return b""

    def refuse(self, fault: Fault) -> tuple[int, bytes, bytes]:
        return fault.kind.http, b"", json.dumps({"error": fault.kind.code}).encode()


async def serve(sock: socket.socket, gate: Gate, slot: int, lifeline: int) -> None:
    gate.join(slot)
    server = HttpServer(SlotApp(slot), Http(), gate=gate, name="test")
    server.listen(sock)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(lifeline, ended.set)
    await ended.wait()
    server.close()


def main() -> None:
    workers, max_connections, max_per_address = map(int, sys.argv[1:])
    sock = socket.create_server(("127.0.0.1", 0), backlog=1024)
    gate = Gate.make(workers, max_connections, max_per_address)
    lifeline, mine = os.pipe()
    pids = []
    for slot in range(workers):
        pid = os.fork()
        if pid == 0:
            os.close(mine)
            uvloop.run(serve(sock, gate, slot, lifeline))
            os._exit(0)
        pids.append(pid)
    while gate.share().workers < workers:
        time.sleep(0.005)
    print(json.dumps({"port": sock.getsockname()[1], "pids": pids}), flush=True)
    for line in sys.stdin:
        slot = int(line.split()[1])
        os.waitpid(pids[slot], 0)
        gate.forget(slot)
        pids[slot] = 0
        print(json.dumps({"forgotten": slot}), flush=True)
    os.close(mine)
    for pid in filter(None, pids):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
