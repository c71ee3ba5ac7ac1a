"""Legacy sessions at an HTTP upstream: shared or one principal's, opened anew when forgotten, told of cancellation."""

import asyncio

import pytest

from mcp_platform.base.config.settings import Upstreams
from mcp_platform.base.errors import Fault
from mcp_platform.net.transports.model import Answer
from mcp_platform.net.upstream_errors import UPSTREAM_BUSY, UPSTREAM_GARBAGE, UPSTREAM_TIMEOUT
from tests.net.raw_upstream import eventually
from tests.net.transports.calls import ELICITS, Recorder, refused, result, tool
from tests.net.transports.scripted_mcp import Asked, fine, legacy, scripted

QUESTION = '{"jsonrpc":"2.0","id":"q-1","method":"elicitation/create","params":{"message":"Which?"}}'


async def test_the_session_id_and_version_are_sent_with_everything_after_initialize() -> None:
    async with scripted(legacy(fine)) as server:
        await result(server.link, tool("a"))
        assert "mcp-session-id" not in server.named("initialize")[0].headers
        for asked in (server.named("notifications/initialized")[0], server.named("tools/call")[0]):
            assert asked.headers["mcp-session-id"] == "s-1"
            assert asked.headers["mcp-protocol-version"] == "2025-11-25"
            assert "mcp-method" not in asked.headers


async def test_a_server_without_sessions_is_served_without() -> None:
    async with scripted(legacy(fine, session=None)) as server:
        await result(server.link, tool("a"))
        assert "mcp-session-id" not in server.named("tools/call")[0].headers
    assert server.named("DELETE") == []


@pytest.mark.parametrize("bad", ["", "x" * 1025, "caf\u00e9", "a b"])
async def test_a_session_id_that_is_none_is_garbage(bad: str) -> None:
    async with scripted(legacy(fine, session=bad)) as server:
        await refused(UPSTREAM_GARBAGE, server.link, tool("a"))


async def test_a_shared_session_is_opened_once_and_knows_no_capability_and_no_agent() -> None:
    async with scripted(legacy(fine), interactive=False) as server:
        calls = [tool("a", owner=owner, client_info=b'{"name":"agent","version":"1"}') for owner in ("p1", "p2", None)]
        await asyncio.gather(*(result(server.link, call) for call in calls))
        opened = server.named("initialize")
        assert len(opened) == 1
        assert opened[0].body["params"]["capabilities"] == {}
        assert opened[0].body["params"]["clientInfo"]["name"] == "mcp-platform"
        assert opened[0].body["params"]["protocolVersion"] == "2025-11-25"


async def test_capabilities_open_a_session_for_each_principal_and_set() -> None:
    async with scripted(legacy(fine), interactive=True) as server:
        spelled = b'{ "elicitation" : {} }'
        sets = (
            ("p1", ELICITS),
            ("p1", spelled),
            ("p2", ELICITS),
            ("p1", b'{"roots":{}}'),
            ("p1", b"{}"),
            ("p2", b"{}"),
        )
        for owner, capabilities in sets:
            await result(server.link, tool("a", owner=owner, capabilities=capabilities))
        opened = [asked.body["params"]["capabilities"] for asked in server.named("initialize")]
        assert opened == [{"elicitation": {}}, {"elicitation": {}}, {"roots": {}}, {}, {}]


async def test_a_server_that_may_not_ask_is_told_of_no_capability() -> None:
    async with scripted(legacy(fine), interactive=False) as server:
        await result(server.link, tool("a", owner="p1", capabilities=ELICITS))
        assert server.named("initialize")[0].body["params"]["capabilities"] == {}


@pytest.mark.parametrize("json_body", [True, False])
async def test_a_forgotten_session_is_opened_again_once(json_body: bool) -> None:
    async def handle(asked: Asked) -> None:
        if len(server.named("tools/call")) == 2:
            if json_body:
                await asked.error(-32001, b"404 Not Found")
            else:
                await asked.visit.send(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
        else:
            await fine(asked)

    async with scripted(legacy(handle)) as server:
        await result(server.link, tool("a"))
        await result(server.link, tool("a"))
        assert len(server.named("initialize")) == 2
        assert len(server.named("tools/call")) == 3


async def test_a_session_that_is_forgotten_at_once_is_given_up() -> None:
    async def handle(asked: Asked) -> None:
        await asked.error(-32001, b"404 Not Found")

    async with scripted(legacy(handle)) as server:
        await refused(UPSTREAM_GARBAGE, server.link, tool("a"))
        assert len(server.named("tools/call")) == 2


async def test_a_404_without_session_is_the_servers_answer() -> None:
    async def handle(asked: Asked) -> None:
        await asked.error(-32601, b"404 Not Found")

    async with scripted(legacy(handle, session=None)) as server:
        assert (await server.link.call(tool("a"), Recorder())).error
        assert len(server.named("tools/call")) == 1


async def test_a_question_goes_to_the_calls_own_client_and_its_answer_back() -> None:
    async def handle(asked: Asked) -> None:
        if asked.method == "tools/call":
            await asked.stream(QUESTION, end=False)
            await answered.wait()
            await asked.event(asked.response())
            await asked.visit.send(b"0\r\n\r\n")
        else:
            await asked.visit.send(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n")
            answered.set()

    answered = asyncio.Event()
    async with scripted(legacy(handle), interactive=True) as server:
        recorder = Recorder()
        await result(server.link, tool("a", owner="p", capabilities=ELICITS), recorder)
        assert recorder.asked == [("elicitation/create", b'{"message":"Which?"}')]
        reply = next(asked for asked in server.log if "result" in asked.body)
        assert reply.body["id"] == "q-1"
        assert reply.body["result"]["content"] == {"colour": "red"}
        assert reply.headers["mcp-session-id"] == "s-1"


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ('{"jsonrpc":"2.0","id":5,"method":"ping"}', {"result": {}}),
        ('{"jsonrpc":"2.0","id":5,"method":"tasks/list","params":{}}', {"code": -32601}),
        ('{"jsonrpc":"2.0","id":5,"method":"sampling/createMessage","params":{}}', {"code": -32601}),
    ],
    ids=["ping", "unknown", "on a shared session"],
)
async def test_what_no_client_may_be_asked_is_answered_by_the_platform(
    question: str, expected: dict[str, object]
) -> None:
    async def handle(asked: Asked) -> None:
        if asked.method == "tools/call":
            await asked.stream(question, end=False)
            await answered.wait()
            await asked.event(asked.response())
        else:
            answered.set()
            await asked.visit.send(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n")

    answered = asyncio.Event()
    async with scripted(legacy(handle), interactive=True) as server:
        recorder = Recorder()
        await result(server.link, tool("a"), recorder)
        assert recorder.asked == []
        reply = server.log[-1].body
        assert reply["id"] == 5
        assert reply.get("error", reply).items() >= expected.items()


async def test_a_fault_of_the_client_is_the_answer_to_the_question() -> None:
    async def handle(asked: Asked) -> None:
        if asked.method == "tools/call":
            await asked.stream(QUESTION, end=False)
            await answered.wait()
            await asked.event(asked.response())
        else:
            answered.set()
            await asked.visit.send(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n")

    async def busy() -> None:
        raise Fault(UPSTREAM_BUSY)

    answered = asyncio.Event()
    async with scripted(legacy(handle), interactive=True) as server:
        await result(server.link, tool("a", owner="p", capabilities=ELICITS), Recorder(before=busy))
        assert server.log[-1].body["error"]["code"] == UPSTREAM_BUSY.jsonrpc


async def test_a_withdrawn_question_is_taken_from_the_client() -> None:
    async def handle(asked: Asked) -> None:
        await asked.stream(QUESTION, end=False)
        await eventually(lambda: recorder.asked)
        await asked.event('{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"q-1"}}')
        await eventually(lambda: recorder.withdrawn)
        await asked.event(asked.response())

    recorder = Recorder(before=asyncio.Event().wait)
    async with scripted(legacy(handle), interactive=True) as server:
        await result(server.link, tool("a", owner="p", capabilities=ELICITS), recorder)
        assert recorder.withdrawn == 1


async def test_a_call_that_waits_for_its_client_is_not_silent() -> None:
    async def handle(asked: Asked) -> None:
        if asked.method == "tools/call":
            await asked.stream(QUESTION, end=False)
            await answered.wait()
            await asked.event(asked.response())
        else:
            answered.set()
            await asked.visit.send(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n")

    async def think() -> None:
        await asyncio.sleep(0.6)

    answered = asyncio.Event()
    async with scripted(legacy(handle), interactive=True) as server:
        call = tool("a", owner="p", capabilities=ELICITS, timeout_s=0.3)
        await result(server.link, call, Recorder(before=think))


async def test_too_many_questions_at_once_are_garbage() -> None:
    async def handle(asked: Asked) -> None:
        await asked.stream(*(QUESTION.replace("q-1", f"q-{n}") for n in range(9)), end=False)

    async with scripted(legacy(handle), interactive=True) as server:
        recorder = Recorder(before=asyncio.Event().wait)
        await refused(UPSTREAM_GARBAGE, server.link, tool("a", owner="p", capabilities=ELICITS), recorder)
        await eventually(lambda: recorder.withdrawn == len(recorder.asked))


@pytest.mark.parametrize("way", ["cancelled", "timed out"])
async def test_a_call_that_is_given_up_is_cancelled_at_its_server(way: str) -> None:
    async def handle(asked: Asked) -> None:
        await asked.stream(end=False)

    async with scripted(legacy(handle)) as server:
        if way == "cancelled":
            call = asyncio.create_task(server.link.call(tool("a"), Recorder()))
            await eventually(lambda: server.named("tools/call"))
            call.cancel()
        else:
            await refused(UPSTREAM_TIMEOUT, server.link, tool("a", timeout_s=0.2))
        await eventually(lambda: server.named("notifications/cancelled"))
        asked = server.named("tools/call")[0]
        assert server.named("notifications/cancelled")[0].body["params"]["requestId"] == asked.body["id"]
        await asked.visit.closed()


async def test_closing_ends_every_session() -> None:
    async with scripted(legacy(fine), interactive=True) as server:
        await result(server.link, tool("a"))
        await result(server.link, tool("a", owner="p", capabilities=ELICITS))
    assert len(server.named("DELETE")) == 2
    assert {asked.headers["mcp-session-id"] for asked in server.named("DELETE")} == {"s-1"}


async def test_an_unused_session_is_ended() -> None:
    settings = Upstreams(process_idle_s=0.1)
    async with scripted(legacy(fine), settings=settings) as server:
        await result(server.link, tool("a"))
        await eventually(lambda: server.named("DELETE"))
        await result(server.link, tool("a"))
        assert len(server.named("initialize")) == 2


async def test_legacy_progress_tokens_are_the_platforms_own() -> None:
    async with scripted(legacy(fine)) as server:
        await result(server.link, tool("a", progress=True, meta=b'{"x":1}'))
        asked = server.named("tools/call")[0]
        assert asked.body["params"]["_meta"] == {"progressToken": asked.body["id"], "x": 1}
        await result(server.link, tool("a"))
        assert "_meta" not in server.named("tools/call")[1].body["params"]


async def test_the_error_of_a_client_reaches_the_server_verbatim() -> None:
    async def handle(asked: Asked) -> None:
        if asked.method == "tools/call":
            await asked.stream(QUESTION, end=False)
            await answered.wait()
            await asked.event(asked.response())
        else:
            answered.set()
            await asked.visit.send(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n")

    answered = asyncio.Event()
    async with scripted(legacy(handle), interactive=True) as server:
        recorder = Recorder(Answer(error=b'{"code":-1,"message":"User rejected"}'))
        await result(server.link, tool("a", owner="p", capabilities=ELICITS), recorder)
        assert server.log[-1].body["error"] == {"code": -1, "message": "User rejected"}
