"""Whatever is opened and dropped leaves tasks, descriptors, connections and objects of ours as they were."""

import asyncio
import contextlib
import gc
import os
from collections.abc import Awaitable, Callable

import pytest

from mcp_platform.base.config.settings import Upstreams
from mcp_platform.base.errors import Fault
from mcp_platform.net.transports.model import Wanted
from tests.net.raw_upstream import eventually
from tests.net.transports.calls import ELICITS, Ear, Recorder, listening, result, tool
from tests.net.transports.scripted_mcp import CHANGING, Asked, Handler, Scripted, fine, legacy, modern, scripted, told
from tests.net.transports.test_listening_modern import tagged

MANY = [pytest.param(200), pytest.param(10_000, marks=pytest.mark.long)]


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def changing() -> Handler:
    async def handle(asked: Asked) -> None:
        if asked.method == "tools/call" and asked.body["params"]["name"] == "hang":
            await asked.open()
        else:
            await fine(asked)

    return legacy(handle, capabilities=CHANGING)


async def get(asked: Asked) -> None:
    await asked.open()
    await asked.event(told("tools/list_changed"))


def ours() -> int:
    """Objects of the platform's own classes."""
    gc.collect()
    return sum(str(type(one).__module__).startswith("mcp_platform") for one in gc.get_objects())


async def settled(server: Scripted, drop: Callable[[int], Awaitable[None]], count: int) -> None:
    """Do it `count` times, after a first round that makes what is made once; compare what is left."""
    for n in range(20):
        await drop(n)
    await _quiet(server)
    tasks, files, objects = len(asyncio.all_tasks()), descriptors(), ours()
    for start in range(0, count, 20):
        await asyncio.gather(*(drop(n) for n in range(start, start + 20)))
    await _quiet(server)
    await eventually(lambda: len(asyncio.all_tasks()) <= tasks, 15)
    await eventually(lambda: descriptors() <= files, 15)
    assert ours() <= objects + 20


async def _quiet(server: Scripted) -> None:
    """No connection of ours stands open, so none of the server's does."""
    server.log.clear()
    await eventually(lambda: server.client.connections == 0, 15)


@pytest.mark.parametrize("count", MANY)
async def test_calls_that_are_given_up(count: int) -> None:
    async def drop(n: int) -> None:
        call = asyncio.create_task(server.link.call(tool("hang"), Recorder()))
        await asyncio.sleep(0.01)
        call.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await call

    async with scripted(changing(), idle_s=0.2) as server:
        await settled(server, drop, count)


@pytest.mark.parametrize("count", MANY)
async def test_sessions_of_many_principals(count: int) -> None:
    async def drop(n: int) -> None:
        call = tool("a", owner=f"p{n}", capabilities=ELICITS)
        for _ in range(50):
            try:
                await result(server.link, call)
            except Fault:
                await asyncio.sleep(0.02)
            else:
                return

    settings = Upstreams(process_idle_s=0.2)
    async with scripted(changing(), interactive=True, get=get, settings=settings, idle_s=0.2) as server:
        await settled(server, drop, count)


@pytest.mark.parametrize("count", MANY)
@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_ears_that_are_opened_and_closed(era: str, count: int) -> None:
    async def acknowledge(asked: Asked) -> None:
        await asked.open()
        filtered = asked.body["params"]["notifications"]
        await asked.event(tagged(asked, "subscriptions/acknowledged", notifications=filtered))

    async def drop(n: int) -> None:
        wanted = Wanted(tools=True, uris=frozenset({f"a://{n}"}))
        opened = await listening(server.link, Ear(), wanted)
        await opened.close()

    handler = changing() if era == "legacy" else modern(acknowledge)
    settings = Upstreams(process_idle_s=0.2)
    async with scripted(handler, get=get, settings=settings, idle_s=0.2) as server:
        await settled(server, drop, count)


async def test_ears_whose_opening_is_given_up() -> None:
    async def silent(asked: Asked) -> None:
        await asked.open()

    async def drop(n: int) -> None:
        opening = asyncio.create_task(listening(server.link, Ear()))
        await asyncio.sleep(0.01)
        opening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await opening

    async with scripted(modern(silent)) as server:
        await settled(server, drop, 100)
