"""Real MCP servers over HTTP whose lists a test changes while they run, and a control that keeps them."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from mcp_platform.base.config.settings import Settings, Upstreams
from mcp_platform.control.broker import Broker
from mcp_platform.control.keepers import Keepers
from mcp_platform.control.outward import Outward
from mcp_platform.control.probe import Probe
from mcp_platform.features.upstreams.check import Reach
from mcp_platform.net.transports.host_link import HostConnection
from tests.control.worlds import World, settings_in, world
from tests.net.raw_upstream import Visit, answer, upstream

CALM = Upstreams(refresh_s=300.0, call_timeout_s=2.0, connect_timeout_s=1.0, start_timeout_s=2.0)
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
QUICK = Upstreams(refresh_s=1.0, call_timeout_s=2.0, connect_timeout_s=1.0, start_timeout_s=2.0)
"""Asks ten times a second whether a server is there."""
MEMBERS = {
    "tools/list": "tools",
    "prompts/list": "prompts",
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
}


def tool(name: str, says: str = "") -> dict[str, Any]:
    return {"name": name, "description": says, "inputSchema": {"type": "object"}}


@dataclass
class Offering:
    """One server: legacy, without a session. What it offers may change at any time."""

    url: str = ""
    capabilities: dict[str, Any] = field(default_factory=lambda: {"tools": {}, "prompts": {}, "resources": {}})
    lists: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {name: [] for name in MEMBERS.values()})
    instructions: object = "Be kind."
    down: bool = False
    """True: every request is answered with 503."""
    hangs: bool = False
    """True: no list is answered."""
    page: int = 1000
    refuses: set[str] = field(default_factory=set)
    """Methods that do not exist."""
    asked: list[dict[str, Any]] = field(default_factory=list)
    ears: list[Visit] = field(default_factory=list)
    """GET streams."""
    hanging: asyncio.Event = field(default_factory=asyncio.Event)

    def named(self, method: str) -> list[dict[str, Any]]:
        return [body for body in self.asked if body.get("method") == method]

    @property
    def open_ears(self) -> list[Visit]:
        return [ear for ear in self.ears if not ear.gone.is_set()]

    async def serve(self, visit: Visit) -> None:
        while request := await visit.request():
            if request.startswith(b"GET"):
                await visit.send(STREAM)
                self.ears.append(visit)
                await visit.until_closed()
                return
            body = json.loads(request.partition(b"\r\n\r\n")[2] or b"{}")
            self.asked.append(body)
            if self.down:
                await visit.send(answer(b"", status=b"503 Service Unavailable"))
            elif "id" not in body:
                await visit.send(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n")
            else:
                await self._answer(visit, body)

    async def _answer(self, visit: Visit, body: dict[str, Any]) -> None:
        method = body["method"]
        if method in MEMBERS and self.hangs:
            self.hanging.set()
            await visit.until_closed()
            return
        result: dict[str, Any] = {}
        if method == "server/discover" or method in self.refuses:
            error = {"code": -32601, "message": "no"}
            await self._send(
                visit, {"id": body["id"], "error": error}, b"400 Bad Request" if method[0] == "s" else b"200 OK"
            )
            return
        if method == "initialize":
            result = {
                "protocolVersion": "2025-11-25",
                "capabilities": self.capabilities,
                "serverInfo": {"name": "offering", "version": "1"},
                "instructions": self.instructions,
            }
        elif method in MEMBERS:
            start = int(body["params"].get("cursor", "0"))
            items = self.lists[MEMBERS[method]]
            result = {MEMBERS[method]: items[start : start + self.page]}
            if start + self.page < len(items):
                result["nextCursor"] = str(start + self.page)
        await self._send(visit, {"id": body["id"], "result": result})

    async def announce(self, kind: str) -> None:
        """Say on every open stream that a list changed."""
        message = json.dumps({"jsonrpc": "2.0", "method": f"notifications/{kind}/list_changed"})
        event = f"event: message\ndata: {message}\n\n".encode()
        for ear in self.open_ears:
            await ear.send(b"%x\r\n%b\r\n" % (len(event), event))

    @staticmethod
    async def _send(visit: Visit, message: dict[str, Any], status: bytes = b"200 OK") -> None:
        await visit.send(answer(json.dumps({"jsonrpc": "2.0", **message}).encode(), status=status))


@asynccontextmanager
async def offering(*tools: dict[str, Any], **more: Any) -> AsyncIterator[Offering]:
    made = Offering(**more)
    made.lists["tools"] = list(tools)
    async with upstream(made.serve) as server:
        made.url = server.url
        yield made


@dataclass
class Keeping:
    """A control, its keepers, and what the workers were told."""

    here: World
    keepers: Keepers
    told: list[tuple[str, tuple[str, ...]]]

    async def row(self, name: str) -> dict[str, Any]:
        listed = cast("list[dict[str, Any]]", (await self.here.ask("server.list"))["servers"])
        return next(row for row in listed if row["name"] == name)

    async def tools(self, name: str) -> dict[str, tuple[str, str]]:
        """Name → its state, and what agents see it by."""
        listed = cast("list[dict[str, Any]]", (await self.here.ask("server.tools", name=name))["tools"])
        return {tool["name"]: (tool["state"], tool["exposed"]) for tool in listed}


@asynccontextmanager
async def keeping(folder: Path, settings: Upstreams = CALM) -> AsyncIterator[Keeping]:
    made = Settings(vault=settings_in(folder).vault, upstreams=settings)
    host = HostConnection(folder / "no-host.sock")
    probe = Probe(made, Broker(_nobody), host, cast("Any", None), cast("Any", None))
    async with world(folder, cast("Reach", probe)) as here:
        outward = Outward(here.data, settings, host)
        told: list[tuple[str, tuple[str, ...]]] = []
        keepers = Keepers(
            here.executor,
            here.ring.data_key,
            cast("Reach", probe),
            outward.links,
            settings,
            lambda upstream, kinds: told.append((upstream, kinds)),
        )
        here.executor.published = keepers.published
        running = asyncio.get_running_loop().create_task(keepers.run())
        try:
            yield Keeping(here, keepers, told)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await keepers.close()
            await outward.close()
            await host.close()


async def _nobody(upstream: str, version: int) -> None:
    """There are no secrets here."""
