"""Questions of a legacy server that stand in no call's own stream: whose they are nobody can know for sure."""

import asyncio

import pytest

from mcp_platform.net.transports.model import Answer
from tests.net.raw_upstream import eventually
from tests.net.transports.calls import ELICITS, Recorder, result, tool
from tests.net.transports.scripted_mcp import Asked, scripted
from tests.net.transports.test_listening_legacy import QUESTION, server_that_changes, standing


@pytest.mark.parametrize("others", [1, pytest.param(0, marks=pytest.mark.long)])
async def test_a_question_whose_call_ended_goes_to_another_or_is_answered_with_an_error(others: int) -> None:
    """The newest call was asked and did not answer: the server must not wait for an answer that cannot come."""
    streams: list[Asked] = []
    calls: list[Asked] = []

    async def handle(asked: Asked) -> None:
        if asked.method == "tools/call":
            calls.append(asked)
        else:
            await asked.visit.send(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n")

    async with scripted(server_that_changes(handle), interactive=True, get=standing(streams)) as server:
        meant = Recorder(Answer(result=b'{"action":"decline"}'))
        newest = Recorder(before=asyncio.Event().wait)  # type: ignore[arg-type]  # nobody sets it
        running = []
        for number, recorder in enumerate([*[meant] * others, newest], 1):
            call = tool("a", owner="p1", capabilities=ELICITS)
            running.append(asyncio.create_task(result(server.link, call, recorder)))
            await eventually(lambda least=number: len(calls) == least)
        await eventually(lambda: streams)
        await streams[0].event(QUESTION)
        await eventually(lambda: newest.asked)
        await calls[-1].result("{}")

        def answered() -> list[Asked]:
            return [asked for asked in server.log if {"result", "error"} & asked.body.keys()]

        await eventually(answered)
        assert (newest.withdrawn, len(meant.asked)) == (1, others)
        assert [("result" in asked.body, asked.body["id"]) for asked in answered()] == [(bool(others), "q-1")]
        for asked in calls[:-1]:
            await asked.result("{}")
        await asyncio.gather(*running)


async def test_the_answer_of_the_only_call_waits_for_its_client() -> None:
    """The server asked as it started, and answered the call without waiting."""
    streams: list[Asked] = []
    calls: list[Asked] = []

    async def handle(asked: Asked) -> None:
        if asked.method == "tools/call":
            calls.append(asked)
        else:
            await asked.visit.send(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n")

    async with scripted(server_that_changes(handle), interactive=True, get=standing(streams)) as server:
        thinking = asyncio.Event()
        client = Recorder(Answer(result=b'{"action":"decline"}'), before=thinking.wait)
        call = asyncio.create_task(result(server.link, tool("a", owner="p1", capabilities=ELICITS), client))
        await eventually(lambda: streams and calls)
        await streams[0].event(QUESTION)
        await eventually(lambda: client.asked)
        await calls[0].result("{}")
        later = asyncio.create_task(result(server.link, tool("a", owner="p2"), Recorder()))
        await eventually(lambda: len(calls) == 2)
        await calls[1].result("{}")
        await later  # so the answer before has been read
        thinking.set()
        await call
        await eventually(lambda: [asked for asked in server.log if "result" in asked.body])
        assert client.withdrawn == 0
