"""Hearing of changes at a legacy HTTP server: its standing stream, its subscriptions, and what becomes of them."""

import asyncio
import json

import pytest

from mcp_platform.base.config.settings import Upstreams
from mcp_platform.base.errors import Fault
from mcp_platform.net.transports.model import Answer, Wanted
from mcp_platform.net.upstream_errors import UPSTREAM_BUSY, UPSTREAM_LOST
from tests.net.raw_upstream import eventually
from tests.net.transports.calls import ALL, ELICITS, Ear, Recorder, closed, listening, result, tool
from tests.net.transports.scripted_mcp import CHANGING, Asked, Handler, fine, legacy, scripted, told

QUESTION = '{"jsonrpc":"2.0","id":"q-1","method":"elicitation/create","params":{"message":"Which?"}}'


def standing(streams: list[Asked]) -> Handler:
    """GET opens a stream, which the test then writes to."""

    async def get(asked: Asked) -> None:
        await asked.open()
        streams.append(asked)

    return get


def server_that_changes(handler: Handler = fine, version: str = "2025-11-25") -> Handler:
    return legacy(handler, capabilities=CHANGING, version=version)


async def test_changes_are_heard_on_the_standing_stream_of_the_session() -> None:
    streams: list[Asked] = []
    async with scripted(server_that_changes(), get=standing(streams)) as server:
        ear = Ear()
        open_ear = await listening(server.link, ear)
        assert open_ear.honoured == ALL
        assert streams[0].headers["mcp-session-id"] == "s-1"
        assert streams[0].headers["accept"] == "text/event-stream"
        assert streams[0].headers["mcp-protocol-version"] == "2025-11-25"
        for kind in ("tools", "prompts", "resources"):
            await streams[0].event(told(f"{kind}/list_changed"))
        await eventually(lambda: len(ear.told) == 3)
        await open_ear.close()
        await streams[0].event(told("tools/list_changed"))
        await result(server.link, tool("a"))
        assert len(ear.told) == 3


async def test_only_what_was_wanted_is_heard() -> None:
    streams: list[Asked] = []
    async with scripted(server_that_changes(), get=standing(streams)) as server:
        ear = Ear()
        open_ear = await listening(server.link, ear, Wanted(prompts=True))
        assert open_ear.honoured == Wanted(prompts=True)
        for kind in ("tools", "prompts"):
            await streams[0].event(told(f"{kind}/list_changed"))
        await eventually(lambda: ear.told)
        assert ear.methods == ["notifications/prompts/list_changed"]


@pytest.mark.parametrize("status", [b"405 Method Not Allowed", b"404 Not Found", b"501 Not Implemented"])
async def test_a_server_without_standing_streams_honours_nothing_and_is_no_failure(status: bytes) -> None:
    async def get(asked: Asked) -> None:
        await asked.visit.send(b"HTTP/1.1 %b\r\ncontent-length: 0\r\n\r\n" % status)

    async with scripted(server_that_changes(), get=get) as server:
        ear = Ear()
        open_ear = await listening(server.link, ear)
        assert open_ear.honoured == Wanted()
        await result(server.link, tool("a"))
        assert (len(server.named("initialize")), len(server.named("GET"))) == (1, 1)
        assert ear.faults == []


async def test_a_server_that_declares_no_changes_is_not_asked_for_a_stream() -> None:
    async with scripted(legacy(fine)) as server:
        assert (await listening(server.link, Ear())).honoured == Wanted()
        assert server.named("GET") == []


async def test_resources_are_subscribed_once_however_many_want_them_and_each_hears_its_own() -> None:
    streams: list[Asked] = []
    async with scripted(server_that_changes(), get=standing(streams)) as server:
        first, second = Ear(), Ear()
        one = await listening(server.link, first, Wanted(uris=frozenset({"a://1", "a://2"})))
        two = await listening(server.link, second, Wanted(uris=frozenset({"a://2"})))
        assert two.honoured == Wanted(uris=frozenset({"a://2"}))
        asked = [one.body["params"]["uri"] for one in server.named("resources/subscribe")]
        assert asked == ["a://1", "a://2"]
        await streams[0].event(told("resources/updated", uri="a://1"))
        await streams[0].event(told("resources/updated", uri="a://2/part"))
        await streams[0].event(told("resources/updated", uri="a://22"))
        await eventually(lambda: len(first.told) == 2)
        assert [json.loads(params)["uri"] for _, params in second.told] == ["a://2/part"]
        await one.close()
        await eventually(lambda: server.named("resources/unsubscribe"))
        assert [gone.body["params"]["uri"] for gone in server.named("resources/unsubscribe")] == ["a://1"]
        await two.want(Wanted(uris=frozenset({"a://3"})))
        assert two.honoured.uris == {"a://3"}
        assert server.named("resources/unsubscribe")[-1].body["params"]["uri"] == "a://2"


async def test_a_resource_that_the_server_refuses_is_not_honoured() -> None:
    async def handle(asked: Asked) -> None:
        if asked.body["params"].get("uri") == "a://bad":
            await asked.error(-32002)
        else:
            await fine(asked)

    async with scripted(server_that_changes(handle), get=standing([])) as server:
        open_ear = await listening(server.link, Ear(), Wanted(uris=frozenset({"a://bad", "a://good"})))
        assert open_ear.honoured.uris == {"a://good"}


async def test_an_update_that_comes_with_its_subscription_is_heard() -> None:
    async def handle(asked: Asked) -> None:
        if asked.method == "resources/subscribe":
            await asked.stream(told("resources/updated", uri="a://1"), asked.response("{}"))
        else:
            await fine(asked)

    async with scripted(server_that_changes(handle), get=standing([])) as server:
        ear = Ear()
        await listening(server.link, ear, Wanted(uris=frozenset({"a://1"})))
        assert ear.methods == ["notifications/resources/updated"]


async def test_too_many_resources_are_refused_before_anything_is_sent() -> None:
    async with scripted(server_that_changes(), get=standing([])) as server:
        wanted = Wanted(uris=frozenset(f"a://{n}" for n in range(1001)))
        with pytest.raises(Fault) as caught:
            await listening(server.link, Ear(), wanted)
        assert caught.value.kind is UPSTREAM_BUSY
        assert server.log == []


async def test_a_stream_that_breaks_is_read_on_from_the_last_event() -> None:
    streams: list[Asked] = []
    async with scripted(server_that_changes(), get=standing(streams)) as server:
        ear = Ear()
        await listening(server.link, ear)
        await streams[0].field("retry: 20\n\n")
        await streams[0].event(told("tools/list_changed"), identity="e-7")
        await eventually(lambda: ear.told)
        streams[0].visit.writer.close()
        await eventually(lambda: len(streams) == 2)
        assert streams[1].headers["last-event-id"] == "e-7"
        await streams[1].event(told("prompts/list_changed"))
        await eventually(lambda: len(ear.told) == 2)
        assert (ear.renewals, ear.faults) == (0, [])


async def test_a_stream_that_cannot_be_read_on_is_opened_again_and_said_to_have_missed_something() -> None:
    streams: list[Asked] = []
    async with scripted(server_that_changes(), get=standing(streams)) as server:
        ear = Ear()
        await listening(server.link, ear)
        await streams[0].field("retry: 20\n\n")
        await streams[0].end()
        await eventually(lambda: len(streams) == 2)
        assert "last-event-id" not in streams[1].headers
        await eventually(lambda: ear.renewals == 1)
        assert len(server.named("initialize")) == 1


async def test_a_forgotten_session_is_opened_anew_and_subscribed_again() -> None:
    streams: list[Asked] = []
    forgotten = asyncio.Event()

    async def get(asked: Asked) -> None:
        if forgotten.is_set() and len(server.named("initialize")) == 1:
            await asked.visit.send(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
        else:
            await asked.open()
            streams.append(asked)

    async with scripted(server_that_changes(), get=get) as server:
        ear = Ear()
        open_ear = await listening(server.link, ear, Wanted(tools=True, uris=frozenset({"a://1"})))
        await streams[0].field("retry: 20\n\n")
        forgotten.set()
        await streams[0].end()
        await eventually(lambda: ear.renewals)
        assert [fault.data.get("http") for fault in ear.faults] == [404]
        assert len(server.named("initialize")) == 2
        assert len(server.named("resources/subscribe")) == 2
        assert open_ear.honoured == Wanted(tools=True, uris=frozenset({"a://1"}))
        await streams[-1].event(told("resources/updated", uri="a://1"))
        await eventually(lambda: ear.told)
        assert server.named("DELETE") == []


async def test_a_call_that_finds_the_session_forgotten_renews_what_listens() -> None:
    streams: list[Asked] = []

    async def handle(asked: Asked) -> None:
        if asked.method == "tools/call" and len(server.named("tools/call")) == 1:
            await asked.error(-32001, b"404 Not Found")
        else:
            await fine(asked)

    async with scripted(server_that_changes(handle), get=standing(streams)) as server:
        ear = Ear()
        open_ear = await listening(server.link, ear)
        await result(server.link, tool("a"))
        await eventually(lambda: ear.faults)
        with pytest.raises(Fault) as caught:
            await open_ear.want(Wanted(tools=True))
        assert caught.value.kind is UPSTREAM_LOST
        assert open_ear.honoured == Wanted()
        await eventually(lambda: ear.renewals)
        assert open_ear.honoured == ALL
        assert [fault.kind for fault in ear.faults] == [UPSTREAM_LOST]
        assert len(server.named("initialize")) == 2
        await eventually(lambda: len(streams) == 2)


async def test_what_one_principal_listens_to_no_other_hears() -> None:
    streams: list[Asked] = []
    sessions = iter("abc")

    async def handle(asked: Asked) -> None:
        if asked.method == "initialize":
            inner = legacy(fine, session=f"s-{next(sessions)}", capabilities=CHANGING)
            await inner(asked)
        else:
            await server_that_changes()(asked)

    async with scripted(handle, interactive=True, get=standing(streams)) as server:
        mine, yours, shared = Ear(), Ear(), Ear()
        wanted = Wanted(tools=True, uris=frozenset({"a://1"}))
        await listening(server.link, mine, wanted, "p1")
        await listening(server.link, yours, wanted, "p2")
        await listening(server.link, shared, wanted)
        assert [stream.headers["mcp-session-id"] for stream in streams] == ["s-a", "s-b", "s-c"]
        await streams[0].event(told("resources/updated", uri="a://1"))
        await streams[0].event(told("elicitation/complete", elicitationId="e"))
        await eventually(lambda: len(mine.told) == 2)
        await streams[2].event(told("elicitation/complete", elicitationId="e"))
        await streams[2].event(told("tools/list_changed"))
        await eventually(lambda: shared.told)
        assert (yours.told, shared.methods) == ([], ["notifications/tools/list_changed"])


async def test_a_question_on_the_standing_stream_goes_to_the_newest_call_of_its_session() -> None:
    streams: list[Asked] = []
    calls: list[Asked] = []

    async def handle(asked: Asked) -> None:
        if asked.method == "tools/call":
            calls.append(asked)
        else:
            await asked.visit.send(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n")

    async with scripted(server_that_changes(handle), interactive=True, get=standing(streams)) as server:
        older, newer, other = Recorder(Answer(result=b'{"action":"decline"}')), Recorder(), Recorder()
        running = [
            asyncio.create_task(result(server.link, tool("a", owner=owner, capabilities=ELICITS), recorder))
            for owner, recorder in (("p1", older), ("p2", other))
        ]
        await eventually(lambda: len(calls) == 2)
        running.append(asyncio.create_task(result(server.link, tool("b", owner="p1", capabilities=ELICITS), newer)))
        await eventually(lambda: len(calls) == 3)
        first = next(stream for stream in streams if stream.visit is not calls[0].visit)
        await first.event(QUESTION)
        await eventually(lambda: older.asked or newer.asked or other.asked)
        assert (len(older.asked), len(newer.asked) + len(other.asked)) == (0, 1)
        await eventually(lambda: [asked for asked in server.log if "result" in asked.body])
        for asked in calls:
            await asked.result("{}")
        await asyncio.gather(*running)


async def test_a_question_on_the_stream_of_a_shared_session_is_refused() -> None:
    streams: list[Asked] = []
    async with scripted(server_that_changes(), get=standing(streams)) as server:
        await listening(server.link, Ear())
        await streams[0].event(QUESTION)
        await streams[0].event('{"jsonrpc":"2.0","id":9,"method":"ping"}')
        await eventually(lambda: len([asked for asked in server.log if "result" in asked.body]) == 1)
        await eventually(lambda: [asked for asked in server.log if "error" in asked.body])
        refusal = next(asked for asked in server.log if "error" in asked.body)
        assert refusal.body["error"]["code"] == -32601


async def test_changes_said_in_a_calls_own_stream_reach_its_caller_the_listeners_and_the_platform() -> None:
    async def handle(asked: Asked) -> None:
        await asked.stream(told("tools/list_changed"), asked.response())

    announced: list[tuple[str, str]] = []
    async with scripted(
        server_that_changes(handle), get=standing([]), announced=lambda *said: announced.append(said)
    ) as server:
        ear, recorder = Ear(), Recorder()
        await listening(server.link, ear)
        await result(server.link, tool("a"), recorder)
        assert [method for method, _ in recorder.said] == ["notifications/tools/list_changed"]
        assert ear.methods == ["notifications/tools/list_changed"]
        assert announced == [("up_1", "notifications/tools/list_changed")]


async def test_an_update_in_a_call_of_a_shared_session_is_not_for_the_caller() -> None:
    async def handle(asked: Asked) -> None:
        await asked.stream(told("resources/updated", uri="a://secret"), asked.response())

    async with scripted(server_that_changes(handle)) as server:
        recorder = Recorder()
        await result(server.link, tool("a", owner="p1"), recorder)
        assert recorder.said == []


async def test_a_clients_notification_reaches_its_own_session_only() -> None:
    async with scripted(server_that_changes(), interactive=True) as server:
        await server.link.tell("p1", ELICITS, "notifications/roots/list_changed", b"{}")
        assert server.log == []
        await result(server.link, tool("a"))
        await result(server.link, tool("a", owner="p1", capabilities=ELICITS))
        for owner, capabilities in (("p1", ELICITS), ("p2", ELICITS), ("p1", b'{"roots":{}}'), ("p1", b"{}")):
            await server.link.tell(owner, capabilities, "notifications/roots/list_changed", b"{}")
        assert len(server.named("notifications/roots/list_changed")) == 1


async def test_the_log_level_is_set_when_it_differs_and_only_in_a_session_of_ones_own() -> None:
    async with scripted(server_that_changes(), interactive=True) as server:
        for level in ("debug", "debug", "error", None):
            await result(server.link, tool("a", owner="p1", capabilities=ELICITS, log_level=level))
        await result(server.link, tool("a", log_level="debug"))
        levels = [asked.body["params"]["level"] for asked in server.named("logging/setLevel")]
        assert levels == ["debug", "error"]


async def test_a_server_without_logging_is_not_told_a_level() -> None:
    async with scripted(legacy(fine), interactive=True) as server:
        await result(server.link, tool("a", owner="p1", capabilities=ELICITS, log_level="debug"))
        assert server.named("logging/setLevel") == []


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-06-18"])
async def test_the_version_that_a_server_chooses_is_spoken(version: str) -> None:
    streams: list[Asked] = []
    async with scripted(server_that_changes(version=version), get=standing(streams)) as server:
        await listening(server.link, Ear())
        await result(server.link, tool("a"))
        said = server.named("tools/call")[0].headers.get("mcp-protocol-version")
        assert said == (version if version >= "2025-06-18" else None)


@pytest.mark.parametrize("way", ["json", "stream", "standing"])
async def test_arrays_of_messages_are_understood_with_2025_03_26_and_no_other(way: str) -> None:
    async def handle(asked: Asked) -> None:
        batch = f"[{told('message', level='info', data='x')},{told('tools/list_changed')},{asked.response()}]"
        if way == "json":
            await asked.json(batch)
        elif way == "stream":
            await asked.stream(batch)
        else:
            await streams[0].event(f"[{told('tools/list_changed')}]")
            await eventually(lambda: ear.told)
            await fine(asked)

    streams: list[Asked] = []
    ear = Ear()
    async with scripted(server_that_changes(handle, "2025-03-26"), get=standing(streams)) as server:
        await listening(server.link, ear)
        recorder = Recorder()
        await result(server.link, tool("a"), recorder)
        assert ear.methods == ["notifications/tools/list_changed"]
        if way != "standing":
            assert len(recorder.said) == 2


async def test_closing_the_link_closes_every_stream_and_says_goodbye() -> None:
    streams: list[Asked] = []
    async with scripted(server_that_changes(), get=standing(streams)) as server:
        await listening(server.link, Ear())
        await closed(server.link)
        await streams[0].visit.closed()
        assert len(server.named("DELETE")) == 1
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith(("listen", "stream"))]


async def test_standing_streams_leave_connections_for_calls() -> None:
    settings = Upstreams(max_connections=4)
    async with scripted(server_that_changes(), interactive=True, get=standing([]), settings=settings) as server:
        for owner in ("p1", "p2"):
            await listening(server.link, Ear(), owner=owner)
        with pytest.raises(Fault) as caught:
            await listening(server.link, Ear(), owner="p3")
        assert caught.value.kind is UPSTREAM_BUSY
        await result(server.link, tool("a", owner="p3", capabilities=ELICITS))
