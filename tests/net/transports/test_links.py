"""The links of a process: one for each upstream, through its changes; refused at once while it cannot be reached."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from mcp_platform.base.config.settings import Upstreams
from mcp_platform.net.client import HttpClient
from mcp_platform.net.transports.breaker import FAILURES
from mcp_platform.net.transports.host_link import HostConnection
from mcp_platform.net.transports.links import UpstreamLinks
from mcp_platform.net.transports.model import Target
from mcp_platform.net.upstream_errors import UPSTREAM_DOWN, UPSTREAM_GARBAGE
from tests.net.raw_upstream import always, answer, eventually, upstream
from tests.net.transports.calls import Ear, Source, listening, refused, result, tool
from tests.net.transports.scripted_mcp import CHANGING, Asked, fine, legacy, scripted, told


@asynccontextmanager
async def some_links(folder: Path) -> AsyncIterator[UpstreamLinks]:
    client = HttpClient()
    links = UpstreamLinks(client, Source(), HostConnection(folder / "host.sock"), Upstreams())
    try:
        yield links
    finally:
        await links.close()
        await client.close()


def target(url: str, version: int = 1, transport: str = "http") -> Target:
    return Target("up_1", version, transport, url, True, interactive=False)


async def test_an_upstream_that_is_down_is_refused_at_once_and_tried_again(tmp_path: Path) -> None:
    async with some_links(tmp_path) as links:
        async with upstream(always(b"")) as closed:
            down = target(closed.url)
        link = links.link(down)
        for _ in range(FAILURES):
            fault = await refused(UPSTREAM_DOWN, link, tool("a"))
            assert fault.data["stage"] == "connect"
        assert links.health() == {"up_1": "open"}
        fault = await refused(UPSTREAM_DOWN, links.link(down), tool("a"))
        assert fault.data["stage"] == "circuit"
        assert fault.retry_after_s is not None
        assert 0 < fault.retry_after_s <= 1
        await eventually(lambda: links.health() == {"up_1": "half_open"})
        assert (await refused(UPSTREAM_DOWN, link, tool("a"))).data["stage"] == "connect"
        assert links.health() == {"up_1": "open"}


async def test_errors_of_a_server_that_is_there_open_nothing(tmp_path: Path) -> None:
    async with some_links(tmp_path) as links, upstream(always(answer(b"<p>", kind=b"text/html"))) as server:
        link = links.link(target(server.url))
        for _ in range(FAILURES + 1):
            await refused(UPSTREAM_GARBAGE, link, tool("a"))
        assert links.health() == {"up_1": "closed"}


async def test_a_new_version_of_an_upstream_is_reached_at_once_and_listened_to(tmp_path: Path) -> None:
    streams: list[Asked] = []

    async def get(asked: Asked) -> None:
        await asked.open()
        streams.append(asked)

    handler = legacy(fine, capabilities=CHANGING)
    async with some_links(tmp_path) as links, scripted(handler, get=get) as old, scripted(handler, get=get) as new:
        link = links.link(target(old.url))
        ear = Ear()
        await listening(link, ear)
        announced: list[str] = []
        links.announced = lambda upstream, method: announced.append(method)
        assert links.link(target(new.url, 2)) is link
        await result(link, tool("a"))
        assert old.named("tools/call") == []
        await eventually(lambda: ear.renewals)
        await streams[-1].event(told("tools/list_changed"))
        await eventually(lambda: ear.told)
        await eventually(lambda: old.named("DELETE"))
        assert (ear.faults, announced) == ([], ["notifications/tools/list_changed"])
        assert links.link(target(old.url, 1)).target.version == 2


async def test_announcements_come_at_once_and_then_once_a_second(tmp_path: Path) -> None:
    async def handle(asked: Asked) -> None:
        await asked.stream(*[told("tools/list_changed")] * 50, asked.response())

    announced: list[tuple[str, str]] = []
    async with some_links(tmp_path) as links, scripted(legacy(handle)) as server:
        links.announced = lambda *said: announced.append(said)
        await result(links.link(target(server.url)), tool("a"))
        assert announced == [("up_1", "notifications/tools/list_changed")]
        await eventually(lambda: len(announced) == 2)


async def test_what_is_let_go_leaves_nothing_behind(tmp_path: Path) -> None:
    async def get(asked: Asked) -> None:
        await asked.open()

    async with some_links(tmp_path) as links, scripted(legacy(fine, capabilities=CHANGING), get=get) as server:
        await listening(links.link(target(server.url)), Ear())
        links.keep(set())
        await eventually(lambda: server.named("DELETE"))
        await eventually(lambda: not [task for task in asyncio.all_tasks() if task.get_name().startswith("listen")])
        assert links.health() == {}
