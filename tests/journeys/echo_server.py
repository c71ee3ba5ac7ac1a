"""A legacy stdio server for trials of strength: `echo_server.py LOG ORPHAN`.

Every executed call is one line in LOG, so that a call which was sent twice is seen. It starts `sleep ORPHAN` in a
session of its own, whose parent ends at once: what only a namespace or a subreaper can find again.
"""

import json
import os
import subprocess
import sys
import time

TOOL = {
    "name": "echo",
    "description": "Say the same again.",
    "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
}


def answer(message: dict, log: int) -> dict:
    if message["method"] == "initialize":
        info = {"name": "echo", "version": "1"}
        return {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": info}
    if message["method"] == "tools/list":
        return {"tools": [TOOL]}
    if message["method"] == "tools/call":
        text = message["params"]["arguments"]["text"]
        os.write(log, f"{text}\n".encode())
        time.sleep(0.004)  # long enough that a kill finds calls in flight
        return {"content": [{"type": "text", "text": text}]}
    return {}


def main() -> None:
    log = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run(["/bin/sh", "-c", f"setsid sleep {sys.argv[2]} &"], check=True, **nothing)
    for line in sys.stdin:
        message = json.loads(line)
        if "id" in message and "method" in message:
            reply = {"jsonrpc": "2.0", "id": message["id"], "result": answer(message, log)}
            sys.stdout.write(json.dumps(reply) + "\n")
            sys.stdout.flush()


main()
