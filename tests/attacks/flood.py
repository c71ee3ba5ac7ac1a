"""Thousands of calls at once through the public door: raw sockets, each with a run of pipelined requests."""

import asyncio
from collections import Counter
from collections.abc import Sequence

TIMEOUT_S = 60.0


def request(port: int, body: bytes, headers: dict[str, str]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {len(body)}\r\n{lines}\r\n".encode() + body


async def at_once(port: int, one: bytes, connections: int, each: int) -> Counter[int]:
    """Statuses of connections x each requests, all of them sent before the first answer is read; 0 for those that a
    connection took along when it was cut."""
    ready = asyncio.Event()
    runs = [asyncio.create_task(_run(port, one, each, ready)) for _ in range(connections)]
    ready.set()
    async with asyncio.timeout(TIMEOUT_S):
        return sum(await asyncio.gather(*runs), Counter())


async def _run(port: int, one: bytes, each: int, ready: asyncio.Event) -> Counter[int]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await ready.wait()
    found: Counter[int] = Counter()
    try:
        writer.write(one * each)
        for _ in range(each):
            found[await _status(reader)] += 1
    except (asyncio.IncompleteReadError, ConnectionError):
        found[0] += each - found.total()
    finally:
        writer.close()
    return found


async def _status(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    lines: Sequence[bytes] = head.lower().split(b"\r\n")
    for line in lines:
        if line.startswith(b"content-length:"):
            await reader.readexactly(int(line[15:]))
            break
    else:
        while size := int(await reader.readline(), 16):
            await reader.readexactly(size + 2)
        await reader.readline()
    return int(head[9:12])
