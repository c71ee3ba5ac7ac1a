"""What is sent: requests as bytes on the wire, varied so that nothing remembers them all."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.upstreams import TOOLS
from tests.journeys.platform import modern_request

BODY_BYTES = 448
"""Of every request in the steady mix, as when the floors were measured."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a mix."""

    headers: dict[str, str]
    body: bytes


def steady(credentials: Sequence[str], count: int, tools: int = TOOLS, seed: int = 1) -> list[Request]:
    """tools/call of 448 bytes, answered with 313: another key, tool and argument each time."""
    chance = random.Random(seed)
    found = []
    for number in range(count):
        tool = f"lookup_{chance.randrange(tools)}"
        arguments: dict[str, object] = {"record": f"r{chance.randrange(10**6):06}", "fields": []}
        request = called(tool, arguments, credentials[number % len(credentials)] if credentials else None)
        missing = BODY_BYTES - len(request.body) - len(', "a"')
        if missing > 0:
            # The padding is an argument like any other: it is parsed, checked and sent on.
            fields = ["f" * min(missing, 60), "f" * max(0, missing - 64)] if missing > 60 else ["f" * missing]
            request = called(tool, {**arguments, "fields": fields}, request.headers.get("Authorization"))
        found.append(request)
    return found


def mixed(
    credentials: Sequence[str], count: int, tools: int = TOOLS, seed: int = 2, *, mistaken: bool = True
) -> list[Request]:
    """As agents do: results of 300 B to 100 kB, 30 % as event streams. `mistaken`: some with arguments that are
    refused, credentials that are not known, tools that do not exist."""
    chance = random.Random(seed)
    found = []
    for number in range(count):
        credential = credentials[number % len(credentials)] if credentials else None
        kind = chance.random()
        tool = f"lookup_{chance.randrange(tools)}"
        size = int(10 ** chance.uniform(2.5, 5.0))
        arguments: dict[str, object] = {"record": f"r{chance.randrange(10**6):06}", "bytes": size}
        if chance.random() < 0.3:
            arguments["stream"] = True
        if not mistaken:
            pass
        elif kind < 0.02:
            arguments["fields"] = 7
        elif kind < 0.04 and credential is not None:
            credential = credential[:-1] + ("a" if credential[-1] != "a" else "b")
        elif kind < 0.06:
            tool = "no_such_tool"
        found.append(called(tool, arguments, credential))
    return found


def called(tool: str, arguments: dict[str, object], credential: str | None) -> Request:
    body, headers = modern_request("tools/call", {"name": tool, "arguments": arguments}, None)
    if credential is not None:
        headers["Authorization"] = credential
    return Request(headers, body)


def wire(request: Request, port: int) -> bytes:
    """The request as it goes to `port`."""
    lines = {**request.headers, "Host": f"127.0.0.1:{port}", "Content-Length": str(len(request.body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"POST /mcp HTTP/1.1\r\n{head}\r\n".encode() + request.body
