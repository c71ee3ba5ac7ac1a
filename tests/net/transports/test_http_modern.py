"""Requests of 2026-07-28 to an HTTP upstream: self-contained, with headers that agree, answers verbatim."""

import asyncio

import pytest

from mcp_platform.net.transports import era
from mcp_platform.net.transports.model import Call
from mcp_platform.net.upstream_errors import UPSTREAM_TIMEOUT
from tests.net.raw_upstream import eventually
from tests.net.transports.calls import Recorder, Source, refused, result, tool
from tests.net.transports.scripted_mcp import Asked, fine, modern, scripted

META = "io.modelcontextprotocol/"


async def test_every_request_says_version_client_and_capabilities_of_the_end_client() -> None:
    async with scripted(modern(fine)) as server:
        call = tool(
            "add",
            b'{"a":1}',
            meta=b'{"traceparent":"00-x"}',
            capabilities=b'{"elicitation":{"form":{}}}',
            client_info=b'{"name":"agent","version":"9"}',
            log_level="debug",
            progress=True,
        )
        await result(server.link, call)
        asked = server.named("tools/call")[0]
        meta = asked.body["params"].pop("_meta")
        assert meta.pop("progressToken") == asked.body["id"]
        assert meta == {
            f"{META}protocolVersion": "2026-07-28",
            f"{META}clientCapabilities": {"elicitation": {"form": {}}},
            f"{META}clientInfo": {"name": "agent", "version": "9"},
            f"{META}logLevel": "debug",
            "traceparent": "00-x",
        }
        assert asked.body["params"] == {"name": "add", "arguments": {"a": 1}}
        assert asked.headers["mcp-protocol-version"] == "2026-07-28"
        assert asked.headers["mcp-method"] == "tools/call"
        assert asked.headers["mcp-name"] == "add"
        assert asked.headers["accept"] == "application/json, text/event-stream"
        assert asked.headers["content-type"] == "application/json"


async def test_a_request_without_parameters_has_only_its_meta() -> None:
    async with scripted(modern(fine)) as server:
        await result(server.link, Call(method="tools/list", params=b"{}"))
        asked = server.named("tools/list")[0]
        assert list(asked.body["params"]) == ["_meta"]
        assert "progressToken" not in asked.body["params"]["_meta"]
        assert "mcp-name" not in asked.headers


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("caf\u00e9", "=?base64?Y2Fmw6k=?="),
        (" edge ", "=?base64?IGVkZ2Ug?="),
        ("=?base64?x?=", "=?base64?PT9iYXNlNjQ/eD89?="),
        ("a\r\nevil: 1", "=?base64?YQ0KZXZpbDogMQ==?="),
    ],
)
async def test_a_name_that_no_header_can_hold_is_wrapped(name: str, header: str) -> None:
    async with scripted(modern(fine)) as server:
        await result(server.link, Call(method="tools/call", params=b'{"name":"x"}', name=name))
        asked = server.named("tools/call")[0]
        assert asked.headers["mcp-name"] == header
        assert "evil" not in asked.headers


async def test_configured_headers_are_sent_and_never_the_transports_own() -> None:
    source = Source({"Authorization": "Bearer secret", "Mcp-Method": "tools/list", "Accept": "text/plain"})
    async with scripted(modern(fine), source=source) as server:
        await result(server.link, tool("a"))
        asked = server.named("tools/call")[0]
        assert asked.headers["authorization"] == "Bearer secret"
        assert asked.headers["mcp-method"] == "tools/call"
        assert asked.headers["accept"] == "application/json, text/event-stream"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_result_is_kept_byte_for_byte(stream: bool) -> None:
    """Numbers keep their text: 1.0 is not 1, and no float rounds what a server wrote."""
    exact = '{"a":1.0,"b":1e400,"c":12345678901234567890123,"d":"\\u00e9\\ud83d\\ude00","resultType":"complete"}'

    async def handle(asked: Asked) -> None:
        if stream:
            await asked.stream(asked.response(exact))
        else:
            await asked.result(exact)

    async with scripted(modern(handle)) as server:
        assert await result(server.link, tool("a")) == exact.encode()


async def test_line_breaks_between_tokens_become_spaces() -> None:
    async def handle(asked: Asked) -> None:
        await asked.result('{\n  "a": "x\\ny",\r\n  "b": 1\n}')

    async with scripted(modern(handle)) as server:
        assert await result(server.link, tool("a")) == b'{   "a": "x\\ny",    "b": 1 }'


async def test_input_required_passes_as_it_is() -> None:
    wanted = '{"resultType":"input_required","requestState":"s","inputRequests":{"k":{"method":"elicitation/create"}}}'

    async def handle(asked: Asked) -> None:
        await asked.result(wanted)

    async with scripted(modern(handle)) as server:
        answer = await server.link.call(tool("a"), Recorder())
        assert (answer.era, answer.result) == (era.MODERN, wanted.encode())


async def test_an_error_under_an_http_status_is_the_servers_answer() -> None:
    async def handle(asked: Asked) -> None:
        await asked.error(-32602, b"400 Bad Request", '{"n":1.50}')

    async with scripted(modern(handle)) as server:
        answer = await server.link.call(tool("a"), Recorder())
        assert answer.error == b'{"code":-32602,"message":"no","data":{"n":1.50}}'
        await server.link.call(tool("a"), Recorder())
        assert len(server.named("server/discover")) == 1


async def test_progress_of_this_call_passes_without_the_token() -> None:
    async def handle(asked: Asked) -> None:
        token = asked.body["id"]
        say = '{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{},"progress":{}}}}}'
        message = '{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1.0}}'
        await asked.stream(say.format(token, "1.0"), say.format(token + 7, 2), message, asked.response())

    async with scripted(modern(handle)) as server:
        recorder = Recorder()
        await result(server.link, tool("a", progress=True), recorder)
        assert recorder.said == [
            ("notifications/progress", b'{"progress":1.0}'),
            ("notifications/message", b'{"level":"info","data":1.0}'),
        ]
        quiet = Recorder()
        await result(server.link, tool("a"), quiet)
        assert [method for method, _ in quiet.said] == ["notifications/message"]


async def test_cancelling_closes_the_stream_and_says_nothing_else() -> None:
    async def handle(asked: Asked) -> None:
        await asked.stream(end=False)

    async with scripted(modern(handle)) as server:
        call = asyncio.create_task(server.link.call(tool("a"), Recorder()))
        await eventually(lambda: server.named("tools/call"))
        call.cancel()
        await server.named("tools/call")[0].visit.closed()
        assert server.named("notifications/cancelled") == []


async def test_a_stream_that_ends_after_its_answer_gives_its_connection_back() -> None:
    async def handle(asked: Asked) -> None:
        await asked.stream(asked.response())

    async with scripted(modern(handle)) as server:
        for _ in range(5):
            await result(server.link, tool("a"))
            await eventually(lambda: server.client._pools and all(p._idle for p in server.client._pools.values()))
        assert len({id(asked.visit) for asked in server.log}) == 1


async def test_silence_ends_the_call_and_a_sign_of_life_renews_it() -> None:
    async def handle(asked: Asked) -> None:
        await asked.stream(end=False)
        token = asked.body["id"]
        for step in range(6):
            await asyncio.sleep(0.1)
            await asked.event(
                f'{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{token},"progress":{step}}}}}'
            )
        if asked.body["params"]["name"] == "answers":
            await asked.event(asked.response())

    async with scripted(modern(handle)) as server:
        await result(server.link, tool("answers", timeout_s=0.4, progress=True))
        await refused(UPSTREAM_TIMEOUT, server.link, tool("stops", timeout_s=0.4, progress=True))
