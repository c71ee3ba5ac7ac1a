"""A stdio server of 2025-11-25: `echo` answers at once, `mirror` with all it was told, `count` with progress until it
is told to stop."""

import json
import sys
import threading
import time
from typing import Any

TOOLS = [
    {"name": "echo", "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}}},
    {"name": "mirror", "inputSchema": {"type": "object"}},
    {"name": "count", "inputSchema": {"type": "object"}},
]
STEPS = 1200
PAUSE_S = 0.05
_say = threading.Lock()
_stopped: set[object] = set()


def say(message: dict[str, Any]) -> None:
    with _say:
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        sys.stdout.flush()


def count(identity: object, token: object) -> None:
    for step in range(STEPS):
        if identity in _stopped:
            return
        if token is not None:
            say({"method": "notifications/progress", "params": {"progressToken": token, "progress": step}})
        time.sleep(PAUSE_S)
    say({"id": identity, "result": {"content": []}})


def answer(message: dict[str, Any]) -> None:
    method, params = message["method"], message.get("params", {})
    if method == "notifications/cancelled":
        _stopped.add(params.get("requestId"))
    if "id" not in message:
        return
    if method == "tools/call" and params["name"] == "count":
        token = params.get("_meta", {}).get("progressToken")
        threading.Thread(target=count, args=(message["id"], token), daemon=True).start()
        return
    text = params.get("arguments", {}).get("text", "")
    if params.get("name") == "mirror":
        text = json.dumps(message)
    results: dict[str, Any] = {
        "initialize": {
            "protocolVersion": "2025-11-25",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "streaming", "version": "1"},
        },
        "tools/list": {"tools": TOOLS},
        "tools/call": {"content": [{"type": "text", "text": text}]},
    }
    say({"id": message["id"], "result": results.get(method, {})})


if __name__ == "__main__":
    for line in sys.stdin:
        answer(json.loads(line))
