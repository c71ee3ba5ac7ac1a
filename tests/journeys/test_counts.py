"""Every request leaves its record: what was sent is counted, and so is what the journal holds of it and what a server
was asked because of it.

Each request comes from an address of its own, so that refusals are not summed up.
"""

import collections
import http.client
import json
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from mcp_platform.control.registry import ACTIONS
from mcp_platform.journal.read import StreamReader, streams
from mcp_platform.journal.record import Answered, Control, Intent, Outcome, Record, Refusal, Refusals
from mcp_platform.wire.methods import METHODS
from tests.journeys.platform import LEGACY, Platform, modern_request, running_platform
from tests.journeys.test_kill import SERVER

TASK_SERVER = Path(__file__).parents[1] / "peers" / "servers" / "tasks_modern.py"
OWN = ("server/discover", "tools/list", "prompts/list", "resources/list", "resources/templates/list")
"""What the platform asks for itself."""
KINDS = (Intent, Answered, Refusal, Refusals, Control)


class Counter:
    """Reads the journal as it grows, and what a server writes down of its requests."""

    def __init__(self, folder: Path, requests: Path) -> None:
        self._folder = folder
        self._requests = requests
        self._readers: dict[tuple[str, str], StreamReader] = {}
        self.records: list[Record] = []
        self.outcomes = 0
        self._seen = 0

    def read(self) -> None:
        for stream in streams(self._folder):
            reader = self._readers.setdefault(stream, StreamReader(self._folder, *stream))
            while found := reader.read():
                for entry in found:
                    record = entry.record
                    self.outcomes += isinstance(record, Outcome)
                    if isinstance(record, KINDS):
                        self.records.append(record)

    def new(self, count: int = 1) -> list[Record]:
        """What came since it was last asked: once `count` records are there. One too many shows at the next step."""
        until = time.monotonic() + 5.0
        self.read()
        while len(self.records) < self._seen + count and time.monotonic() < until:
            time.sleep(0.01)
            self.read()
        found, self._seen = self.records[self._seen :], len(self.records)
        return found

    def one(self, kind: type[Record]) -> Any:
        """The one record that came, which is of this kind."""
        found = self.new()
        assert [type(each) for each in found] == [kind], found
        return found[0]

    @contextmanager
    def one_request(self, method: str) -> Iterator[None]:
        """Sees that what is done meanwhile leaves the one record of this method; and where it is sent on, that it was
        sent once, and that it ended."""
        sent, outcomes, asked = METHODS[method].sent, self.outcomes, self._asked()
        yield
        assert self.one(Intent if sent else Answered).method == method
        assert self.outcomes - outcomes == sent
        more = self._asked() - asked
        assert more[method] == sent
        assert set(more) <= {method, *OWN}

    def _asked(self) -> collections.Counter[str]:
        return collections.Counter(self._requests.read_text().split())

    def close(self) -> None:
        for reader in self._readers.values():
            reader.close()


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Platform, Counter]]:
    folder = tmp_path_factory.mktemp("counted")
    with running_platform(folder) as platform:
        platform.cli("server", "add", "echo", "--", sys.executable, str(SERVER), str(folder / "log"), "20")
        platform.cli("server", "add", "tasks", "--", sys.executable, str(TASK_SERVER), str(folder / "requests"))
        counter = Counter(platform.data / "journal", folder / "requests")
        platform.wait_for(lambda: _is_quiet(counter), "the start's records", 10)
        counter.new(0)
        yield platform, counter
        assert counter.new(0) == [], "something left a record too many"
        counter.close()


def _is_quiet(counter: Counter) -> bool:
    counter.read()
    before = len(counter.records)
    time.sleep(0.3)
    counter.read()
    return before == len(counter.records) > 0


_last = iter(range(1, 1 << 16))


def send(
    platform: Platform,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
    surface: str = "gateway",
) -> tuple[int, dict[str, str], bytes]:
    """One request from an address of its own."""
    number = next(_last)
    source = f"127.{1 + number // 62500}.{number // 250 % 250}.{2 + number % 250}"
    where = urlsplit(platform.mcp_url if surface == "gateway" else platform.console_url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=20, source_address=(source, 0))
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def raw(platform: Platform, data: bytes) -> None:
    """Bytes that are no HTTP, or too much of it."""
    number = next(_last)
    with socket.create_connection(
        ("127.0.0.1", platform.ports["gateway"]), 10, source_address=(f"127.9.0.{2 + number % 250}", 0)
    ) as connection:
        connection.sendall(data)
        while connection.recv(65536):
            pass


def legacy_headers(platform: Platform, session: str | None = None) -> dict[str, str]:
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "Authorization": f"Bearer {platform.api_key}",
        "MCP-Protocol-Version": LEGACY,
    }
    return {**headers, "Mcp-Session-Id": session} if session else headers


def message(method: str, params: dict[str, Any] | None = None, number: int | None = 1) -> bytes:
    body: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params or {}}
    return json.dumps({**body, "id": number} if number is not None else body).encode()


ASKED: dict[str, dict[str, Any]] = {
    "completion/complete": {
        "ref": {"type": "ref/prompt", "name": "greet"},
        "argument": {"name": "how", "value": "p"},
    },
    "logging/setLevel": {"level": "info"},
    "prompts/get": {"name": "greet"},
    "resources/read": {"uri": "test://greeting"},
    "resources/unsubscribe": {"uri": "test://nothing"},
    "tasks/update": {"inputResponses": {}},
    "tools/call": {"name": "slow", "arguments": {"text": "x"}},
}
ENDLESS = ("subscriptions/listen", "resources/subscribe")
"""Methods that have a test of their own."""
TASKS = {"extensions": {"io.modelcontextprotocol/tasks": {}}}


def asking(platform: Platform, method: str, params: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
    """A modern request of a client that knows tasks."""
    body, headers = modern_request(method, params, platform.api_key)
    whole = json.loads(body)
    whole["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = TASKS
    target = METHODS[method].target
    if target is not None:
        headers["Mcp-Name"] = params[target]
    return json.dumps(whole).encode(), headers


@pytest.mark.parametrize("method", [each.name for each in METHODS.values() if each.modern and each.name not in ENDLESS])
def test_every_modern_method_leaves_one_record(counted: tuple[Platform, Counter], method: str) -> None:
    platform, counter = counted
    params = dict(ASKED.get(method, {}))
    if method.startswith("tasks/"):
        begun = send(platform, "POST", "/mcp", *asking(platform, "tools/call", ASKED["tools/call"]))[2]
        params["taskId"] = json.loads(begun)["result"]["taskId"]
        assert counter.one(Intent).method == "tools/call"
    with counter.one_request(method):
        assert send(platform, "POST", "/mcp", *asking(platform, method, params))[0] == 200


@pytest.mark.parametrize(
    "method", [each.name for each in METHODS.values() if each.legacy and each.name not in ("initialize", *ENDLESS)]
)
def test_every_legacy_method_leaves_one_record(counted: tuple[Platform, Counter], method: str) -> None:
    """So do the beginning and the end of a session, and what a client only tells."""
    platform, counter = counted
    hello = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "count", "version": "1"}}
    status, headers, _ = send(platform, "POST", "/mcp", message("initialize", hello), legacy_headers(platform))
    assert status == 200
    assert counter.one(Answered).method == "initialize"
    session = legacy_headers(platform, headers["mcp-session-id"])
    assert send(platform, "POST", "/mcp", message("notifications/initialized", number=None), session)[0] == 202
    assert counter.one(Answered).method == "notifications/initialized"
    with counter.one_request(method):
        assert send(platform, "POST", "/mcp", message(method, ASKED.get(method)), session)[0] == 200
    assert send(platform, "DELETE", "/mcp", None, session)[0] == 200
    assert counter.one(Answered).method == "DELETE /mcp"


def first_line(platform: Platform, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> bytes:
    """What a stream begins with; then its client leaves."""
    number = next(_last)
    source = f"127.8.{number // 250}.{2 + number % 250}"
    connection = http.client.HTTPConnection("127.0.0.1", platform.ports["gateway"], 20, source_address=(source, 0))
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        return answer.readline()
    finally:
        connection.close()


def test_every_stream_leaves_one_record(counted: tuple[Platform, Counter]) -> None:
    """When it is opened: GET, subscriptions/listen, and the stream of 2024-11-05 with what is posted to it."""
    platform, counter = counted
    body, headers = modern_request("subscriptions/listen", {"notifications": {}}, platform.api_key)
    assert first_line(platform, "POST", "/mcp", body, headers) == b"event: message\n"
    assert counter.one(Answered).method == "subscriptions/listen"
    hello = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "count", "version": "1"}}
    _, begun, _ = send(platform, "POST", "/mcp", message("initialize", hello), legacy_headers(platform))
    assert counter.one(Answered).method == "initialize"
    session = {**legacy_headers(platform, begun["mcp-session-id"]), "Accept": "text/event-stream"}
    assert first_line(platform, "GET", "/mcp", None, session) == b"event: message\n"
    assert counter.one(Answered).method == "GET /mcp"
    assert first_line(platform, "GET", "/sse", None, session) == b": open\n"
    assert counter.one(Answered).method == "GET /sse"


def modern(platform: Platform, method: str = "tools/list", params: dict[str, Any] | None = None, **changed: str | None):
    """A request that would be answered, with some headers changed or taken away."""
    body, headers = modern_request(method, params or {}, platform.api_key)
    for name, value in changed.items():
        wanted = name.replace("_", "-")
        headers = {each: kept for each, kept in headers.items() if each.lower() != wanted}
        if value is not None:
            headers[wanted] = value
    return body, headers


REFUSED: dict[str, Any] = {
    "no credential": lambda p: ("POST", "/mcp", *modern(p, authorization=None)),
    "an unknown key": lambda p: ("POST", "/mcp", *modern(p, authorization="Bearer mcpp_x")),
    "no bearer": lambda p: ("POST", "/mcp", *modern(p, authorization="Basic eDp5")),
    "a token of nobody": lambda p: ("POST", "/mcp", *modern(p, authorization="Bearer eyJhbGciOiJub25lIn0.e30.")),
    "another content type": lambda p: ("POST", "/mcp", *modern(p, content_type="text/plain")),
    "an answer that it does not take": lambda p: ("POST", "/mcp", *modern(p, accept="text/html")),
    "another host": lambda p: ("POST", "/mcp", *modern(p, host="evil.example")),
    "another origin": lambda p: ("POST", "/mcp", *modern(p, origin="https://evil.example")),
    "no JSON": lambda p: ("POST", "/mcp", b"{", modern(p)[1]),
    "a batch": lambda p: ("POST", "/mcp", b"[]", modern(p)[1]),
    "another version": lambda p: ("POST", "/mcp", *modern(p, mcp_protocol_version="1999-01-01")),
    "another method in the header": lambda p: ("POST", "/mcp", *modern(p, mcp_method="ping")),
    "an unknown method": lambda p: ("POST", "/mcp", *modern(p, "tools/burn")),
    "an unknown tool": lambda p: ("POST", "/mcp", *modern(p, "tools/call", {"name": "none", "arguments": {}})),
    "wrong arguments": lambda p: ("POST", "/mcp", *modern(p, "tools/call", {"name": "echo", "arguments": {"text": 5}})),
    "GET": lambda p: ("GET", "/mcp", None, modern(p)[1]),
    "PUT": lambda p: ("PUT", "/mcp", b"{}", modern(p)[1]),
    "an unknown path": lambda p: ("GET", "/admin", None, {}),
    "POST to health": lambda p: ("POST", "/healthz", b"", {}),
    "no session": lambda p: ("POST", "/mcp", message("tools/list"), legacy_headers(p)),
    "an unknown session": lambda p: ("POST", "/mcp", message("tools/list"), legacy_headers(p, "x" * 40)),
    "the end of no session": lambda p: ("DELETE", "/mcp", None, legacy_headers(p, "x" * 40)),
    "too long a body": lambda p: ("POST", "/mcp", b" " * (5 << 20), modern(p)[1]),
}


@pytest.mark.parametrize("what", REFUSED)
def test_every_refusal_of_the_agents_surface_leaves_one_record(counted: tuple[Platform, Counter], what: str) -> None:
    platform, counter = counted
    method, path, body, headers = REFUSED[what](platform)
    try:
        status, _, answer = send(platform, method, path, body, headers)
    except (ConnectionError, http.client.HTTPException):
        status, answer = 413, b""  # refused while it still sent
    assert status >= 400 or b'"error"' in answer
    record = counter.one(Refusal)
    assert record.error
    assert record.decision == "deny"


@pytest.mark.parametrize(
    "data",
    [
        b"NONSENSE\r\n\r\n",
        b"GET /mcp HTTP/1.1\r\n\r\n",
        b"GET /mcp HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n",
        b"POST /mcp HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_what_is_no_http_leaves_one_record(counted: tuple[Platform, Counter], data: bytes) -> None:
    platform, counter = counted
    raw(platform, data)
    assert counter.one(Refusal).error


def test_health_and_preflight_leave_none(counted: tuple[Platform, Counter]) -> None:
    """Nobody is known there, nothing is done, and it happens every second: said in reference/audited.md."""
    platform, counter = counted
    for method, path in (("GET", "/healthz"), ("GET", "/readyz"), ("HEAD", "/readyz"), ("OPTIONS", "/mcp")):
        assert send(platform, method, path)[0] in (200, 204)
    for path in ("/", "/healthz", "/readyz"):
        assert send(platform, "GET", path, surface="console")[0] == 200
    assert counter.new(0) == []


PARAMS: dict[str, dict[str, Any]] = {"server.tools": {"name": "echo"}, "server.test": {"name": "echo"}}


@pytest.mark.parametrize("name", ACTIONS)
def test_every_action_of_control_leaves_its_record(counted: tuple[Platform, Counter], name: str) -> None:
    """Done or refused; a change says that it begins, too."""
    platform, counter = counted
    with socket.socket(socket.AF_UNIX) as door:
        door.settimeout(30)
        door.connect(str(platform.data / "control.sock"))
        door.sendall(json.dumps({"action": name, "params": PARAMS.get(name, {})}).encode() + b"\n")
        with door.makefile("rb") as lines:
            answer = json.loads([line for line in lines if b'"progress"' not in line][-1])
    action = ACTIONS[name]
    begins = answer["ok"] and not action.reads
    records = counter.new(2 if begins else 1)
    assert [type(each) for each in records] == [Control] * (2 if begins else 1), records
    tag = action.audit if not action.internal else "platform:request:unknown"
    outcomes = [each.outcome for each in records if isinstance(each, Control) and each.tag == tag]
    assert len(outcomes) == len(records)
    assert outcomes[-1] == "ok" if answer["ok"] else outcomes[-1] in ("refused", "failed")


REFUSED_BY_CONSOLE = {
    "another host": ("GET", "/", {"Host": "evil.example"}),
    "another origin": ("GET", "/", {"Origin": "https://evil.example"}),
    "an unknown page": ("GET", "/admin", {}),
    "another method": ("POST", "/", {}),
    "a set-up link of nobody": ("GET", "/setup/nonsense", {}),
    "no token": ("GET", "/api/v1/keys", {}),
    "a token of nobody": ("GET", "/api/v1/keys", {"Authorization": "Bearer mcpt_nonsense"}),
}


@pytest.mark.parametrize("what", REFUSED_BY_CONSOLE)
def test_every_refusal_of_the_peoples_surface_leaves_one_record(counted: tuple[Platform, Counter], what: str) -> None:
    platform, counter = counted
    method, path, headers = REFUSED_BY_CONSOLE[what]
    assert send(platform, method, path, None, headers, surface="console")[0] >= 400
    (record,) = counter.new()
    assert isinstance(record, Refusal | Control)
    assert record.error


def test_as_many_outcomes_as_intents(counted: tuple[Platform, Counter]) -> None:
    platform, counter = counted
    platform.wait_for(lambda: _is_quiet(counter), "the last outcome")
    assert counter.outcomes == sum(isinstance(each, Intent) for each in counter.records) > 0
