"""Hearing of changes at stdio servers of both eras through a real upstream-host; what breaks is heard again."""

import asyncio
import contextlib
import json
import os
import signal
from pathlib import Path

import pytest

from mcp_platform.net.transports.host_link import HostLink
from mcp_platform.net.transports.model import Call, Wanted
from mcp_platform.net.upstream_errors import UPSTREAM_LOST
from tests.net.raw_upstream import eventually
from tests.net.transports.calls import ALL, ELICITS, Ear, Recorder, closed, listening, result, tool
from tests.peers.environments import python_of
from tests.upstream_host.hosts import SERVERS, Host, is_alive, running_host

CHANGING = {
    "legacy": ("mcp1", str(SERVERS / "changing_legacy.py")),
    "modern": ("mcp2", str(SERVERS / "changing_modern.py")),
}
URI = "note://one"


def changing(host: Host, era: str, name: str = "changing") -> HostLink:
    peer, script = CHANGING[era]
    return host.link(name, str(python_of(peer)), script)


def structured(answer: bytes) -> object:
    return json.loads(answer)["structuredContent"]["result"]


async def change(link: HostLink, kind: str = "tools", owner: str | None = None) -> None:
    capabilities = b"{}" if owner is None else ELICITS
    await result(link, tool("change", b'{"kind":"%b"}' % kind.encode(), owner=owner, capabilities=capabilities))


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_changes_are_heard(era: str, tmp_path: Path) -> None:
    async with running_host(tmp_path) as host:
        announced: list[tuple[str, str]] = []
        host.connection.announced = lambda *said: announced.append(said)
        link = changing(host, era)
        ear = Ear()
        open_ear = await listening(link, ear, Wanted(tools=True, prompts=True, uris=frozenset({URI})))
        assert open_ear.honoured.tools
        assert open_ear.honoured.uris == {URI}
        for kind in ("tools", "resources", "prompts"):
            await change(link, kind)
        await result(link, tool("touch", b'{"uri":"note://one"}'))
        await result(link, tool("touch", b'{"uri":"note://two"}'))
        await eventually(lambda: len(ear.told) == 3)
        assert ear.methods == [
            "notifications/tools/list_changed",
            "notifications/prompts/list_changed",
            "notifications/resources/updated",
        ]
        assert json.loads(ear.told[2][1]) == {"uri": URI}
        assert ("changing", "notifications/tools/list_changed") in announced
        await open_ear.want(Wanted(resources=True))
        await change(link, "resources")
        await eventually(lambda: len(ear.told) == 4)
        await open_ear.close()
        await change(link, "resources")
        await change(link, "resources")
        assert len(ear.told) == 4


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_a_server_that_is_restarted_is_listened_to_again(era: str, tmp_path: Path) -> None:
    async with running_host(tmp_path) as host:
        link = changing(host, era)
        ear = Ear()
        await listening(link, ear, Wanted(tools=True, uris=frozenset({URI})))
        os.kill(int(str(structured(await result(link, tool("who"))))), signal.SIGKILL)
        await eventually(lambda: ear.renewals, 15)
        assert [fault.kind for fault in ear.faults] == [UPSTREAM_LOST]
        await result(link, tool("touch", b'{"uri":"note://one"}'))
        await eventually(lambda: ear.told)


async def test_a_host_that_is_restarted_is_listened_through_again(tmp_path: Path) -> None:
    async with running_host(tmp_path) as host:
        link = changing(host, "legacy")
        ear = Ear()
        await listening(link, ear)
        host.end(signal.SIGKILL)
        await eventually(lambda: ear.faults)
        host.start()
        await eventually(lambda: ear.renewals, 20)
        await change(link)
        await eventually(lambda: ear.told)


async def test_each_owner_hears_its_own_process(tmp_path: Path) -> None:
    async with running_host(tmp_path) as host:
        link = changing(host, "legacy")
        mine, yours = Ear(), Ear()
        await listening(link, mine, ALL, "p1")
        await listening(link, yours, ALL, "p2")
        await change(link, owner="p1")
        await eventually(lambda: mine.told)
        call = tool("roots_changed", owner="p1", capabilities=ELICITS)
        await link.tell("p1", ELICITS, "notifications/roots/list_changed", b"{}")
        await link.tell("p2", b"{}", "notifications/roots/list_changed", b"{}")
        assert structured(await result(link, call)) == 1
        other = tool("roots_changed", owner="p2", capabilities=ELICITS)
        assert structured(await result(link, other)) == 0
        assert yours.told == []


async def test_a_process_that_is_listened_to_is_not_stopped_for_being_unused(tmp_path: Path) -> None:
    async with running_host(tmp_path, process_idle_s=0.5) as host:
        link = changing(host, "legacy")
        call = tool("who", owner="p1", capabilities=ELICITS)
        pid = int(str(structured(await result(link, call))))
        open_ear = await listening(link, Ear(), ALL, "p1")
        other = int(str(structured(await result(link, tool("who", owner="p2", capabilities=ELICITS)))))
        await eventually(lambda: not is_alive(other), 10)
        assert is_alive(pid)
        await open_ear.close()
        await eventually(lambda: not is_alive(pid), 10)


async def test_the_log_level_and_questions_aside_reach_a_process_of_ones_own(tmp_path: Path) -> None:
    async with running_host(tmp_path) as host:
        link = changing(host, "legacy")
        recorder = Recorder()
        call = tool("ask_aside", owner="p1", capabilities=ELICITS, log_level="error")
        assert structured(await result(link, call, recorder)) == "accept:red"
        level = tool("level", owner="p1", capabilities=ELICITS)
        assert structured(await result(link, level)) == "error"
        assert structured(await result(link, tool("level", log_level="debug"))) == ""


async def test_a_worker_that_goes_away_takes_its_ears_along(tmp_path: Path) -> None:
    async with running_host(tmp_path) as host:
        link = changing(host, "legacy")
        await listening(link, Ear(), Wanted(uris=frozenset({URI})))
        assert structured(await result(link, tool("subscribed"))) == [URI]
        await closed(link)

        await eventually_empty(link, tool("subscribed"))


async def test_ears_that_are_opened_and_dropped_leave_nothing_in_the_host(tmp_path: Path) -> None:
    async def drop(link: HostLink, n: int) -> None:
        wanted = Wanted(tools=True, uris=frozenset({f"note://{n}"}))
        if n % 3:
            await (await listening(link, Ear(), wanted)).close()
            return
        opening = asyncio.create_task(listening(link, Ear(), wanted))
        await asyncio.sleep(0)
        opening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await opening

    async with running_host(tmp_path) as host:
        links = [changing(host, era, era) for era in ("legacy", "modern")]
        for link in links:
            await drop(link, 1)
        files = len(os.listdir(f"/proc/{host.pid}/fd"))
        for link in links:
            await asyncio.gather(*(drop(link, n) for n in range(300)))
            open_ear = await listening(link, Ear(), Wanted(tools=True))
            await open_ear.close()
        call = tool("subscribed")
        await eventually_empty(links[0], call)
        assert len(os.listdir(f"/proc/{host.pid}/fd")) == files
        assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("listen")]


async def eventually_empty(link: HostLink, call: Call) -> None:
    async with asyncio.timeout(30):
        while structured(await result(link, call)):  # noqa: ASYNC110  # seen by asking only
            await asyncio.sleep(0.02)
