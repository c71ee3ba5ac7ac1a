"""control.sock: one line in, progress and one answer out; everything bounded."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from mcp_platform.control.cli_door import MAX_LINE_BYTES, CliDoor
from mcp_platform.net import local
from tests.control.worlds import World, world

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def door(folder: Path) -> AsyncIterator[tuple[World, Path]]:
    async with world(folder) as here:
        path = here.data.control_socket
        server = await CliDoor(here.executor).serve(local.listen(path))
        try:
            yield here, path
        finally:
            server.close()


async def knock(path: Path, line: bytes) -> list[dict[str, Any]]:
    """Every message that comes back for `line`."""
    sock = local.connect(path)
    sock.setblocking(False)
    reader, writer = await asyncio.open_unix_connection(sock=sock, limit=MAX_LINE_BYTES * 2)
    writer.write(line)
    async with asyncio.timeout(10):
        messages = [json.loads(each) for each in (await reader.read()).splitlines()]
    writer.close()
    return messages


async def test_an_action_is_answered_with_one_line(tmp_path: Path) -> None:
    async with door(tmp_path) as (here, path):
        (answer,) = await knock(path, b'{"action":"status","params":{}}\n')
        assert answer["ok"] is True
        assert answer["result"]["platform_id"] == here.ring.platform_id


async def test_progress_comes_before_the_answer(tmp_path: Path) -> None:
    async with door(tmp_path) as (_, path):
        request = {"action": "server.add", "params": {"name": "git", "url": "http://a/"}}
        progress, answer = await knock(path, json.dumps(request).encode() + b"\n")
        assert progress == {"progress": "Connecting to server git and listing what it offers", "done": 0, "total": 1}
        assert answer["ok"] is True


async def test_a_refusal_is_told_with_code_text_data_and_status(tmp_path: Path) -> None:
    async with door(tmp_path) as (_, path):
        (answer,) = await knock(path, b'{"action":"key.revoke","params":{"id":"nothing"}}\n')
        assert answer["ok"] is False
        assert set(answer["error"]) == {"code", "text", "data", "http"}
        assert (answer["error"]["code"], answer["error"]["http"]) == ("not_found", 404)


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"nonsense\n",
        b"[]\n",
        b'{"action":5}\n',
        b'{"params":{}}\n',
        b'{"action":"status","params":[]}\n',
        b'{"action":"status","more":1}\n',
        b'{"action":"\xff"}\n',
        b'{"action":"status","params":' + b"[" * 5000 + b"\n",
        b'{"action":"' + b"x" * (MAX_LINE_BYTES + 10) + b'"}\n',
    ],
)
async def test_a_malformed_request_is_refused(tmp_path: Path, line: bytes) -> None:
    async with door(tmp_path) as (_, path):
        (answer,) = await knock(path, line)
        assert answer["error"]["code"] == "request_malformed"


async def test_a_request_that_breaks_off_does_not_hold_the_door(tmp_path: Path) -> None:
    async with door(tmp_path) as (_, path):
        with local.connect(path) as silent, local.connect(path) as broken:
            broken.sendall(b'{"action":')
            broken.shutdown(socket.SHUT_WR)
            (answer,) = await knock(path, b'{"action":"status"}\n')
            assert answer["ok"] is True
            assert silent.fileno() > 0


async def test_more_commands_than_the_door_takes_are_told_to_come_again(tmp_path: Path) -> None:
    async with door(tmp_path) as (_, path):
        waiting = [local.connect(path) for _ in range(32)]
        (answer,) = await knock(path, b'{"action":"status"}\n')
        assert answer["error"]["code"] == "unavailable"
        for sock in waiting:
            sock.close()
        async with asyncio.timeout(5):
            while not (await knock(path, b'{"action":"status"}\n'))[0]["ok"]:
                pass


async def test_a_failure_inside_is_told_by_an_id_and_not_by_its_cause(tmp_path: Path) -> None:
    async with door(tmp_path) as (here, path):
        here.reach.fails = ZeroDivisionError("canary")
        request = {"action": "server.add", "params": {"name": "git", "url": "http://a/"}}
        *_, answer = await knock(path, json.dumps(request).encode() + b"\n")
        assert answer["error"]["code"] == "internal_error"
        assert "canary" not in json.dumps(answer)


async def test_the_socket_is_private(tmp_path: Path) -> None:
    async with door(tmp_path) as (_, path):
        assert path.stat().st_mode & 0o777 == 0o600
