"""Processes come and go: back-off, replacement, idleness, ceilings, the host's own end, and nobody left behind."""

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from mcp_platform.net.upstream_errors import UPSTREAM_BUSY, UPSTREAM_DOWN, UPSTREAM_LOST
from mcp_platform.upstream_host.spawn import ISOLATION_REQUIRED
from tests.net.raw_upstream import eventually
from tests.net.transports.calls import ELICITS, Recorder, refused, result, tool
from tests.peers.environments import python_of
from tests.upstream_host.hosts import SERVERS, Host, is_alive, running_host

LEGACY = str(SERVERS / "eliciting_legacy.py")
ODD = str(SERVERS / "odd_stdio.py")


def started(host: Host, server: str) -> list[int]:
    """Pids of every process that was started for `server`."""
    found = [line for line in host.log() if line["event"] == "server_started" and line["server"] == server]
    return [int(str(line["child"])) for line in found]


async def pid_of(host: Host, name: str = "legacy", version: int = 1, **fields: object) -> int:
    link = host.link(name, str(python_of("mcp1")), LEGACY, version=version)
    return int(json.loads(await result(link, tool("who", **fields)))["structuredContent"]["result"])


async def test_a_crash_loses_the_calls_under_way_and_the_next_call_starts_anew(tmp_path: Path) -> None:
    async with running_host(tmp_path) as host:
        first = await pid_of(host)
        link = host.link("legacy")
        waiting = asyncio.create_task(refused(UPSTREAM_LOST, link, tool("hang")))
        await result(link, tool("echo", b'{"text":"x"}'))
        at = time.monotonic()
        await refused(UPSTREAM_LOST, link, tool("crash"))
        await waiting
        assert time.monotonic() - at < 1
        assert await pid_of(host) != first
        assert not is_alive(first)


async def test_a_server_that_always_dies_is_tried_ever_more_rarely(tmp_path: Path) -> None:
    async with running_host(tmp_path) as host:
        link = host.link("dies", "/bin/false")
        for _ in range(2):
            assert (await refused(UPSTREAM_DOWN, link, tool("a"))).data["stage"] == "start"
        waits = []
        for _ in range(3):
            at = time.monotonic()
            fault = await refused(UPSTREAM_DOWN, link, tool("a"))
            assert time.monotonic() - at < 0.2
            assert fault.retry_after_s is not None
            waits.append(fault.retry_after_s)
            await asyncio.sleep(fault.retry_after_s)
            await refused(UPSTREAM_DOWN, link, tool("a"))
        assert waits[0] <= 0.5 < waits[1] <= 1.0 < waits[2] <= 2.0
        assert len(started(host, "dies")) == 5


@pytest.mark.parametrize(
    "argv", [("/no/such/command",), ("/etc/passwd",), (sys.executable, "/no/such/script.py"), ("nul\0byte",)]
)
async def test_a_command_that_cannot_be_started_says_so(tmp_path: Path, argv: tuple[str, ...]) -> None:
    async with running_host(tmp_path) as host:
        fault = await refused(UPSTREAM_DOWN, host.link("bad", *argv), tool("a"))
        assert fault.data["stage"] == "start"


async def test_an_argument_is_never_read_by_a_shell(tmp_path: Path) -> None:
    async with running_host(tmp_path) as host:
        mark = tmp_path / "mark"
        link = host.link("odd", sys.executable, ODD, "legacy", f"; touch {mark}", f"$(touch {mark})")
        await result(link, tool("echo"))
        assert not mark.exists()


async def test_a_new_version_replaces_the_process_behind_its_calls(tmp_path: Path) -> None:
    async with running_host(tmp_path) as host:
        old = await pid_of(host)
        slow = asyncio.create_task(
            result(host.link("legacy"), tool("progress", b'{"steps":20,"pause_s":0.05}', progress=True))
        )
        await asyncio.sleep(0.1)
        new = await pid_of(host, version=2)
        assert new != old
        assert is_alive(old)
        await slow
        await eventually(lambda: not is_alive(old))
        assert await pid_of(host, version=1) == new


async def test_an_unused_process_of_one_principal_is_stopped_and_a_shared_one_stays(tmp_path: Path) -> None:
    async with running_host(tmp_path, process_idle_s=0.2) as host:
        shared = await pid_of(host)
        own = await pid_of(host, owner="p", capabilities=ELICITS)
        await eventually(lambda: not is_alive(own))
        assert is_alive(shared)


async def test_processes_are_capped_and_idle_ones_of_principals_make_room(tmp_path: Path) -> None:
    async with running_host(tmp_path, max_processes=2) as host:
        first = await pid_of(host, owner="p1", capabilities=ELICITS)
        second = await pid_of(host, owner="p2", capabilities=ELICITS)
        await pid_of(host, owner="p3", capabilities=ELICITS)
        await eventually(lambda: not is_alive(first))
        assert is_alive(second)
        link = host.link("legacy")
        calls = [
            asyncio.create_task(link.call(tool("hang", owner=owner, capabilities=ELICITS), Recorder()))
            for owner in ("p2", "p3")
        ]
        await result(link, tool("echo", b'{"text":"x"}', owner="p3", capabilities=ELICITS))
        await refused(UPSTREAM_BUSY, link, tool("who", owner="p4", capabilities=ELICITS))
        for call in calls:
            call.cancel()


async def test_one_principal_cannot_fill_the_node_with_capability_sets(tmp_path: Path) -> None:
    async with running_host(tmp_path) as host:
        link = host.link("odd", sys.executable, ODD)
        for number in range(7):
            await result(link, tool("echo", owner="p", capabilities=b'{"experimental":{"n%d":{}}}' % number))
        pids = started(host, "odd")
        await eventually(lambda: len([pid for pid in pids if is_alive(pid)]) == 4)


async def test_a_removed_server_is_stopped(tmp_path: Path) -> None:
    async with running_host(tmp_path) as host:
        pid = await pid_of(host)
        await host.connection.forget("legacy")
        await eventually(lambda: not is_alive(pid))


async def test_require_isolation_refuses_to_start_anything(tmp_path: Path) -> None:
    async with running_host(tmp_path, require_isolation=True) as host:
        fault = await refused(ISOLATION_REQUIRED, host.link("odd", sys.executable, ODD), tool("a"))
        assert fault.data["stage"] == "start"
        assert started(host, "odd") == []


async def test_sigterm_lets_calls_finish_then_stops_every_process(tmp_path: Path) -> None:
    async with running_host(tmp_path) as host:
        pid = await pid_of(host)
        call = asyncio.create_task(
            result(host.link("legacy"), tool("progress", b'{"steps":5,"pause_s":0.1}', progress=True))
        )
        await asyncio.sleep(0.1)
        assert await asyncio.to_thread(host.end, signal.SIGTERM) == 0
        assert b"5 steps" in await call
        assert not is_alive(pid)


async def test_a_server_that_ignores_every_polite_request_is_killed(tmp_path: Path) -> None:
    stubborn = tmp_path / "stubborn.py"
    stubborn.write_text(
        "import signal, runpy, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "try: runpy.run_path(sys.argv.pop(1), run_name='__main__')\n"
        "finally: time.sleep(600)\n"
    )
    async with running_host(tmp_path) as host:
        await host.link("odd", sys.executable, str(stubborn), ODD).probe(10)
        (pid,) = started(host, "odd")
        assert await asyncio.to_thread(host.end, signal.SIGTERM) == 0
        assert not is_alive(pid)


async def test_grandchildren_that_outlive_their_server_are_ended(tmp_path: Path) -> None:
    async with running_host(tmp_path) as host:
        link = host.link("legacy", str(python_of("mcp1")), LEGACY)
        orphan = int(json.loads(await result(link, tool("fork")))["structuredContent"]["result"])
        assert is_alive(orphan)
        await refused(UPSTREAM_LOST, link, tool("crash"))
        await eventually(lambda: not is_alive(orphan))


async def test_when_the_supervisor_is_gone_nobody_is_left(tmp_path: Path) -> None:
    async with running_host(tmp_path) as host:
        link = host.link("legacy", str(python_of("mcp1")), LEGACY)
        server = await pid_of(host)
        orphan = int(json.loads(await result(link, tool("fork")))["structuredContent"]["result"])
        os.close(host.lifeline)
        assert host.process is not None
        assert await asyncio.to_thread(host.process.wait, 10) == 70
        assert not is_alive(server)
        assert not is_alive(orphan)
        host.process = None


async def test_a_killed_host_takes_its_servers_along_and_the_next_one_serves(tmp_path: Path) -> None:
    """PDEATHSIG ends what the host started itself; what those started ends with the PID namespace or the supervisor."""
    async with running_host(tmp_path) as host:
        old = await pid_of(host)
        link = host.link("legacy")
        call = asyncio.create_task(refused(UPSTREAM_LOST, link, tool("hang")))
        await result(link, tool("echo", b'{"text":"x"}'))
        host.end(signal.SIGKILL)
        await call
        await eventually(lambda: not is_alive(old))
        waiting = asyncio.create_task(pid_of(host))
        await asyncio.sleep(0.3)
        host.start()
        assert await waiting != old


async def test_a_host_that_never_comes_back_is_down_within_bounds(tmp_path: Path) -> None:
    async with running_host(tmp_path) as host:
        await pid_of(host)
        host.end(signal.SIGKILL)
        (tmp_path / "run" / "host.sock").unlink()
        at = time.monotonic()
        await refused(UPSTREAM_DOWN, host.link("legacy"), tool("who"))
        assert time.monotonic() - at < 8
