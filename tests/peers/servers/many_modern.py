"""A server of 2026-07-28 over stdio, by hand, that starts at once: more resources than stand on a page of a list.

    python many_modern.py COUNT

Its one tool `secret` says its name. Standard library alone.
"""

import json
import sys
from typing import Any

RESOURCES = [{"uri": f"test://many/{number:03}", "name": f"{number}"} for number in range(int(sys.argv[1]))]
SAID = {"content": [{"type": "text", "text": "secret"}]}
ANSWERS: dict[str, dict[str, Any]] = {
    "server/discover": {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}, "resources": {}}},
    "tools/list": {"tools": [{"name": "secret", "inputSchema": {"type": "object"}}]},
    "tools/call": SAID,
    "resources/list": {"resources": RESOURCES},
    "resources/templates/list": {"resourceTemplates": []},
    "resources/read": {"contents": [{"uri": "test://many/042", "text": "secret"}]},
}
HINTS = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}


def answer(message: dict[str, Any]) -> dict[str, Any]:
    if message["method"] not in ANSWERS:
        return {"error": {"code": -32601, "message": "no such method"}}
    return {"result": {**HINTS, **ANSWERS[message["method"]]}}


for line in sys.stdin:
    request = json.loads(line)
    if "id" in request:
        print(json.dumps({"jsonrpc": "2.0", "id": request["id"], **answer(request)}), flush=True)
