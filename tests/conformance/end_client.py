"""A client of either era in front of a platform, as far as the suite's client scenarios need one. By hand, so that it
sends what a scenario is about even where a library would refuse to."""

import base64
import json
from collections.abc import Callable
from typing import Any

from tests.gateway.events import Events, get
from tests.gateway.wires import LegacySession, Wire
from tests.journeys.platform import Platform, modern_request

CAPABILITIES = {"elicitation": {"form": {}}, "sampling": {}, "roots": {}}
MAX_EVENTS = 100
Json = dict[str, Any]
Answerer = Callable[[Json], Json]
"""What the user answers to an elicitation with these params."""


def defaults(params: Json) -> Json:
    """Accept with every default that the question brings (SEP-1034), and yes where it brings none."""
    properties = params["requestedSchema"]["properties"]
    return {"action": "accept", "content": {name: each.get("default", True) for name, each in properties.items()}}


class Modern:
    """2026-07-28."""

    def __init__(self, platform: Platform) -> None:
        self._key = platform.api_key
        self._wire = Wire(platform)
        self._schemas: dict[str, Json] = {}

    def ask(self, method: str, params: Json, extra: dict[str, str] | None = None) -> Json:
        """The response."""
        body, headers = modern_request(method, params, self._key)
        message = json.loads(body)
        message["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = CAPABILITIES
        if "uri" in params:
            headers["Mcp-Name"] = params["uri"]
        answer: Json = self._wire.ask(json.dumps(message).encode(), {**headers, **(extra or {})}).json()
        return answer

    def tools(self) -> list[Json]:
        tools: list[Json] = self.ask("tools/list", {})["result"]["tools"]
        self._schemas = {tool["name"]: tool["inputSchema"] for tool in tools}
        return tools

    def begin(self, name: str, arguments: Json, **more: Any) -> Json:
        """The first response to a call, whatever it is."""
        params = {"name": name, "arguments": arguments, **more}
        return self.ask("tools/call", params, mirrored(self._schemas.get(name, {}), arguments))

    def call(self, name: str, arguments: Json, between: Callable[[], None] = lambda: None) -> Json:
        """The last response to a call whose questions are answered; `between` is done before they are."""
        answer = self.begin(name, arguments)
        while answer.get("result", {}).get("resultType") == "input_required":
            between()
            result = answer["result"]
            given = {key: defaults(each["params"]) for key, each in result["inputRequests"].items()}
            state = {"requestState": result["requestState"]} if "requestState" in result else {}
            answer = self.begin(name, arguments, inputResponses=given, **state)
        return answer


class Legacy:
    """2025-11-25."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._session = LegacySession(Wire(platform), platform.api_key, capabilities=CAPABILITIES)

    def ask(self, method: str, params: Json, between: Callable[[], None] = lambda: None) -> Json:
        """The response; questions on the way are answered, after `between` is done. Where the stream ends before it,
        the client comes back for the rest (2025-11-25, SSE polling)."""
        message = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
        answer = Wire(self._platform).send(json.dumps(message).encode(), self._session.headers)
        if answer.getheader("content-type") != "text/event-stream":
            whole: Json = json.loads(answer.read())
            return whole
        events, last = Events(answer), None
        for _ in range(MAX_EVENTS):
            event = events.next()
            if event is None:
                events = Events(get(Wire(self._platform), self._session.headers, last))
                continue
            last = event.id or last
            heard: Json = event.json() if event.data else {"method": ""}
            if heard.get("method") == "elicitation/create":
                between()
                reply = {"jsonrpc": "2.0", "id": heard["id"], "result": defaults(heard["params"])}
                assert self._session.post(reply, Wire(self._platform)).status == 202
            elif "method" not in heard:
                return heard
        raise AssertionError(f"{MAX_EVENTS} events without an answer")

    def tools(self) -> list[Json]:
        tools: list[Json] = self.ask("tools/list", {})["result"]["tools"]
        return tools

    def call(self, name: str, arguments: Json, between: Callable[[], None] = lambda: None) -> Json:
        return self.ask("tools/call", {"name": name, "arguments": arguments}, between)


EndClient = Modern | Legacy


def mirrored(schema: Json, arguments: Json) -> dict[str, str]:
    """The headers that say what annotated arguments say (2026-07-28, basic/transports)."""
    headers = {}
    for name, each in schema.get("properties", {}).items():
        value = arguments.get(name)
        if "x-mcp-header" in each and value is not None:
            text = str(value).lower() if isinstance(value, bool) else str(value)
            headers[f"Mcp-Param-{each['x-mcp-header']}"] = encoded(text)
    return headers


def encoded(text: str) -> str:
    if text.isascii() and text.isprintable() and text == text.strip():
        return text
    return f"=?base64?{base64.b64encode(text.encode()).decode()}?="
