"""control.sock: the CLI's door. One line of JSON in, progress lines and one answer out.

Who knocks is told by the kernel; still everything that comes in has a ceiling and a time-out.
"""

import asyncio
import socket

import msgspec

from mcp_platform.base.errors import INTERNAL, UNAVAILABLE, Fault
from mcp_platform.base.ids import new_id
from mcp_platform.base.log import Log
from mcp_platform.control.entry import actor_of
from mcp_platform.control.errors import ACTION_TOO_SLOW, REQUEST_MALFORMED
from mcp_platform.control.execute import Executor
from mcp_platform.store.action import Actor

MAX_LINE_BYTES = 1024 * 1024
"""Bytes of a request or of an answer: a server with 50 headers of 16 KiB fits."""
MAX_CONNECTIONS = 32
"""Commands at once. A person runs one; a script that runs more waits for its turn."""
REQUEST_TIMEOUT_S = 10.0
"""Seconds from the connection to the end of its request."""
ANSWER_TIMEOUT_S = 10.0
"""Seconds the other side may take to read its answer."""
ACTION_TIMEOUT_S = 300.0
"""Seconds for an action: the slowest server may start, and list 10,000 tools."""

_log = Log("control.cli_door")


class _Request(msgspec.Struct, forbid_unknown_fields=True):
    action: str
    params: dict[str, object] = {}


class CliDoor:
    """Answers on every connection to control.sock: one request each."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._open = 0

    async def serve(self, sock: socket.socket) -> asyncio.Server:
        return await asyncio.start_unix_server(self._connected, sock=sock, limit=MAX_LINE_BYTES)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            answer = await self._converse(reader, writer)
            await _write(writer, answer)
        except (ConnectionError, TimeoutError):
            _log.debug("cli_gone")
        finally:
            self._open -= 1
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> dict[str, object]:
        try:
            actor = actor_of(writer.get_extra_info("socket"))
            if self._open > MAX_CONNECTIONS:
                raise Fault(UNAVAILABLE)
            request = await _read(reader)
            return {"ok": True, "result": await self._act(request, actor, writer)}
        except Fault as fault:
            return {"ok": False, "error": told(fault)}
        except Exception as error:  # the root of a request: logged under an id that the caller can quote
            error_id = new_id("err")
            _log.error("request_failed", exc=error, error_id=error_id)
            return {"ok": False, "error": told(Fault(INTERNAL, data={"error_id": error_id}))}

    async def _act(self, request: _Request, actor: Actor, writer: asyncio.StreamWriter) -> dict[str, object]:
        def progress(text: str, done: int, total: int) -> None:
            if not writer.is_closing():
                writer.write(_line({"progress": text, "done": done, "total": total}))

        try:
            async with asyncio.timeout(ACTION_TIMEOUT_S):
                return await self._executor.execute(request.action, request.params, actor, progress)
        except TimeoutError:
            raise Fault(ACTION_TOO_SLOW) from None


def told(fault: Fault) -> dict[str, object]:
    """A fault as the CLI reads it."""
    return {"code": fault.kind.code, "text": fault.text, "data": fault.data, "http": fault.kind.http}


async def _read(reader: asyncio.StreamReader) -> _Request:
    try:
        async with asyncio.timeout(REQUEST_TIMEOUT_S):
            line = await reader.readuntil(b"\n")
        return msgspec.json.decode(line, type=_Request)
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError) as error:
        raise Fault(REQUEST_MALFORMED) from error
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        raise Fault(REQUEST_MALFORMED) from error


async def _write(writer: asyncio.StreamWriter, answer: dict[str, object]) -> None:
    line = _line(answer)
    if len(line) > MAX_LINE_BYTES:
        _log.error("answer_too_large", size_bytes=len(line))
        line = _line({"ok": False, "error": told(Fault(INTERNAL))})
    writer.write(line)
    async with asyncio.timeout(ANSWER_TIMEOUT_S):
        await writer.drain()


def _line(message: dict[str, object]) -> bytes:
    return msgspec.json.encode(message) + b"\n"
