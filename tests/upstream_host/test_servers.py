"""Stdio servers through a real upstream-host: both eras, questions to their own client, nothing inherited."""

import asyncio
import json
import sys
import time
from pathlib import Path

import pytest

from mcp_platform.net.transports import era
from mcp_platform.net.transports.listing import list_tools
from mcp_platform.net.upstream_errors import UPSTREAM_TIMEOUT
from tests.net.raw_upstream import eventually
from tests.net.transports.calls import ELICITS, Recorder, refused, result, tool
from tests.peers.environments import command_of, python_of
from tests.upstream_host.hosts import SERVERS, running_host

LEGACY = str(SERVERS / "eliciting_legacy.py")
MODERN = str(SERVERS / "asking_modern.py")
ODD = str(SERVERS / "odd_stdio.py")


def structured(answer: bytes) -> object:
    return json.loads(answer)["structuredContent"]["result"]


async def test_a_legacy_server_of_the_official_sdk(tmp_path: Path) -> None:
    async with running_host(tmp_path) as host:
        link = host.link("legacy", str(python_of("mcp1")), LEGACY)
        assert (await link.probe(20)).era == era.LEGACY
        assert len(await list_tools(link, 10)) > 10
        assert structured(await result(link, tool("add", b'{"a":1,"b":2}'))) == 3
        recorder = Recorder()
        await result(link, tool("progress", progress=True), recorder)
        assert recorder.said[0] == ("notifications/progress", b'{"progress":1.0,"total":3.0,"message":"step 1"}')
        mine = Recorder()
        call = tool("ask", owner="p", capabilities=ELICITS)
        assert structured(await result(link, call, mine)) == "accept:red"
        assert [method for method, _ in mine.asked] == ["elicitation/create"]
        nobody = Recorder()
        assert b'"isError":true' in await result(link, tool("ask"), nobody)
        assert nobody.asked == []


async def test_a_modern_server_of_the_official_sdk(tmp_path: Path) -> None:
    async with running_host(tmp_path) as host:
        link = host.link("modern", str(python_of("mcp2")), MODERN)
        assert (await link.probe(20)).era == era.MODERN
        answer = await link.call(tool("ask", owner="p", capabilities=b'{"elicitation":{"form":{}}}'), Recorder())
        assert answer.era == era.MODERN
        assert answer.result is not None
        assert json.loads(answer.result)["resultType"] == "input_required"
        recorder = Recorder()
        await result(link, tool("progress", progress=True), recorder)
        assert len(recorder.said) == 3


async def test_a_stock_server_from_pypi(tmp_path: Path) -> None:
    async with running_host(tmp_path) as host:
        link = host.link("time", str(command_of("time", "mcp-server-time")))
        assert [json.loads(one)["name"] for one in await list_tools(link, 20)] == ["get_current_time", "convert_time"]


async def test_nothing_of_our_environment_is_inherited(tmp_path: Path) -> None:
    async with running_host(tmp_path) as host:
        link = host.link("env", str(python_of("mcp1")), LEGACY, env={"GIVEN": "1"})
        seen = json.loads(await result(link, tool("environment")))["structuredContent"]
        assert seen.pop("GIVEN") == "1"
        assert set(seen) <= {"PATH", "HOME", "LANG", "TMPDIR", "LC_CTYPE"}


async def test_a_call_that_is_given_up_is_cancelled_at_its_server(tmp_path: Path) -> None:
    async with running_host(tmp_path) as host:
        for name, peer, script in (("legacy", "mcp1", LEGACY), ("modern", "mcp2", MODERN)):
            link = host.link(name, str(python_of(peer)), script)
            await refused(UPSTREAM_TIMEOUT, link, tool("hang", timeout_s=0.2))
            hanging = asyncio.create_task(link.call(tool("hang"), Recorder()))
            await link.call(tool("echo", b'{"text":"after"}'), Recorder())
            hanging.cancel()
            assert structured(await result(link, tool("cancellations"))) == 2


async def test_callers_of_one_principal_share_a_process_and_others_do_not(tmp_path: Path) -> None:
    async with running_host(tmp_path) as host:
        link = host.link("legacy", str(python_of("mcp1")), LEGACY)

        async def who(owner: str | None, capabilities: bytes = b"{}") -> object:
            return structured(await result(link, tool("who", owner=owner, capabilities=capabilities)))

        plain = [await who(None), await who("p1"), await who("p2"), await who("p1")]
        assert len(set(plain)) == 3
        assert plain[1] == plain[3], "what cannot be asked anything is nobody else's all the same"
        own = [await who("p1", ELICITS), await who("p1", b'{ "elicitation" : {} }'), await who("p2", ELICITS)]
        assert own[0] == own[1] != own[2]
        assert not set(plain) & set(own)
        shared = host.link("shared", str(python_of("mcp1")), LEGACY, interactive=False)
        pids = {structured(await result(shared, tool("who", owner=o, capabilities=ELICITS))) for o in ("p1", "p2")}
        assert len(pids) == 1


async def test_a_question_goes_to_the_newest_call_of_its_own_process_only(tmp_path: Path) -> None:
    async with running_host(tmp_path) as host:
        link = host.link("legacy", str(python_of("mcp1")), LEGACY)
        first, second = Recorder(), Recorder()
        waiting = asyncio.create_task(link.call(tool("hang", owner="p1", capabilities=ELICITS), first))
        await result(link, tool("ask", owner="p2", capabilities=ELICITS), second)
        assert (len(first.asked), len(second.asked)) == (0, 1)
        waiting.cancel()


@pytest.mark.parametrize(
    ("mode", "expected", "least_s"),
    [("legacy", era.LEGACY, 0.0), ("modern", era.MODERN, 0.0), ("silent-discover", era.LEGACY, 2.5)],
)
async def test_the_era_is_found_whatever_the_server_does_with_the_probe(
    tmp_path: Path, mode: str, expected: str, least_s: float
) -> None:
    async with running_host(tmp_path) as host:
        at = time.monotonic()
        assert (await host.link("odd", sys.executable, ODD, mode).probe(20)).era == expected
        assert time.monotonic() - at >= least_s


async def test_a_modern_server_that_starts_slowly_is_not_taken_for_a_legacy_one(tmp_path: Path) -> None:
    async with running_host(tmp_path) as host:
        assert (await host.link("odd", sys.executable, ODD, "slow-start").probe(20)).era == era.MODERN


async def test_what_a_server_answers_is_kept_byte_for_byte(tmp_path: Path) -> None:
    exact = b'{"a": 1.0, "b": 12345678901234567890123, "c": "\\u00e9"}'
    line = json.dumps('{"jsonrpc":"2.0","id":ID,"result":' + exact.decode() + "}").encode()
    async with running_host(tmp_path) as host:
        link = host.link("odd", sys.executable, ODD, "legacy")
        assert await result(link, tool("say", b'{"only":true,"line":%b}' % line)) == exact


async def test_stderr_is_logged_by_server_escaped_and_without_secrets(tmp_path: Path) -> None:
    async with running_host(tmp_path) as host:
        link = host.link("noisy", str(python_of("mcp1")), LEGACY, env={"TOKEN": "s3cret-value"})
        await result(link, tool("log", b'{"text":"\\u001b[31m s3cret-value \\u009b end"}'))
        await eventually(lambda: any("end" in str(line.get("text")) for line in host.log()))
        (line,) = [line for line in host.log() if "end" in str(line.get("text"))]
        assert line["server"] == "noisy"
        assert line["text"] == "\\x1b[31m <secret> \\x9b end"


async def test_a_start_without_isolation_is_said_loudly(tmp_path: Path) -> None:
    async with running_host(tmp_path) as host:
        await host.link("odd", sys.executable, ODD).probe(10)
        loud = [line for line in host.log() if line["event"] == "server_is_not_isolated"]
        assert [(line["level"], line["server"]) for line in loud] == [("warning", "odd")]
