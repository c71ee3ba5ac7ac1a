"""HTTP+SSE of 2024-11-05: found behind `http`, or named; one origin; one connection for each owner of one."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from mcp_platform.base.config.settings import Upstreams
from mcp_platform.net.client import HttpClient
from mcp_platform.net.transports.http_link import HttpLink
from mcp_platform.net.transports.model import Target, Wanted
from mcp_platform.net.transports.sse_link import SseLink
from mcp_platform.net.upstream_errors import UPSTREAM_DOWN, UPSTREAM_GARBAGE, UPSTREAM_LOST, UPSTREAM_TIMEOUT
from tests.net.raw_upstream import Visit, eventually, upstream
from tests.net.transports.calls import ALL, ELICITS, Ear, Recorder, Source, closed, listening, refused, result, tool
from tests.net.transports.scripted_mcp import CHANGING, Asked, initialized, told

QUESTION = '{"jsonrpc":"2.0","id":"q-1","method":"elicitation/create","params":{"message":"Which?"}}'


@dataclass
class Old:
    """A running server of 2024-11-05, scripted."""

    url: str = ""
    endpoint: str = "/messages?session={n}"
    status: bytes = b"202 Accepted"
    capabilities: str = CHANGING
    silent: bool = False
    tried: int = 0
    """Requests for streamable HTTP."""
    streams: list[Asked] = field(default_factory=list)
    posts: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def named(self, method: str) -> list[dict[str, Any]]:
        return [body for _, body in self.posts if body.get("method") == method]

    async def serve(self, visit: Visit) -> None:
        while request := await visit.request():
            head, _, body = request.partition(b"\r\n\r\n")
            verb, path = head.decode().split(" ")[:2]
            if verb == "GET":
                asked = Asked(verb, {}, {}, visit)
                self.streams.append(asked)
                await asked.open()
                await asked.event(self.endpoint.replace("{n}", str(len(self.streams) - 1)), kind="endpoint")
            elif path.startswith("/messages"):
                await self.post(visit, path, json.loads(body))
            else:
                self.tried += 1
                await visit.send(b"HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 0\r\n\r\n")

    async def post(self, visit: Visit, path: str, body: dict[str, Any]) -> None:
        self.posts.append((path, body))
        stream = self.streams[int(path.partition("session=")[2] or 0)]
        await visit.send(b"HTTP/1.1 %b\r\ncontent-length: 0\r\n\r\n" % self.status)
        if body.get("method") == "initialize":
            await self.answer(stream, body, initialized(self.capabilities, "2024-11-05"))
        elif "id" in body and "method" in body and not self.silent:
            await self.answer(stream, body)

    async def answer(self, stream: Asked, body: dict[str, Any], result: str = '{"ok":true}') -> None:
        await stream.event(f'{{"jsonrpc":"2.0","id":{body["id"]},"result":{result}}}')


@asynccontextmanager
async def old(server: Old, *, transport: str = "sse", interactive: bool = True) -> AsyncIterator[HttpLink | SseLink]:
    async with upstream(server.serve) as running:
        server.url = running.url
        server.endpoint = server.endpoint.replace("{port}", str(running.port))
        target = Target("up_1", 1, transport, running.url, True, interactive)
        client = HttpClient()
        make = SseLink if transport == "sse" else HttpLink
        link = make(target, client, Source(), Upstreams(start_timeout_s=2.0))
        try:
            yield link
        finally:
            await closed(link)
            await client.close()
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith(("sse", "listen"))]


@pytest.mark.parametrize("transport", ["sse", "http"])
async def test_calls_are_posted_and_answered_on_the_stream(transport: str) -> None:
    server = Old()
    async with old(server, transport=transport) as link:
        assert (await link.probe(5)).version == "2024-11-05"
        answers = await asyncio.gather(*(result(link, tool("a")) for _ in range(20)))
        assert set(answers) == {b'{"ok":true}'}
        assert len(server.streams) == 1
        order = [body.get("method") for _, body in server.posts]
        assert order[:2] == ["initialize", "notifications/initialized"]
        assert {path for path, _ in server.posts} == {"/messages?session=0"}


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://127.0.0.1:1/messages",
        "//localhost:{port}/messages",
        "https://127.0.0.1:{port}/messages",
        "http://127.0.0.1:{port}@evil.example/messages",
        "file:///etc/passwd",
        "http://[::1/",
        "/messages#" + "x" * 5000,
    ],
)
async def test_an_endpoint_of_another_origin_is_refused(endpoint: str) -> None:
    server = Old(endpoint=endpoint)
    async with old(server) as link:
        await refused(UPSTREAM_GARBAGE, link, tool("a"))
        assert server.posts == []


async def test_a_server_that_names_no_endpoint_is_given_up_in_time() -> None:
    async def serve(visit: Visit) -> None:
        while await visit.request():
            await Asked("GET", {}, {}, visit).open()

    async with upstream(serve) as running:
        client = HttpClient()
        target = Target("up_1", 1, "sse", running.url, True, interactive=False)
        link = SseLink(target, client, Source(), Upstreams(start_timeout_s=0.3))
        fault = await refused(UPSTREAM_TIMEOUT, link, tool("a"))
        assert fault.data["stage"] == "mcp"
        await running.visits[0].closed()
        await client.close()


async def test_each_owner_has_a_connection_of_its_own_and_hears_only_that() -> None:
    server = Old()
    async with old(server) as link:
        mine, yours = Ear(), Ear()
        wanted = Wanted(tools=True, uris=frozenset({"a://1"}))
        open_ear = await listening(link, mine, wanted, "p1")
        await listening(link, yours, wanted, "p2")
        assert open_ear.honoured == wanted
        assert len(server.streams) == 2
        assert [body["params"]["capabilities"] for body in server.named("initialize")] == [{"elicitation": {}}] * 2
        await server.streams[0].event(told("resources/updated", uri="a://1"))
        await eventually(lambda: mine.told)
        await link.tell("p1", ELICITS, "notifications/roots/list_changed", b"{}")
        await eventually(lambda: server.named("notifications/roots/list_changed"))
        assert server.posts[-1][0] == "/messages?session=0"
        assert yours.told == []


async def test_a_question_is_answered_by_the_client_of_the_call() -> None:
    server = Old(silent=True)
    async with old(server) as link:
        recorder = Recorder()
        call = asyncio.create_task(result(link, tool("a", owner="p", capabilities=ELICITS), recorder))
        await eventually(lambda: server.named("tools/call"))
        await server.streams[0].event(QUESTION)
        await eventually(lambda: [body for _, body in server.posts if body.get("id") == "q-1"])
        assert server.posts[-1][1]["result"]["content"] == {"colour": "red"}
        await server.answer(server.streams[0], server.named("tools/call")[0])
        await call


@pytest.mark.parametrize("way", ["cancelled", "timed out"])
async def test_a_call_that_is_given_up_is_cancelled_at_its_server(way: str) -> None:
    server = Old(silent=True)
    async with old(server) as link:
        if way == "cancelled":
            call = asyncio.create_task(link.call(tool("a"), Recorder()))
            await eventually(lambda: server.named("tools/call"))
            call.cancel()
        else:
            await refused(UPSTREAM_TIMEOUT, link, tool("a", timeout_s=0.2))
        await eventually(lambda: server.named("notifications/cancelled"))
        identity = server.named("tools/call")[0]["id"]
        assert server.named("notifications/cancelled")[0]["params"]["requestId"] == identity


async def test_a_connection_that_breaks_loses_its_calls_and_the_next_call_opens_another() -> None:
    server = Old(silent=True)
    async with old(server) as link:
        ear = Ear()
        await listening(link, ear)
        call = asyncio.create_task(refused(UPSTREAM_LOST, link, tool("a")))
        await eventually(lambda: server.named("tools/call"))
        server.streams[0].visit.writer.close()
        await call
        server.silent = False
        await result(link, tool("a"))
        await eventually(lambda: ear.renewals)
        assert len(server.streams) == 2
        assert [fault.kind for fault in ear.faults] == [UPSTREAM_LOST]


async def test_a_message_that_is_not_taken_fails_its_call_only() -> None:
    server = Old()
    async with old(server) as link:
        await result(link, tool("a"))
        server.status = b"400 Bad Request"
        server.silent = True
        await refused(UPSTREAM_GARBAGE, link, tool("a"))
        server.status = b"202 Accepted"
        server.silent = False
        await result(link, tool("a"))
        assert len(server.streams) == 1


async def test_a_connection_that_the_server_forgot_is_opened_anew() -> None:
    server = Old()
    async with old(server) as link:
        await result(link, tool("a"))
        server.status, server.silent = b"404 Not Found", True
        await refused(UPSTREAM_LOST, link, tool("a"))
        server.status, server.silent = b"202 Accepted", False
        await eventually(lambda: server.streams[0].visit.gone.is_set())
        await result(link, tool("a"))
        assert len(server.streams) == 2


async def test_noise_does_no_harm() -> None:
    server = Old()
    async with old(server) as link:
        await result(link, tool("a"))
        await server.streams[0].event("no message")
        await server.streams[0].field(": keep-alive\n\n")
        await result(link, tool("a"))


async def test_a_second_endpoint_ends_the_connection() -> None:
    server = Old()
    async with old(server) as link:
        await result(link, tool("a"))
        await server.streams[0].event("/messages?session=1", kind="endpoint")
        await server.streams[0].visit.closed()


async def test_what_speaks_neither_is_refused_as_before() -> None:
    async def serve(visit: Visit) -> None:
        while await visit.request():
            await visit.send(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")

    async with upstream(serve) as running:
        client = HttpClient()
        link = HttpLink(Target("up_1", 1, "http", running.url, True, interactive=False), client, Source(), Upstreams())
        fault = await refused(UPSTREAM_GARBAGE, link, tool("a"))
        assert fault.data["http"] == 404
        await link.close()
        await client.close()


async def test_a_server_that_became_another_is_found_out() -> None:
    server = Old()
    async with old(server, transport="http") as link:
        ear = Ear()
        open_ear = await listening(link, ear)
        server.streams[0].visit.writer.close()
        await eventually(lambda: ear.faults)
        await open_ear.close()
        server.endpoint = "http://127.0.0.1:1/"
        await refused(UPSTREAM_GARBAGE, link, tool("a"))
        probed = server.tried
        server.endpoint = "/messages?session={n}"
        await result(link, tool("a"))
        assert server.tried > probed


async def test_a_server_that_is_not_there_is_down() -> None:
    client = HttpClient()
    link = SseLink(
        Target("up_1", 1, "sse", "http://127.0.0.1:1/sse", True, interactive=False), client, Source(), Upstreams()
    )
    await refused(UPSTREAM_DOWN, link, tool("a"))
    await link.close()
    await client.close()


async def test_an_unused_ear_costs_no_subscription() -> None:
    server = Old(capabilities="{}")
    async with old(server) as link:
        assert (await listening(link, Ear(), ALL)).honoured == Wanted()
