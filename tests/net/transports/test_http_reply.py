"""What an HTTP upstream may answer, and which fault each other thing becomes."""

import pytest

from mcp_platform.base.errors import ErrorKind
from mcp_platform.net.upstream_errors import (
    UPSTREAM_BUSY,
    UPSTREAM_DOWN,
    UPSTREAM_GARBAGE,
    UPSTREAM_LOST,
    UPSTREAM_REFUSED,
    UPSTREAM_TIMEOUT,
    UPSTREAM_TOO_LARGE,
)
from tests.net.raw_upstream import answer
from tests.net.transports.calls import Recorder, Source, refused, result, tool
from tests.net.transports.scripted_mcp import Asked, modern, scripted

STATUSES: list[tuple[bytes, ErrorKind]] = [
    (b"401 Unauthorized", UPSTREAM_REFUSED),
    (b"403 Forbidden", UPSTREAM_REFUSED),
    (b"202 Accepted", UPSTREAM_GARBAGE),
    (b"302 Found", UPSTREAM_GARBAGE),
    (b"400 Bad Request", UPSTREAM_GARBAGE),
    (b"404 Not Found", UPSTREAM_GARBAGE),
    (b"429 Too Many Requests", UPSTREAM_BUSY),
    (b"500 Internal Server Error", UPSTREAM_GARBAGE),
    (b"502 Bad Gateway", UPSTREAM_DOWN),
    (b"503 Service Unavailable", UPSTREAM_DOWN),
    (b"504 Gateway Timeout", UPSTREAM_TIMEOUT),
]


@pytest.mark.parametrize(("status", "kind"), STATUSES)
@pytest.mark.parametrize("body", [b"<html>nginx</html>", b""])
async def test_a_status_without_a_json_rpc_body_becomes_a_fault(status: bytes, kind: ErrorKind, body: bytes) -> None:
    async def handle(asked: Asked) -> None:
        await asked.visit.send(answer(body, status=status, kind=b"text/html", extra=b"retry-after: 7\r\n"))

    async with scripted(modern(handle)) as server:
        fault = await refused(kind, server.link, tool("a"))
        assert fault.data["http"] == int(status[:3])
        assert (fault.retry_after_s == 7) == (kind is UPSTREAM_BUSY)
        assert "nginx" not in fault.text


async def test_refused_credentials_are_asked_for_anew() -> None:
    async def handle(asked: Asked) -> None:
        if asked.headers["authorization"] == "Bearer old":
            source.headers["authorization"] = "Bearer new"
            await asked.json("{}", b"401 Unauthorized")
        else:
            await asked.result("{}")

    source = Source({"authorization": "Bearer old"})
    async with scripted(modern(handle), source=source) as server:
        fault = await refused(UPSTREAM_REFUSED, server.link, tool("a"))
        assert "old" not in str(fault)
        await result(server.link, tool("a"))
        assert (source.asked, source.forgotten) == (2, 1)


NO_ANSWERS = {
    "html": ("text/html", "<p>hi"),
    "no json": ("application/json", "{"),
    "empty": ("application/json", ""),
    "no object": ("application/json", "[]"),
    "batch": ("application/json", '[{"jsonrpc":"2.0","id":ID,"result":{}}]'),
    "wrong id": ("application/json", '{"jsonrpc":"2.0","id":999,"result":{}}'),
    "text id": ("application/json", '{"jsonrpc":"2.0","id":"ID","result":{}}'),
    "float id": ("application/json", '{"jsonrpc":"2.0","id":ID.0,"result":{}}'),
    "null id": ("application/json", '{"jsonrpc":"2.0","id":null,"result":{}}'),
    "no id": ("application/json", '{"jsonrpc":"2.0","result":{}}'),
    "error of another": ("application/json", '{"jsonrpc":"2.0","id":999,"error":{"code":1,"message":"m"}}'),
    "no version": ("application/json", '{"id":ID,"result":{}}'),
    "both": ("application/json", '{"jsonrpc":"2.0","id":ID,"result":{},"error":{"code":1,"message":"m"}}'),
    "neither": ("application/json", '{"jsonrpc":"2.0","id":ID}'),
    "a request": ("application/json", '{"jsonrpc":"2.0","id":ID,"method":"ping"}'),
    "result no object": ("application/json", '{"jsonrpc":"2.0","id":ID,"result":[1]}'),
    "error no object": ("application/json", '{"jsonrpc":"2.0","id":ID,"error":"no"}'),
    "error without code": ("application/json", '{"jsonrpc":"2.0","id":ID,"error":{"message":"m"}}'),
    "too deep": ("application/json", '{"jsonrpc":"2.0","id":ID,"result":' + "[" * 100_000 + "]" * 100_000 + "}"),
    "stream of no json": ("text/event-stream", "data: {\n\n"),
    "stream of wrong id": ("text/event-stream", 'data: {"jsonrpc":"2.0","id":999,"result":{}}\n\n'),
    "stream that asks": ("text/event-stream", 'data: {"jsonrpc":"2.0","id":1,"method":"roots/list"}\n\n'),
}


@pytest.mark.parametrize("which", NO_ANSWERS)
async def test_what_is_no_answer_to_this_request_is_garbage(which: str) -> None:
    kind, body = NO_ANSWERS[which]

    async def handle(asked: Asked) -> None:
        sent = body.replace("ID", str(asked.body["id"])).encode()
        await asked.visit.send(answer(sent, kind=kind.encode()))

    async with scripted(modern(handle)) as server:
        await refused(UPSTREAM_GARBAGE, server.link, tool("a"))


async def test_bytes_that_are_no_utf_8_are_garbage() -> None:
    async def handle(asked: Asked) -> None:
        body = b'{"jsonrpc":"2.0","id":%d,"result":{"a":"\xff\xfe"}}' % asked.body["id"]
        await asked.visit.send(answer(body))

    async with scripted(modern(handle)) as server:
        await refused(UPSTREAM_GARBAGE, server.link, tool("a"))


@pytest.mark.parametrize("identity", ["null", "server-error"])
async def test_an_error_under_an_http_error_may_lack_the_id(identity: str) -> None:
    """SDKs answer what they could not read with null or an id of their own invention."""
    quoted = identity if identity == "null" else f'"{identity}"'

    async def handle(asked: Asked) -> None:
        body = f'{{"jsonrpc":"2.0","id":{quoted},"error":{{"code":-32600,"message":"m"}}}}'
        await asked.json(body, b"400 Bad Request")

    async with scripted(modern(handle)) as server:
        assert (await server.link.call(tool("a"), Recorder())).error == b'{"code":-32600,"message":"m"}'


async def test_a_stream_that_ends_without_its_answer_is_lost() -> None:
    async def handle(asked: Asked) -> None:
        await asked.stream('{"jsonrpc":"2.0","method":"notifications/message","params":{}}')

    async with scripted(modern(handle)) as server:
        await refused(UPSTREAM_LOST, server.link, tool("a"))


async def test_priming_events_comments_and_other_kinds_are_skipped() -> None:
    async def handle(asked: Asked) -> None:
        stream = f"id: 1\ndata:\n\n: ping\n\nevent: ping\ndata: x\n\nretry: 5\n\ndata: {asked.response()}\n\n"
        await asked.visit.send(answer(stream.encode(), kind=b"text/event-stream; charset=utf-8"))

    async with scripted(modern(handle)) as server:
        assert await result(server.link, tool("a")) == b'{"ok":true}'


@pytest.mark.parametrize("stream", [False, True])
async def test_a_result_may_be_as_large_as_the_ceiling_and_no_larger(stream: bool) -> None:
    async def handle(asked: Asked) -> None:
        size = int(asked.body["params"]["name"])
        body = asked.response('{"t":"' + "x" * (size - 8) + '"}')
        if stream:
            await asked.stream(body)
        else:
            await asked.json(body)

    async with scripted(modern(handle)) as server:
        assert len(await result(server.link, tool("100000", max_result_bytes=100_000))) == 100_000
        await refused(UPSTREAM_TOO_LARGE, server.link, tool("110000", max_result_bytes=100_000))
