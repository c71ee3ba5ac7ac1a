"""Which era an HTTP upstream speaks is found out as 2026-07-28 (basic/versioning) says: once, and after a failure."""

import asyncio

import pytest

from mcp_platform.net.transports import era
from mcp_platform.net.upstream_errors import UPSTREAM_GARBAGE, UPSTREAM_REFUSED
from tests.net.raw_upstream import answer, eventually
from tests.net.transports.calls import ELICITS, Recorder, refused, result, tool
from tests.net.transports.scripted_mcp import DISCOVERED, INITIALIZED, Asked, Handler, fine, legacy, modern, scripted


async def test_a_discover_result_says_modern_and_is_asked_for_once() -> None:
    async with scripted(modern(fine)) as server:
        await asyncio.gather(*(result(server.link, tool("a")) for _ in range(5)))
        assert len(server.named("server/discover")) == 1
        assert len(server.named("initialize")) == 0


@pytest.mark.parametrize("code", [-32020, -32021])
async def test_a_recognised_modern_error_says_modern(code: int) -> None:
    async def handle(asked: Asked) -> None:
        if asked.method == "server/discover":
            await asked.error(code, b"400 Bad Request")
        else:
            await fine(asked)

    async with scripted(handle) as server:
        await result(server.link, tool("a"))
        assert server.named("initialize") == []


async def test_an_unsupported_version_error_that_names_ours_says_modern() -> None:
    async def handle(asked: Asked) -> None:
        if asked.method == "server/discover":
            await asked.error(-32022, b"400 Bad Request", '{"supported":["2026-07-28"]}')
        else:
            await fine(asked)

    async with scripted(handle) as server:
        await result(server.link, tool("a"))
        assert server.named("initialize") == []


def bare(status: bytes, body: bytes = b"", kind: bytes = b"text/html") -> Handler:
    async def handle(asked: Asked) -> None:
        await asked.visit.send(answer(body, status=status, kind=kind))

    return handle


def error(code: int, status: bytes = b"200 OK", data: str = "{}") -> Handler:
    return lambda asked: asked.error(code, status, data)


NOT_MODERN: dict[str, Handler] = {
    "plain 404": bare(b"404 Not Found"),
    "plain 405": bare(b"405 Method Not Allowed"),
    "html": bare(b"200 OK", b"<p>hi"),
    "500": bare(b"500 Internal Server Error"),
    "503": bare(b"503 Service Unavailable"),
    "not initialized": error(-32000, b"400 Bad Request"),
    "missing session": error(-32600, b"400 Bad Request"),
    "unknown method": error(-32601),
    "legacy versions": error(-32022, b"400 Bad Request", '{"supported":["2025-11-25"]}'),
    "discovers legacy": lambda asked: asked.result('{"supportedVersions":["2025-11-25"],"capabilities":{}}'),
    "odd result": lambda asked: asked.result('{"hello":1}'),
}


@pytest.mark.parametrize("which", NOT_MODERN)
async def test_anything_else_is_tried_with_initialize(which: str) -> None:
    async def handle(asked: Asked) -> None:
        if asked.method == "server/discover":
            await NOT_MODERN[which](asked)
        else:
            await legacy(fine)(asked)

    async with scripted(handle) as server:
        assert (await server.link.call(tool("a"), Recorder())).era == era.LEGACY
        await result(server.link, tool("a"))
        assert [asked.method for asked in server.log] == [
            "server/discover",
            "initialize",
            "notifications/initialized",
            "tools/call",
            "tools/call",
        ]


@pytest.mark.parametrize("status", [b"401 Unauthorized", b"403 Forbidden"])
async def test_refused_credentials_say_nothing_about_the_era(status: bytes) -> None:
    async def handle(asked: Asked) -> None:
        await asked.json("{}", status)

    async with scripted(handle) as server:
        fault = await refused(UPSTREAM_REFUSED, server.link, tool("a"))
        assert fault.data["stage"] == "auth"
        await refused(UPSTREAM_REFUSED, server.link, tool("a"))
        assert len(server.named("server/discover")) == 2


async def test_a_server_that_speaks_neither_is_garbage_and_probed_again() -> None:
    async def handle(asked: Asked) -> None:
        await asked.error(-32601, b"404 Not Found")

    async with scripted(handle) as server:
        for _ in range(2):
            assert (await refused(UPSTREAM_GARBAGE, server.link, tool("a"))).data["stage"] == "mcp"
        assert len(server.named("server/discover")) == len(server.named("initialize")) == 2


@pytest.mark.parametrize("version", ["2026-07-28", "1999-01-01"])
async def test_a_version_that_is_not_legacy_is_not_accepted_from_initialize(version: str) -> None:
    async def handle(asked: Asked) -> None:
        if asked.method == "initialize":
            await asked.result(INITIALIZED.replace("2025-11-25", version))
        else:
            await asked.error(-32601, b"404 Not Found")

    async with scripted(handle) as server:
        await refused(UPSTREAM_GARBAGE, server.link, tool("a"))


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])
async def test_every_legacy_version_is_accepted_and_named_from_2025_06_18_on(version: str) -> None:
    async def handle(asked: Asked) -> None:
        if asked.method == "initialize":
            await asked.result(INITIALIZED.replace("2025-11-25", version))
        else:
            await legacy(fine)(asked)

    async with scripted(handle) as server:
        assert (await server.link.probe(5)).version == version
        await result(server.link, tool("a"))
        expected = version if version >= "2025-06-18" else None
        assert server.named("tools/call")[0].headers.get("mcp-protocol-version") == expected


async def test_a_server_that_became_modern_is_found_out_after_one_failure() -> None:
    became_modern = False

    async def handle(asked: Asked) -> None:
        if not became_modern:
            await legacy(fine)(asked)
        elif asked.method == "server/discover":
            await asked.result(DISCOVERED)
        elif "mcp-session-id" in asked.headers or asked.method == "initialize":
            await asked.error(-32601, b"404 Not Found")
        else:
            await fine(asked)

    async with scripted(handle) as server:
        await result(server.link, tool("a"))
        became_modern = True
        await refused(UPSTREAM_GARBAGE, server.link, tool("a"))
        assert (await server.link.call(tool("a"), Recorder())).era == era.MODERN


async def test_a_server_that_became_legacy_is_found_out_after_one_failure() -> None:
    became_legacy = False

    async def handle(asked: Asked) -> None:
        if not became_legacy:
            await modern(fine)(asked)
        elif asked.method == "tools/call" and "mcp-session-id" not in asked.headers:
            await asked.error(-32600, b"400 Bad Request")
        else:
            await legacy(fine)(asked)

    async with scripted(handle) as server:
        await result(server.link, tool("a"))
        became_legacy = True
        assert (await server.link.call(tool("a"), Recorder())).error
        assert (await server.link.call(tool("a"), Recorder())).era == era.LEGACY


async def test_the_probe_of_a_caller_that_gives_up_serves_the_others() -> None:
    gate = asyncio.Event()

    async def handle(asked: Asked) -> None:
        if asked.method == "server/discover":
            await gate.wait()
        await modern(fine)(asked)

    async with scripted(handle) as server:
        first = asyncio.create_task(server.link.call(tool("a", capabilities=ELICITS), Recorder()))
        second = asyncio.create_task(server.link.call(tool("b"), Recorder()))
        await eventually(lambda: server.log)
        first.cancel()
        gate.set()
        assert (await second).result == b'{"ok":true}'
        assert len(server.named("server/discover")) == 1
