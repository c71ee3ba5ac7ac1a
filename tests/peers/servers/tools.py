"""Tools that the test servers of both official SDKs have, and how such a server listens. Imports no SDK: each of them
runs in an environment of its own.
"""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn
from pydantic import BaseModel

_cancelled = 0


class Colour(BaseModel):
    colour: str


def echo(text: str) -> str:
    """Give `text` back."""
    return text


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


async def hang() -> str:
    """Never answer; count the cancellation when one comes."""
    global _cancelled
    try:
        await asyncio.sleep(3600)
    except BaseException:
        _cancelled += 1
        raise
    return "unreachable"


def cancellations() -> int:
    """How many calls of `hang` were cancelled."""
    return _cancelled


def who() -> int:
    """This server's process id."""
    return os.getpid()


SHARED: tuple[Callable[..., Any], ...] = (echo, add, hang, cancellations, who)


async def report(to: Callable[[float, float, str], Awaitable[None]], steps: int, pause_s: float) -> str:
    """What the tool `progress` does: report `steps` times, `pause_s` apart."""
    for step in range(steps):
        await to(step + 1, steps, f"step {step + 1}")
        await asyncio.sleep(pause_s)
    return f"{steps} steps"


def listen(app: Any) -> None:  # an ASGI application of either SDK
    """Serve on a free port of this machine; prints `PORT n` first."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen(128)
    print(f"PORT {sock.getsockname()[1]}", flush=True)
    config = uvicorn.Config(app, log_level="warning", lifespan="on", timeout_keep_alive=5)
    asyncio.run(uvicorn.Server(config).serve(sockets=[sock]))
