"""Threat: a stdio server that is broken or hostile takes the host's memory, others' calls, or everybody's time."""

import asyncio
import json
import sys
import time
from pathlib import Path

import pytest

from mcp_platform.net.upstream_errors import UPSTREAM_GARBAGE, UPSTREAM_TIMEOUT, UPSTREAM_TOO_LARGE
from tests.net.raw_upstream import eventually
from tests.net.transports.calls import Recorder, refused, result, tool
from tests.peers.environments import python_of
from tests.upstream_host.hosts import SERVERS, is_alive, running_host

LEGACY = str(SERVERS / "eliciting_legacy.py")
ODD = str(SERVERS / "odd_stdio.py")


def resident_of(pid: int) -> int:
    """The most bytes a process ever had in memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


async def test_100_mb_are_cut_with_flat_memory_while_others_are_served(tmp_path: Path) -> None:
    async with running_host(tmp_path) as host:
        link = host.link("legacy", str(python_of("mcp1")), LEGACY)
        other = host.link("odd", sys.executable, ODD)
        await link.probe(20)
        await other.probe(20)
        before = resident_of(host.pid)
        huge = asyncio.create_task(refused(UPSTREAM_TOO_LARGE, link, tool("huge", max_result_bytes=4_000_000)))
        served = 0
        while not huge.done():
            await result(other, tool("echo"))
            served += 1
            await asyncio.sleep(0.01)
        await huge
        assert served > 10
        # One line up to the general ceiling (16 MiB), joined once.
        assert resident_of(host.pid) - before < 60_000_000
        assert b"after" in await result(link, tool("echo", b'{"text":"after"}'))


@pytest.mark.parametrize("mode", ["bad-id", "text-id"])
async def test_an_answer_to_what_was_never_asked_is_garbage(tmp_path: Path, mode: str) -> None:
    async with running_host(tmp_path) as host:
        await refused(UPSTREAM_GARBAGE, host.link("odd", sys.executable, ODD, mode), tool("echo"))


@pytest.mark.parametrize(
    "line",
    [
        '{"jsonrpc":"2.0","id":ID,"result":',
        '{"jsonrpc":"2.0","id":ID,"result":[1]}',
        '{"jsonrpc":"2.0","id":ID,"error":"no"}',
        '{"jsonrpc":"2.0","id":ID,"result":{},"error":{"code":1,"message":"m"}}',
        '{"id":ID,"result":{}}',
        '{"jsonrpc":"2.0","id":ID,"result":' + "[" * 50_000 + "}",
    ],
)
async def test_a_broken_answer_fails_its_call_at_once_and_no_other(tmp_path: Path, line: str) -> None:
    async with running_host(tmp_path) as host:
        link = host.link("odd", sys.executable, ODD)
        await link.probe(10)
        at = time.monotonic()
        call = tool("say", json.dumps({"only": True, "line": line}).encode())
        await refused(UPSTREAM_GARBAGE, link, call)
        assert time.monotonic() - at < 3
        await result(link, tool("echo"))


async def test_debug_output_on_stdout_is_skipped(tmp_path: Path) -> None:
    async with running_host(tmp_path) as host:
        link = host.link("odd", sys.executable, ODD)
        for line in ("debugging", "", "[1,2,3]", "\u00e9\u2028"):
            await result(link, tool("say", json.dumps({"line": line}).encode()))


async def test_a_server_that_prints_for_ever_is_given_up(tmp_path: Path) -> None:
    async with running_host(tmp_path) as host:
        await refused(UPSTREAM_GARBAGE, host.link("odd", sys.executable, ODD, "chatty"), tool("echo"))
        (pid,) = [int(str(line["child"])) for line in host.log() if line["event"] == "server_started"]
        await eventually(lambda: not is_alive(pid))
        await result(host.link("good", sys.executable, ODD), tool("echo"))


@pytest.mark.parametrize("words", ['{"listening": 8000}', "\x1b[31m\u00e9" + "x" * 200])
async def test_a_program_that_is_no_server_is_given_up_with_what_it_wrote(tmp_path: Path, words: str) -> None:
    """Before the start's time-out, which is another fault."""
    program = f"print({words!r}, flush=True); import time; time.sleep(600)"
    async with running_host(tmp_path, start_timeout_s=3.0) as host:
        fault = await refused(UPSTREAM_GARBAGE, host.link("odd", sys.executable, "-c", program), tool("echo"))
        assert "is it an MCP server?" in fault.text
        assert fault.data == {"stage": "mcp", "received": words[:120]}


async def test_a_server_that_speaks_after_a_banner_is_one(tmp_path: Path) -> None:
    program = f"print('Welcome', flush=True); import runpy; runpy.run_path({ODD!r}, None, '__main__')"
    async with running_host(tmp_path, start_timeout_s=6.0) as host:
        await result(host.link("odd", sys.executable, "-c", program), tool("echo"))


async def test_a_server_that_never_answers_is_given_up_within_the_start_time_out(tmp_path: Path) -> None:
    async with running_host(tmp_path, start_timeout_s=0.5) as host:
        at = time.monotonic()
        await refused(UPSTREAM_TIMEOUT, host.link("odd", sys.executable, ODD, "deaf"), tool("echo"))
        assert time.monotonic() - at < 5


async def test_a_flood_of_stderr_is_thinned_out(tmp_path: Path) -> None:
    async with running_host(tmp_path) as host:
        link = host.link("legacy", str(python_of("mcp1")), LEGACY)
        await result(link, tool("log", json.dumps({"text": "line\n" * 20_000}).encode()))
        await result(link, tool("echo", b'{"text":"x"}'))
        assert len(host.log()) < 1000


async def test_a_dead_worker_leaves_no_call_running(tmp_path: Path) -> None:
    async with running_host(tmp_path) as host:
        link = host.link("legacy", str(python_of("mcp1")), LEGACY)
        hanging = asyncio.create_task(link.call(tool("hang"), Recorder()))
        await result(link, tool("echo", b'{"text":"x"}'))
        await host.connection.close()
        await asyncio.gather(hanging, return_exceptions=True)
        host.connection._dialer._closed = False  # the same connection object serves as the next worker
        again = json.loads(await result(link, tool("cancellations")))
        assert again["structuredContent"]["result"] == 1
