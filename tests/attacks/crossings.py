"""One platform, two principals with the same names for everything, and how an answer looks to whoever gets it."""

import json
import re
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.gateway.door import Door
from tests.gateway.wires import LegacySession, Wire
from tests.journeys.platform import Answer, Platform, modern_request, running_platform
from tests.peers.environments import python_of

SERVERS = Path(__file__).parents[1] / "peers" / "servers"
ELICITATION: dict[str, Any] = {"elicitation": {"form": {}}}
TASKS: dict[str, Any] = {"extensions": {"io.modelcontextprotocol/tasks": {}}}
SHARED_RULES = [
    f"{kind}{server}/*"
    for server in ("odd", "common", "tasks", "things", "logs")
    for kind in ("", "prompts:", "resources:")
]
PAGE_ITEMS = 500
"""What one page of a list holds; one more makes a cursor."""


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody with a key."""

    platform: Platform
    key: str

    def modern(
        self,
        method: str,
        params: dict[str, Any],
        *,
        wire: Wire | None = None,
        path: str = "/mcp",
        **more: Any,
    ) -> Answer:
        """One request of 2026-07-28, answered whole."""
        wire = wire or Wire(self.platform)
        self.begin(wire, method, params, path=path, **more)
        return whole(wire)

    def begin(
        self,
        wire: Wire,
        method: str,
        params: dict[str, Any],
        *,
        identity: Any = 1,
        path: str = "/mcp",
        capabilities: dict[str, Any] = ELICITATION,
        **meta: Any,
    ) -> None:
        """Send a request of 2026-07-28, with `meta` in its `_meta`; nobody waits for the answer."""
        body, headers = modern_request(method, params, self.key)
        message = json.loads(body)
        message["id"] = identity
        message["params"]["_meta"] |= {"io.modelcontextprotocol/clientCapabilities": capabilities, **meta}
        for member in ("name", "uri", "taskId"):
            if member in params:
                headers["Mcp-Name"] = params[member]
        wire.begin(json.dumps(message).encode(), headers, path=path)

    def session(self, wire: Wire | None = None) -> LegacySession:
        """One of 2025-11-25."""
        return LegacySession(wire or Wire(self.platform), self.key, capabilities=ELICITATION)

    def headers(self, **more: str) -> dict[str, str]:
        """Those of a legacy request."""
        named = {name.replace("_", "-"): value for name, value in more.items()}
        return {
            "Authorization": f"Bearer {self.key}",
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            **named,
        }


@dataclass(frozen=True, slots=True)
class Crossed:
    """The platform and who is there."""

    platform: Platform
    owner: Party
    parties: dict[str, Party]
    """`other`: another principal whose agent has the same name. `agent`: the owner's principal by a key of another
    agent. `key`: another key of the owner's own agent."""
    names: dict[tuple[str, str], str]
    """The name under which agents see a server's tool."""


def whole(wire: Wire) -> Answer:
    answer = wire.answer()
    return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())


def request(method: str, params: dict[str, Any] | None = None, identity: Any = 1) -> dict[str, Any]:
    """A legacy message."""
    return {"jsonrpc": "2.0", "id": identity, "method": method, "params": params or {}}


def seen(answer: Answer, identity: str) -> tuple[int, list[tuple[str, str]], str]:
    """Everything about an answer that its reader could compare, apart from the id that was asked for and from what is
    new each time."""
    headers = {name: value for name, value in answer.headers.items() if name != "date"}
    body = answer.body.decode().replace(identity, "ID")
    return answer.status, sorted(headers.items()), re.sub(r"(?m)^id: .*$", "id: EVENT", body)


@contextmanager
def crossed(folder: Path) -> Iterator[Crossed]:
    """Two workers, servers of both eras, one of them a process that both principals share, and one that is the owner's
    alone."""
    odd = [str(python_of("mcp1")), str(SERVERS / "eliciting_legacy.py")]
    servers = {
        "odd": ["--", *odd],
        "common": ["--shared", "--", *odd],
        "tasks": ["--", sys.executable, str(SERVERS / "tasks_modern.py")],
        "hidden": ["--", sys.executable, str(SERVERS / "many_modern.py"), str(PAGE_ITEMS + 1)],
    }
    with running_platform(folder) as platform:
        with ThreadPoolExecutor(len(servers)) as pool:
            list(pool.map(lambda each: platform.cli("server", "add", each[0], *each[1]), servers.items()))
        door = Door(platform)
        door.ask("role.create", name="shared", rules=SHARED_RULES)
        door.ask("role.create", name="insider", rules=["hidden/*", "resources:hidden/*"])

        def party(principal: str, agent: str, *roles: str) -> Party:
            made = door.ask("key.create", principal=principal, agent=agent, roles=list(roles))
            return Party(platform, made["api_key"])

        owner = party("ana", "desk", "shared", "insider")
        parties = {
            "other": party("ben", "desk", "shared"),
            "agent": party("ana", "bot"),
            "key": party("ana", "desk"),
            "owner": owner,
        }
        rows = door.ask("server.tools")["tools"]
        names = {(str(row["server"]), str(row["name"])): str(row["exposed"]) for row in rows}
        door.ask(
            "virtual.create",
            name="inside",
            roles=["insider"],
            items=[{"kind": "tools", "server": "hidden", "own": "secret"}],
        )
        yield Crossed(platform, owner, parties, names)
