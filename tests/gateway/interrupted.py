"""What a client may be in the middle of when a process is killed, and what comes of it when it goes on as clients do.

Each begins, and after the kill says in one word how it ended: `whole`, the code of the one error that its client got,
or `closed` where the connection ended without a word.
"""

import json
import secrets
import select
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

from mcp_platform.gateway.sessions import mark_of
from tests.gateway.conftest import SERVERS
from tests.gateway.door import Door
from tests.gateway.events import Event, Events, get
from tests.gateway.test_listen import listen
from tests.gateway.test_parking import ACCEPT, ELICITATION
from tests.gateway.test_stream_kills import wires
from tests.gateway.test_subscriptions import UPDATED, tool_of
from tests.gateway.wires import LegacySession, Wire
from tests.journeys.platform import Answer, Platform, modern_request
from tests.peers.environments import python_of

PATIENCE_S = 15.0
"""Seconds after a kill in which every client knows what came of its work: those of the platform's own bounds that apply
are 5 (a new upstream-host), 5 (a new control) and 3 (a stream read on)."""
URI = "note://one"
SOURCE = SERVERS / "counting_legacy.py"
WHOLE = "whole"
CLOSED = "closed"


def line(log: Path, *arguments: str) -> list[str]:
    """The command of the server that counts."""
    return [str(python_of("mcp1")), str(SOURCE), str(log), *arguments]


class HttpServer:
    """The server that counts, over HTTP: killed, and started again on its own port."""

    def __init__(self, log: Path, port: int) -> None:
        self._line = line(log, "--http", str(port))
        self.url = f"http://127.0.0.1:{port}/mcp"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it listens; does nothing where it runs."""
        if self.process is None:
            self.process = subprocess.Popen(self._line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
            assert self.process.stdout is not None
            assert self.process.stdout.readline().startswith(b"PORT")

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.communicate()
            self.process = None


@dataclass
class Work:
    """One client's work at one server, on a connection whose worker the test knows."""

    platform: Platform
    server: str
    wire: Wire
    log: Path
    mark: str = field(default_factory=lambda: secrets.token_hex(16))
    """Names the work in the server's log, and its call in the record (as its trace)."""

    def __post_init__(self) -> None:
        """A principal of its own: what earlier ones listened for is mended later each time it breaks."""
        made = Door(self.platform).ask("key.create", principal=self.mark, agent="x", roles=["member"])
        self.key = str(made["api_key"])

    sessionless: ClassVar[bool] = False
    """Whether its client has no session of its own."""

    def home(self) -> str | None:
        """The worker that has the server's session for a client without one; None where any worker may have it."""
        if not self.sessionless or self.server == "stdio":
            return None
        with closing(sqlite3.connect(self.platform.data / "platform.db")) as database:
            (identity,) = database.execute("select id from principals where name = ?", (self.mark,)).fetchone()
        return f"worker-{int.from_bytes(mark_of(identity.encode())[:4]) % 2}"

    def begin(self) -> None:
        """Until the server is in the middle of it."""
        raise NotImplementedError

    def go_on(self) -> str:
        """How it ended."""
        raise NotImplementedError

    @property
    def makes_a_call(self) -> bool:
        return True

    def tool(self, name: str) -> str:
        return tool_of(self.platform, self.server, name)

    def params(self, tool: str, **meta: Any) -> dict[str, Any]:
        meta["traceparent"] = f"00-{self.mark}-00f067aa0ba902b7-01"
        return {"name": self.tool(tool), "arguments": {"mark": self.mark}, "_meta": meta}

    def executions(self, what: str) -> int:
        """How often the server began or ended this call."""
        return self.log.read_text().split("\n").count(f"{what} {self.mark}") if self.log.exists() else 0


def outcome(message: dict[str, Any] | None, mark: str) -> str:
    if message is None:
        return CLOSED
    if "error" in message:
        return str(message["error"]["data"]["error"])
    (content,) = message["result"]["content"]
    return WHOLE if content["text"] == f"whole {mark}" else str(message)


def modern(work: Work, tool: str, capabilities: object = None, **more: Any) -> tuple[bytes, dict[str, str]]:
    """One tools/call of a modern client that wants progress."""
    params = work.params(tool)
    body, headers = modern_request("tools/call", {**params, **more}, work.key)
    message = json.loads(body)
    meta = message["params"]["_meta"] | params["_meta"] | {"progressToken": "p"}
    message["params"]["_meta"] = meta | {"io.modelcontextprotocol/clientCapabilities": capabilities or {}}
    return json.dumps(message).encode(), headers


class StreamLegacy(Work):
    """A call whose progress streams to a client of 2025-11-25, which comes back for what it missed."""

    tool_name = "flow"
    capabilities: object = None

    def begin(self) -> None:
        # Over stdio not on the wire of the call: whatever serves the session is none of the call's business. Over HTTP
        # the call is where the session is.
        wire = Wire(self.platform) if self.server == "stdio" else self.wire
        self.session = LegacySession(wire, self.key, capabilities=self.capabilities)
        params = self.params(self.tool_name, progressToken="p")
        body = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}
        self.events = Events(self.wire.send(json.dumps(body).encode(), self.session.headers))
        self.last: str | None = None
        self.wait_for_the_middle()

    def wait_for_the_middle(self) -> None:
        for _ in range(3):
            assert self.message()["method"] == "notifications/progress"

    def go_on(self) -> str:
        self.log.with_name(self.mark).touch()
        while (message := self.message()) is not None and "method" in message:
            pass
        return outcome(message, self.mark)

    def message(self) -> Any:
        """The next message, on this connection or on a later one; None where there is nothing to come back for."""
        for _ in range(4):
            event = self._event()
            while event is not None and not event.data:
                event = self._event()
            if event is not None:
                return event.json()
            self.events = Events(get(Wire(self.platform), self.session.headers, self.last))
        return None

    def _event(self) -> Event | None:
        event = self.events.next()
        self.last = (event and event.id) or self.last
        return event


class QuestionLegacy(StreamLegacy):
    """A question on the stream of a legacy client's call."""

    tool_name = "ask"
    capabilities: object = {"elicitation": {}}

    def wait_for_the_middle(self) -> None:
        self.question = self.message()
        assert self.question["method"] == "elicitation/create"

    def go_on(self) -> str:
        answer = {"jsonrpc": "2.0", "id": self.question["id"], "result": ACCEPT}
        assert self.session.post(answer, Wire(self.platform)).status in (202, 400)
        return super().go_on()


class StreamModern(Work):
    """A call whose progress streams to a client of 2026-07-28, for which there is no coming back."""

    sessionless = True

    def begin(self) -> None:
        self.events = Events(self.wire.send(*modern(self, "flow")))
        for _ in range(3):
            assert self.events.message()["method"] == "notifications/progress"

    def go_on(self) -> str:
        self.log.with_name(self.mark).touch()
        rest = self.events.rest()
        answers = [each for each in rest if "method" not in each]
        assert len(answers) <= 1, "a call has one answer"
        return outcome(answers[0] if answers else None, self.mark)


class Parked(Work):
    """A question to a client of 2026-07-28: its call is parked, and it comes back with the answer."""

    sessionless = True

    def begin(self) -> None:
        result = self.ask(self.wire).json()["result"]
        assert result["resultType"] == "input_required", result
        ((key, _),) = result["inputRequests"].items()
        self.given = {"inputResponses": {key: ACCEPT}, "requestState": result["requestState"]}

    def ask(self, wire: Wire, **more: Any) -> Answer:
        return wire.ask(*modern(self, "ask", ELICITATION, **more))

    def go_on(self) -> str:
        ended = outcome(self.ask(Wire(self.platform), **self.given).json(), self.mark)
        again = outcome(self.ask(Wire(self.platform), **self.given).json(), self.mark)
        assert again in ("parked_call_gone", "request_state_invalid"), "an answer is taken once"
        return ended


class Listening(Work):
    """Subscribed to a resource by subscriptions/listen."""

    sessionless = True

    @property
    def makes_a_call(self) -> bool:
        return False

    @property
    def uri(self) -> str:
        return f"mcpp://{self.server}/{quote(URI, safe='')}"

    def begin(self) -> None:
        self.events = listen(self.wire, self.key, 1, resourceSubscriptions=[self.uri])
        agreed = self.events.message()
        assert agreed["params"]["notifications"] == {"resourceSubscriptions": [self.uri]}, agreed

    def go_on(self) -> str:
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            self.poke()
            if select.select([self.events.answer.fp], [], [], 0.2)[0]:  # type: ignore[attr-defined]  # an HTTPResponse has one
                if (event := self.events.next()) is None:
                    if not self.come_back():
                        return CLOSED
                elif event.data and event.json()["method"] == UPDATED:
                    return WHOLE if event.json()["params"]["uri"] == self.uri else event.data
        return "deaf"

    def come_back(self) -> bool:
        """After the end of a stream; whether a client may."""
        return False

    def poke(self) -> None:
        """Have the server say that the resource changed, through every worker."""
        for wire in wires(self.platform):
            wire.call(self.tool("poke"), {"uri": URI}, self.key)
            wire.close()


class Subscribed(Listening):
    """Subscribed to a resource in a legacy session, whose stream is opened again where it ends."""

    sessionless = False

    def begin(self) -> None:
        self.session = LegacySession(Wire(self.platform), self.key)
        self.events = Events(get(self.wire, self.session.headers))
        first = self.events.next()
        assert first is not None
        self.last = first.id
        self.ask()

    def ask(self) -> None:
        given = self.session.request("resources/subscribe", {"uri": self.uri}, wire=Wire(self.platform))
        assert given.json().get("result") == {}, given

    def come_back(self) -> bool:
        self.events = Events(get(Wire(self.platform), self.session.headers, self.last))
        return True

    def poke(self) -> None:
        for wire in wires(self.platform):
            self.session.request("tools/call", {"name": self.tool("poke"), "arguments": {"uri": URI}}, wire=wire)
            wire.close()


class InSession(Subscribed):
    """A legacy session with its stream: it is asked for something at once, and hears that a list changed."""

    def ask(self) -> None:
        """Nothing beforehand."""

    def go_on(self) -> str:
        wire = Wire(self.platform)
        if self.session.request("ping", {}, wire=wire).json().get("result") != {}:
            return "no ping"
        called = self.session.request("tools/call", {"name": self.tool("who"), "arguments": {}}, wire=wire).json()
        if "result" not in called:
            return outcome(called, self.mark)
        return self.hears_of_a_list()

    def hears_of_a_list(self) -> str:
        until = time.monotonic() + PATIENCE_S
        change = {"name": self.tool("change"), "arguments": {}}
        while time.monotonic() < until:
            self.session.request("tools/call", change, wire=Wire(self.platform))
            if select.select([self.events.answer.fp], [], [], 0.2)[0]:  # type: ignore[attr-defined]  # as above
                if (event := self.events.next()) is None:
                    self.come_back()
                elif event.data and event.json()["method"].endswith("/list_changed"):
                    return WHOLE
        return "deaf"
