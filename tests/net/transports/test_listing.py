"""Everything a server offers is read to the end, and the end is ours to set."""

import json

import pytest

from mcp_platform.base.errors import ErrorKind, Fault
from mcp_platform.net.transports.era import Found
from mcp_platform.net.transports.listing import EVERY_CAPABILITY, LISTER, MAX_TOOLS, list_all, list_tools
from mcp_platform.net.transports.model import Call
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


OFFERS = Found("modern", "2026-07-28", capabilities=b'{"prompts":{},"resources":{}}')
PATTERN = Call(method="", params=b"{}", owner=LISTER, capabilities=EVERY_CAPABILITY, timeout_s=5)


def lists(**found: str) -> Handler:
    """By the last word of the method: a result, or a JSON-RPC error's code."""

    async def handle(asked: Asked) -> None:
        said = found[
            {"templates/list": "templates"}.get(asked.method.partition("/")[2], asked.method.partition("/")[0])
        ]
        if said.startswith("{"):
            await asked.result(said)
        else:
            await asked.error(int(said), b"200 OK")

    return modern(handle)


async def test_every_list_that_is_promised_is_read() -> None:
    handler = lists(
        tools='{"tools":[{"name":"t"}]}',
        prompts='{"prompts":[{"name":"p"}]}',
        resources='{"resources":[{"uri":"x://1"}]}',
        templates='{"resourceTemplates":[{"uriTemplate":"x://{id}"}]}',
    )
    async with scripted(handler) as server:
        offer = await list_all(server.link, OFFERS, PATTERN)
        assert (offer.tools, offer.prompts) == ([b'{"name":"t"}'], [b'{"name":"p"}'])
        assert (offer.resources, offer.templates) == ([b'{"uri":"x://1"}'], [b'{"uriTemplate":"x://{id}"}'])
        assert offer.problems == {}
        meta = server.named("prompts/list")[0].body["params"]["_meta"]
        assert set(meta["io.modelcontextprotocol/clientCapabilities"]) == {"elicitation", "sampling", "roots"}


@pytest.mark.parametrize("capabilities", [b"{}", b'{"tools":{}}', b"[]", b"nonsense"])
async def test_a_server_that_promises_nothing_is_asked_for_tools_alone(capabilities: bytes) -> None:
    async with scripted(lists(tools='{"tools":[]}')) as server:
        offer = await list_all(server.link, Found("modern", "2026-07-28", capabilities=capabilities), PATTERN)
        assert offer.problems == {}
        assert [asked.method for asked in server.log if "list" in asked.method] == ["tools/list"]


async def test_what_cannot_be_listed_besides_tools_is_said_and_left_out() -> None:
    handler = lists(
        tools='{"tools":[]}', prompts='{"prompts":[{"title":"no name"}]}', resources="-32603", templates="-32601"
    )
    async with scripted(handler) as server:
        offer = await list_all(server.link, OFFERS, PATTERN)
        assert offer.problems == {"prompts": "upstream_garbage", "resources": "upstream_refused"}
