"""`subscriptions/listen` at a modern HTTP server: acknowledged, tagged, opened anew with another id."""

import json

import pytest

from mcp_platform.base.errors import Fault
from mcp_platform.net.transports.model import Wanted
from mcp_platform.net.upstream_errors import UPSTREAM_LIST_STALE, UPSTREAM_REFUSED
from tests.net.raw_upstream import eventually
from tests.net.transports.calls import ALL, Ear, listening, refused, result, tool
from tests.net.transports.scripted_mcp import Asked, Handler, fine, modern, scripted

TAG = "io.modelcontextprotocol/subscriptionId"


def tagged(asked: Asked, method: str, identity: object = None, **params: object) -> str:
    """A notification of the listen request `asked`."""
    meta = {TAG: asked.body["id"] if identity is None else identity}
    return json.dumps({"jsonrpc": "2.0", "method": f"notifications/{method}", "params": {**params, "_meta": meta}})


def acknowledging(streams: list[Asked], **honoured: object) -> Handler:
    """Acknowledges what was asked for, or `honoured`."""

    async def handle(asked: Asked) -> None:
        if asked.method != "subscriptions/listen":
            await fine(asked)
            return
        await asked.open()
        filtered = honoured or asked.body["params"]["notifications"]
        await asked.event(tagged(asked, "subscriptions/acknowledged", notifications=filtered))
        streams.append(asked)

    return modern(handle)


async def test_what_the_server_acknowledges_is_honoured_and_heard() -> None:
    streams: list[Asked] = []
    async with scripted(acknowledging(streams)) as server:
        ear = Ear()
        wanted = Wanted(tools=True, uris=frozenset({"a://1"}))
        open_ear = await listening(server.link, ear, wanted)
        asked = streams[0]
        assert open_ear.honoured == wanted
        assert asked.body["params"]["notifications"] == {"toolsListChanged": True, "resourceSubscriptions": ["a://1"]}
        assert asked.headers["mcp-method"] == "subscriptions/listen"
        assert "mcp-session-id" not in asked.headers
        await asked.event(tagged(asked, "tools/list_changed"))
        await asked.event(tagged(asked, "resources/updated", uri="a://1"))
        await eventually(lambda: len(ear.told) == 2)
        assert ear.told[1] == ("notifications/resources/updated", b'{"uri":"a://1"}')


async def test_a_part_is_honoured_and_what_was_not_acknowledged_or_asked_for_is_not_heard() -> None:
    streams: list[Asked] = []
    async with scripted(acknowledging(streams, toolsListChanged=True, promptsListChanged=True)) as server:
        ear = Ear()
        open_ear = await listening(server.link, ear, Wanted(tools=True, resources=True))
        assert open_ear.honoured == Wanted(tools=True)
        for kind in ("resources", "prompts", "tools"):
            await streams[0].event(tagged(streams[0], f"{kind}/list_changed"))
        await eventually(lambda: ear.told)
        assert ear.methods == ["notifications/tools/list_changed"]


async def test_what_carries_another_subscriptions_id_is_not_heard() -> None:
    streams: list[Asked] = []
    async with scripted(acknowledging(streams)) as server:
        ear = Ear()
        await listening(server.link, ear)
        asked = streams[0]
        for identity in (asked.body["id"] + 1, "other", {}):
            await asked.event(tagged(asked, "tools/list_changed", identity))
        await asked.event('{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}')
        await asked.event(tagged(asked, "prompts/list_changed", str(asked.body["id"])))
        await eventually(lambda: ear.told)
        assert ear.methods == ["notifications/prompts/list_changed"]


@pytest.mark.parametrize("end", ["gracefully", "abruptly"])
async def test_a_stream_that_ends_is_opened_anew_with_another_id(end: str) -> None:
    streams: list[Asked] = []
    async with scripted(acknowledging(streams)) as server:
        ear = Ear()
        open_ear = await listening(server.link, ear)
        if end == "gracefully":
            await streams[0].event(streams[0].response('{"resultType":"complete"}'))
            await streams[0].end()
        else:
            streams[0].visit.writer.close()
        await eventually(lambda: ear.renewals)
        assert len(ear.faults) == (0 if end == "gracefully" else 1)
        assert streams[0].body["id"] != streams[1].body["id"]
        assert open_ear.honoured == ALL
        await streams[1].event(tagged(streams[1], "tools/list_changed"))
        await eventually(lambda: ear.told)


async def test_wanting_something_else_opens_the_next_before_the_last_is_let_go() -> None:
    streams: list[Asked] = []
    async with scripted(acknowledging(streams)) as server:
        ear = Ear()
        open_ear = await listening(server.link, ear, Wanted(tools=True))
        await open_ear.want(Wanted(uris=frozenset({"a://1"})))
        assert open_ear.honoured == Wanted(uris=frozenset({"a://1"}))
        await streams[0].visit.closed()
        assert not streams[1].visit.gone.is_set()
        await open_ear.close()
        await streams[1].visit.closed()
        assert (ear.renewals, ear.faults) == (0, [])


async def test_a_server_that_knows_no_listening_honours_nothing_and_is_asked_once() -> None:
    async def handle(asked: Asked) -> None:
        await asked.error(-32601, b"404 Not Found")

    async with scripted(modern(handle)) as server:
        ear = Ear()
        assert (await listening(server.link, ear)).honoured == Wanted()
        await refused_listens(server.named("subscriptions/listen"), ear)


async def refused_listens(asked: list[Asked], ear: Ear) -> None:
    assert (len(asked), ear.faults, ear.renewals) == (1, [], 0)


async def test_a_server_that_refuses_is_a_refusal() -> None:
    async def handle(asked: Asked) -> None:
        await asked.error(-32602, b"400 Bad Request")

    async with scripted(modern(handle)) as server:
        with pytest.raises(Fault) as caught:
            await listening(server.link, Ear())
        assert caught.value.kind is UPSTREAM_REFUSED


async def test_parameters_that_are_mirrored_in_headers_are_sent_encoded() -> None:
    async with scripted(modern(fine)) as server:
        given = (("Mcp-Param-Region", "eu-west"), ("mcp-param-name", "Zo\u00eb\r\nx: y"), ("authorization", "no"))
        await result(server.link, tool("a", param_headers=given))
        headers = server.named("tools/call")[0].headers
        assert headers["mcp-param-region"] == "eu-west"
        assert headers["mcp-param-name"].startswith("=?base64?")
        assert "authorization" not in headers


async def test_a_header_mismatch_says_that_the_list_is_stale() -> None:
    async def handle(asked: Asked) -> None:
        await asked.error(-32020, b"400 Bad Request")

    announced: list[str] = []
    async with scripted(modern(handle), announced=lambda upstream, method: announced.append(method)) as server:
        await refused(UPSTREAM_LIST_STALE, server.link, tool("a"))
        await refused(UPSTREAM_LIST_STALE, server.link, tool("a"))
        assert len(server.named("server/discover")) == 1
    assert set(announced) == {"notifications/tools/list_changed"}


async def test_closing_the_link_lets_go_of_every_stream() -> None:
    streams: list[Asked] = []
    async with scripted(acknowledging(streams)) as server:
        await listening(server.link, Ear())
        await listening(server.link, Ear(), owner="p1")
        await server.link.close()
        for stream in streams:
            await stream.visit.closed()
