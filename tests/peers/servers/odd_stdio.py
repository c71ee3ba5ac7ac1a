"""A stdio server without any SDK, for what the SDKs' servers cannot be made to do. Standard library only.

    python odd_stdio.py MODE  # legacy | silent-discover | slow-start | modern | bad-id | text-id | deaf | chatty

Tools: echo (gives the arguments back, verbatim), say (writes `line` to stdout as it is, then answers unless `only`).
"""

import json
import sys
import time

MODE = sys.argv[1] if len(sys.argv) > 1 else "legacy"
INITIALIZED = '{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"odd","version":"1"}}'
DISCOVERED = '{"supportedVersions":["2026-07-28"],"capabilities":{},"resultType":"complete"}'


def write(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def result(identity: object, body: str) -> None:
    write(f'{{"jsonrpc":"2.0","id":{json.dumps(identity)},"result":{body}}}')


def refuse(identity: object, code: int) -> None:
    write(f'{{"jsonrpc":"2.0","id":{json.dumps(identity)},"error":{{"code":{code},"message":"no"}}}}')


def call(request: dict) -> None:
    identity, params = request["id"], request["params"]
    arguments = params.get("arguments", {})
    if MODE == "bad-id":
        identity = 987654
    elif MODE == "text-id":
        identity = str(identity)
    if params["name"] == "say":
        write(arguments["line"].replace("ID", str(identity)))
        if arguments.get("only"):
            return
    result(identity, json.dumps({"arguments": arguments, "meta": params.get("_meta")}))


def discover(request: dict) -> None:
    if MODE in ("modern", "slow-start"):
        result(request["id"], DISCOVERED)
    elif MODE != "silent-discover":
        refuse(request["id"], -32601)


def initialize(request: dict) -> None:
    if MODE in ("modern", "slow-start"):
        refuse(request["id"], -32022)
    else:
        result(request["id"], INITIALIZED)


def main() -> None:
    if MODE in ("deaf", "slow-start"):
        time.sleep(600 if MODE == "deaf" else 4)
    while MODE == "chatty":
        write("this is no message")
    for line in sys.stdin:
        request = json.loads(line)
        handle = {"server/discover": discover, "initialize": initialize, "tools/call": call}.get(request.get("method"))
        if handle is not None:
            handle(request)


if __name__ == "__main__":
    main()
