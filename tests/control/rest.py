"""The REST API in one process: a real world, a real listener, and a client that says exactly what a test wants."""

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcp_platform.base.config.settings import Http
from mcp_platform.control.app import build
from mcp_platform.control.console.app import ConsoleApp
from mcp_platform.control.entry import local_actor
from mcp_platform.control.rest.door import RestDoor
from mcp_platform.control.rest.problem import MEDIA_TYPE
from mcp_platform.control.start import setup_judge
from mcp_platform.features.cors.check import HostRule
from mcp_platform.features.headers.check import for_api, for_pages
from mcp_platform.net.server import HttpServer
from tests.control.worlds import World, world

API = "/api/v1"


@dataclass
class Reply:
    """One answer, whole."""

    status: int
    headers: dict[str, str]
    body: bytes = field(repr=False)

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """Of a problem; checks that it is one."""
        assert self.headers["content-type"] == MEDIA_TYPE
        said = self.json()
        assert {"type", "title", "status", "detail", "code", "errorId"} <= set(said)
        assert said["status"] == self.status
        assert said["type"].endswith(f"#{said['code']}")
        code: str = said["code"]
        return code


@dataclass
class Rest:
    """A world with its API, and a token for everything."""

    world: World
    door: RestDoor
    port: int
    token: str = field(repr=False)

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str | None = "",
        headers: Mapping[str, str] | None = None,
        raw: bytes | None = None,
    ) -> Reply:
        """`token` "": the one for everything; None: none. `raw` is sent as it is, `body` as JSON."""
        named = {"Host": f"127.0.0.1:{self.port}", "Connection": "close"}
        if token is not None:
            named["Authorization"] = f"Bearer {token or self.token}"
        content = json.dumps(body).encode() if raw is None and body is not None else raw
        if content is not None:
            named |= {"Content-Type": "application/json", "Content-Length": str(len(content))}
        named |= headers or {}
        lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
        return await self.send(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + (content or b""))

    async def send(self, request: bytes) -> Reply:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(request)
            async with asyncio.timeout(20):
                answer = await reader.read()
        finally:
            writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        return Reply(int(status.split(" ")[1]), headers, body)

    async def mint(self, *permissions: str, life_s: float = 900.0) -> str:
        """A new token; without permissions, one that may read."""
        made = await self.world.ask("token.create", permissions=list(permissions), for_s=life_s)
        return str(made["token"])


@asynccontextmanager
async def rest(folder: Path) -> AsyncIterator[Rest]:
    async with world(folder) as here:
        sock = socket.create_server(("127.0.0.1", 0))
        sock.setblocking(False)
        port = sock.getsockname()[1]
        door = RestDoor(here.executor, here.ring.data_key, lambda: build(here.executor, here.ring.data_key))
        hosts = HostRule.of(None, "127.0.0.1", port)
        app = ConsoleApp(hosts, setup_judge(here.executor, here.ring), lambda: True, rest=door)
        always, pages = for_api(secure=False), for_pages(secure=False)
        server = HttpServer(app, Http(), gate=None, always=always, pages=pages, name="console", refusal_type=MEDIA_TYPE)
        server.listen(sock)
        door.open()
        made = await here.executor.execute("token.create", {"permissions": ["all"]}, local_actor(os.getuid()))
        try:
            yield Rest(here, door, port, str(made["token"]))
        finally:
            await server.drain(1.0)
            await door.close()
            sock.close()
