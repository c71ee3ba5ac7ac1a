"""Calls, changes, questions, levels and interruptions with real servers of both eras over HTTP and HTTP+SSE."""

import asyncio
import json
from pathlib import Path

import pytest

from mcp_platform.net.transports import era
from mcp_platform.net.transports.listing import list_tools
from mcp_platform.net.transports.model import Answer, Wanted
from tests.journeys.stock_servers import free_port
from tests.net.raw_upstream import eventually
from tests.net.transports.calls import ALL, ELICITS, Ear, Recorder, listening, result, tool
from tests.net.transports.real_servers import everything, fastmcp, linked, python_server
from tests.peers.environments import node, npm_bin
from tests.upstream_host.hosts import running_host

URI = "note://one"
SAMPLED = Answer(result=b'{"role":"assistant","model":"m","content":{"type":"text","text":"hi"}}')
ASKS = b'{"elicitation":{"form":{}},"sampling":{"tools":{}},"roots":{"listChanged":true}}'


def structured(answer: bytes) -> object:
    return json.loads(answer)["structuredContent"]["result"]


def text(answer: bytes) -> str:
    return json.loads(answer)["content"][0]["text"]


@pytest.mark.parametrize("transport", ["http", "sse", "found"])
async def test_a_legacy_server_of_the_python_sdk(transport: str) -> None:
    argument = "--http" if transport == "http" else "--sse"
    async with (
        python_server("mcp1", "changing_legacy.py", argument) as url,
        linked(url, "sse" if transport == "sse" else "http") as link,
    ):
        assert (await link.probe(20)).era == era.LEGACY
        ear = Ear()
        wanted = Wanted(tools=True, prompts=True, uris=frozenset({URI}))
        assert (await listening(link, ear, wanted, "p1")).honoured == wanted
        mine = {"owner": "p1", "capabilities": ELICITS}
        for kind in ("tools", "resources", "prompts"):
            await result(link, tool("change", b'{"kind":"%b"}' % kind.encode(), **mine))
        await result(link, tool("touch", b'{"uri":"note://one"}', **mine))
        await eventually(lambda: len(ear.told) == 3)
        assert json.loads(ear.told[2][1])["uri"] == URI
        assert structured(await result(link, tool("ask_aside", log_level="error", **mine))) == "accept:red"
        assert structured(await result(link, tool("level"))) == "error"
        await link.tell("p1", ELICITS, "notifications/roots/list_changed", b"{}")
        assert structured(await result(link, tool("roots_changed", **mine))) == 1


async def test_sampling_with_tools_that_is_asked_aside() -> None:
    async with python_server("mcp1", "changing_legacy.py", "--http") as url, linked(url) as link:
        recorder = Recorder(SAMPLED)
        call = tool("sample_aside", owner="p", capabilities=ASKS)
        assert structured(await result(link, call, recorder)) == "m"
        assert b'"tools":[{"name":"look"' in recorder.asked[0][1]


async def test_a_call_whose_stream_its_server_closes_is_read_on() -> None:
    async with python_server("mcp1", "changing_legacy.py", "--http") as url, linked(url) as link:
        answers = await asyncio.gather(*(result(link, tool("poll")) for _ in range(5)))
        assert {structured(answer) for answer in answers} == {"read on"}


async def test_a_modern_server_of_the_python_sdk() -> None:
    async with python_server("mcp2", "changing_modern.py", "--http") as url, linked(url) as link:
        assert (await link.probe(20)).era == era.MODERN
        ear = Ear()
        open_ear = await listening(link, ear, Wanted(tools=True, uris=frozenset({URI})))
        assert open_ear.honoured.tools
        assert open_ear.honoured.uris == {URI}
        await result(link, tool("change", b'{"kind":"prompts"}'))
        await result(link, tool("change"))
        await result(link, tool("touch", b'{"uri":"note://one"}'))
        await eventually(lambda: len(ear.told) == 2)
        assert json.loads(ear.told[1][1]) == {"uri": URI}
        await open_ear.want(Wanted(prompts=True))
        await result(link, tool("change"))
        await result(link, tool("change", b'{"kind":"prompts"}'))
        await eventually(lambda: len(ear.told) == 3)
        assert ear.methods[2] == "notifications/prompts/list_changed"


async def test_fastmcp() -> None:
    async with fastmcp() as url, linked(url) as link:
        assert (await link.probe(20)).era == era.MODERN
        assert text(await result(link, tool("add", b'{"a":20,"b":22}'))) == "42"
        ear = Ear()
        open_ear = await listening(link, ear)
        await open_ear.close()
        assert ear.faults == []


@pytest.mark.parametrize("transport", ["streamableHttp", "sse"])
async def test_the_stock_everything_server(transport: str) -> None:
    async with everything(transport) as url, linked(url) as link:
        found = await link.probe(20)
        assert (found.era, json.loads(found.server_info)["name"]) == (era.LEGACY, "mcp-servers/everything")
        assert found.instructions
        assert len(await list_tools(link, 20)) > 5
        ear = Ear()
        uri = "demo://resource/dynamic/text/1"
        open_ear = await listening(link, ear, Wanted(tools=True, prompts=True, resources=True, uris=frozenset({uri})))
        assert open_ear.honoured.uris == {uri}
        recorder = Recorder()
        await result(
            link, tool("trigger-long-running-operation", b'{"duration":0.3,"steps":3}', progress=True), recorder
        )
        assert len(recorder.said) == 3
        await result(link, tool("toggle-subscriber-updates"))
        await eventually(lambda: "notifications/resources/updated" in ear.methods, 10)
        asked = Recorder()
        answer = await result(
            link, tool("trigger-elicitation-request", owner="p", capabilities=b'{"elicitation":{}}'), asked
        )
        assert [method for method, _ in asked.asked] == ["elicitation/create"]
        assert "error" not in text(answer).lower()
        sampled = Recorder(SAMPLED)
        arguments = b'{"prompt":"hello","maxTokens":5}'
        answer = await result(
            link, tool("trigger-sampling-request", arguments, owner="p", capabilities=b'{"sampling":{}}'), sampled
        )
        assert "hi" in text(answer)


async def test_the_stock_everything_server_over_stdio(tmp_path: Path) -> None:
    async with running_host(tmp_path) as host:
        link = host.link("everything", str(node()), str(npm_bin("mcp-server-everything")), "stdio")
        found = await link.probe(20)
        assert found.instructions
        ear = Ear()
        uri = "demo://resource/dynamic/text/1"
        open_ear = await listening(link, ear, Wanted(tools=True, uris=frozenset({uri})))
        assert open_ear.honoured == Wanted(tools=True, uris=frozenset({uri}))
        await result(link, tool("toggle-subscriber-updates"))
        await eventually(lambda: "notifications/resources/updated" in ear.methods, 10)


@pytest.mark.parametrize("transport", ["streamableHttp", "sse"])
async def test_a_server_that_is_restarted_is_called_and_listened_to_again(transport: str) -> None:
    port = free_port()
    ear = Ear()
    async with everything(transport, port) as url:
        target = linked(url)
        link = await target.__aenter__()
        await listening(link, ear, ALL)
        await result(link, tool("echo", b'{"message":"one"}'))
    await eventually(lambda: ear.faults, 30)
    async with everything(transport, port):
        assert "two" in text(await result(link, tool("echo", b'{"message":"two"}')))
        await eventually(lambda: ear.renewals, 30)
        await target.__aexit__(None, None, None)
