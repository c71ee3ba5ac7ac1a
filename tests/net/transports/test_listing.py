"""Everything a server offers is read to the end, and the end is ours to set."""

import json

import pytest

from mcp_platform.base.errors import ErrorKind, Fault
from mcp_platform.net.transports.listing import MAX_TOOLS, list_tools
from mcp_platform.net.upstream_errors import UPSTREAM_GARBAGE, UPSTREAM_REFUSED, UPSTREAM_TOO_LARGE
from tests.net.transports.scripted_mcp import Asked, Handler, modern, scripted


def pages(*found: str) -> Handler:
    """Page `n` for cursor `n`."""

    async def handle(asked: Asked) -> None:
        await asked.result(found[int(asked.body["params"].get("cursor", "0"))])

    return modern(handle)


async def test_cursors_are_followed_and_tools_kept_verbatim() -> None:
    one, two = '{"name":"a","x":1.0}', '{"name": "b","inputSchema":{"n":1e400}}'
    first = f'{{"tools":[{one}],"nextCursor":"1"}}'
    async with scripted(pages(first, f'{{"tools":[{two}]}}')) as server:
        assert await list_tools(server.link, 5) == [one.encode(), two.encode()]


async def test_an_empty_cursor_is_a_cursor() -> None:
    async def handle(asked: Asked) -> None:
        last = "cursor" in asked.body["params"]
        await asked.result('{"tools":[]}' if last else '{"tools":[{"name":"a"}],"nextCursor":""}')

    async with scripted(modern(handle)) as server:
        assert len(await list_tools(server.link, 5)) == 1
        assert len(server.named("tools/list")) == 2


MANY = json.dumps({"tools": [{"name": "t"}] * (MAX_TOOLS + 1)})


@pytest.mark.parametrize(
    ("page", "kind"),
    [
        ('{"tools":[],"nextCursor":"0"}', UPSTREAM_GARBAGE),
        ('{"tools":{}}', UPSTREAM_GARBAGE),
        ('{"tools":[1]}', UPSTREAM_GARBAGE),
        ('{"tools":[{"title":"no name"}]}', UPSTREAM_GARBAGE),
        ('{"nothing":1}', UPSTREAM_GARBAGE),
        (MANY, UPSTREAM_TOO_LARGE),
    ],
    ids=["loop", "no list", "no object", "no name", "no tools", "too many"],
)
async def test_a_list_that_is_none_or_does_not_end_is_refused(page: str, kind: ErrorKind) -> None:
    async with scripted(pages(page)) as server:
        with pytest.raises(Fault) as caught:
            await list_tools(server.link, 5)
        assert caught.value.kind is kind
        assert caught.value.data["stage"] == "mcp"


async def test_a_refusal_is_a_refusal() -> None:
    async def handle(asked: Asked) -> None:
        await asked.error(-32601, b"404 Not Found")

    async with scripted(modern(handle)) as server:
        with pytest.raises(Fault) as caught:
            await list_tools(server.link, 5)
        assert caught.value.kind is UPSTREAM_REFUSED
