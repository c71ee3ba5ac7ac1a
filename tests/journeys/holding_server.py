"""A legacy stdio server whose one tool answers when a file is there: `holding_server.py FILE`."""

import json
import sys
import time
from pathlib import Path

TOOL = {
    "name": "hold",
    "description": "Answers when it may.",
    "inputSchema": {"type": "object", "properties": {}},
}


def answer(method: str) -> dict:
    if method == "initialize":
        info = {"name": "hold", "version": "1"}
        return {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": info}
    if method == "tools/list":
        return {"tools": [TOOL]}
    if method == "tools/call":
        Path(f"{sys.argv[1]}.held").touch()
        while not Path(sys.argv[1]).exists():
            time.sleep(0.01)
        return {"content": [{"type": "text", "text": "held no longer"}]}
    return {}


for line in sys.stdin:
    message = json.loads(line)
    if "id" in message and "method" in message:
        reply = {"jsonrpc": "2.0", "id": message["id"], "result": answer(message["method"])}
        sys.stdout.write(json.dumps(reply) + "\n")
        sys.stdout.flush()
