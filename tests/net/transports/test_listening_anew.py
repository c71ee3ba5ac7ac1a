"""Listening in a session that was kept while nobody listened, and that its server has forgotten meanwhile."""

import asyncio

import pytest

from mcp_platform.net.transports.model import Wanted
from tests.net.raw_upstream import eventually
from tests.net.transports.calls import Ear, listening, result, tool
from tests.net.transports.scripted_mcp import CHANGING, Asked, fine, legacy, scripted, told

NOT_FOUND = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"


@pytest.mark.parametrize("says_so_to", ["GET", "resources/subscribe"])
async def test_whoever_listens_next_does_so_in_a_new_session(says_so_to: str) -> None:
    """As a call would: nothing was taken of what was sent to the old one."""
    streams: list[Asked] = []
    forgotten = asyncio.Event()

    def is_forgotten() -> bool:
        return forgotten.is_set() and len(server.named("initialize")) == 1

    async def handle(asked: Asked) -> None:
        if is_forgotten():
            await asked.error(-32001, b"404 Not Found")
        else:
            await fine(asked)

    async def get(asked: Asked) -> None:
        if is_forgotten() and says_so_to == "GET":
            await asked.visit.send(NOT_FOUND)
        else:
            await asked.open()
            streams.append(asked)

    async with scripted(legacy(handle, capabilities=CHANGING), get=get) as server:
        await result(server.link, tool("a"))
        forgotten.set()
        ear = Ear()
        wanted = Wanted(uris=frozenset({"a://1"}))
        open_ear = await listening(server.link, ear, wanted)
        assert open_ear.honoured == wanted
        assert len(server.named("initialize")) == 2
        await streams[-1].event(told("resources/updated", uri="a://1"))
        await eventually(lambda: ear.told)
        assert ear.faults == []
