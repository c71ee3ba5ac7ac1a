"""Raw keep-alive connections to a platform, and which worker serves each: what a test needs to aim at a worker."""

import http.client
import json
import os
import socket
from typing import Any, ClassVar

from tests.journeys.connections import rows
from tests.journeys.platform import Answer, Platform, modern_request


class Wire:
    """One keep-alive connection to the agents' surface."""

    open_ones: ClassVar[list["Wire"]] = []
    """Every wire of the test that runs; a fixture closes them."""

    def __init__(self, platform: Platform, timeout_s: float = 30.0) -> None:
        Wire.open_ones.append(self)
        self._answers: list[http.client.HTTPResponse] = []
        self._gateway = platform.ports["gateway"]
        self._platform = platform
        self._connection = http.client.HTTPConnection("127.0.0.1", self._gateway, timeout=timeout_s)
        self._connection.connect()

    @property
    def port(self) -> int:
        """Our end's port."""
        sock: socket.socket = self._connection.sock
        return int(sock.getsockname()[1])

    def send(
        self, body: bytes, headers: dict[str, str], method: str = "POST", path: str = "/mcp"
    ) -> http.client.HTTPResponse:
        """Send a request and give the answer, its body still to be read."""
        self.begin(body, headers, method, path)
        return self.answer()

    def begin(self, body: bytes, headers: dict[str, str], method: str = "POST", path: str = "/mcp") -> None:
        """Send a request and wait for nothing."""
        self._connection.request(method, path, body or None, headers)

    def answer(self) -> http.client.HTTPResponse:
        """The answer to what was begun, its body still to be read."""
        answer = self._connection.getresponse()
        self._answers.append(answer)
        return answer

    def ask(self, body: bytes, headers: dict[str, str], method: str = "POST") -> Answer:
        """Send a request and give the whole answer."""
        answer = self.send(body, headers, method)
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())

    def rpc(self, method: str, params: dict[str, Any], key: str | None = None) -> Answer:
        """One request in the modern dialect."""
        body, headers = modern_request(method, params, key or self._platform.api_key)
        return self.ask(body, headers)

    def call(self, tool: str, arguments: dict[str, Any] | None = None, key: str | None = None) -> Answer:
        return self.rpc("tools/call", {"name": tool, "arguments": arguments or {}}, key)

    def close(self) -> None:
        for answer in self._answers:
            answer.close()
        self._connection.close()


def worker_of(platform: Platform, wire: Wire) -> str:
    """Role name of the worker that holds the platform's end of `wire`, told by the kernel's socket tables."""
    _, inode = rows(platform.ports["gateway"])[True, wire.port]
    for name, pid in platform.pids().items():
        folder = f"/proc/{pid}/fd"
        for entry in os.listdir(folder):
            try:
                if os.readlink(f"{folder}/{entry}") == f"socket:[{inode}]":
                    return name
            except FileNotFoundError:
                continue
    raise AssertionError("no worker holds the connection")


def wires_to_each_worker(platform: Platform) -> dict[str, Wire]:
    """One wire to every worker."""
    wanted = {name for name in platform.pids() if name.startswith("worker")}
    found: dict[str, Wire] = {}
    spare: list[Wire] = []
    for _ in range(64):
        wire = Wire(platform)
        wire.rpc("tools/list", {})
        name = worker_of(platform, wire)
        if name in found:
            spare.append(wire)
        else:
            found[name] = wire
        if found.keys() == wanted:
            break
    for wire in spare:
        wire.close()
    assert found.keys() == wanted, f"64 connections reached only {sorted(found)} of {sorted(wanted)}"
    return found


class LegacySession:
    """A client of 2025-11-25 by hand, on one wire."""

    def __init__(self, wire: Wire, key: str, *, version: str = "2025-11-25", capabilities: object = None) -> None:
        self.wire = wire
        self.headers = {
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
        }
        params = {
            "protocolVersion": version,
            "capabilities": capabilities or {},
            "clientInfo": {"name": "hand", "version": "1"},
        }
        answer = self.request("initialize", params)
        assert answer.status == 200, answer
        self.initialized = answer.json()["result"]
        self.headers["Mcp-Session-Id"] = answer.headers["mcp-session-id"]
        self.headers["MCP-Protocol-Version"] = self.initialized["protocolVersion"]
        assert self.post({"jsonrpc": "2.0", "method": "notifications/initialized"}).status == 202

    def post(self, message: object, wire: Wire | None = None) -> Answer:
        return (wire or self.wire).ask(json.dumps(message).encode(), self.headers)

    def request(self, method: str, params: object, identity: int = 1, wire: Wire | None = None) -> Answer:
        return self.post({"jsonrpc": "2.0", "id": identity, "method": method, "params": params}, wire)
