"""The CLI's way to control: one line of JSON to DATA/control.sock, progress lines and one answer back.

With nothing running the same action is done here, under the data folder's lock.
"""

import json
import socket
import time
from collections.abc import Callable
from typing import Any

from mcp_platform.base import clock
from mcp_platform.base.errors import ErrorKind, Fault, define
from mcp_platform.base.folder import DataFolder
from mcp_platform.base.lock import DATA_FOLDER_IN_USE
from mcp_platform.cli.data_folder import require_platform
from mcp_platform.cli.late import Late
from mcp_platform.net import local

MAX_LINE_BYTES = 1 << 20
"""Bytes of one line either way, as control has it."""
SILENCE_S = 120.0
"""Seconds without a line before we give up. The longest silent step is a stdio server's start (30 s by default)."""

STARTING_S = 10.0
"""Seconds to wait for whoever holds the data folder's lock and does not listen: a start takes one."""
STEP_S = 0.1

CONTROL_SILENT = define(
    "control_silent",
    http=504,
    jsonrpc=-31576,
    text="The platform runs but does not answer on its local socket; see its log, or `mcp-platform doctor`.",
    whose="platform",
)
CONTROL_GARBAGE = define(
    "control_garbage",
    http=502,
    jsonrpc=-31577,
    text="The platform's answer on its local socket was cut or is not one; is its version the same as this command's?",
    whose="platform",
)

Progress = Callable[[str], None]
_offline = Late("control.offline")


def ask(
    data: DataFolder, action: str, params: dict[str, object], progress: Progress, *, silence_s: float = SILENCE_S
) -> dict[str, Any]:
    """The result of `action`; given up after `silence_s` without a word. Raises Fault with what control says, or what
    keeps it from saying it."""
    require_platform(data)
    give_up = clock.monotonic() + STARTING_S
    while True:
        connection = knock(data)
        if connection is not None:
            connection.settimeout(silence_s)
            with connection:
                return converse(connection, action, params, progress)
        try:
            answer: dict[str, Any] = _offline.run(data, action, params, progress)
            return answer
        except Fault as fault:
            # Another command is at work here, or a platform that starts and does not listen yet.
            if fault.kind is not DATA_FOLDER_IN_USE or clock.monotonic() > give_up:
                raise
        time.sleep(STEP_S)


def knock(data: DataFolder) -> socket.socket | None:
    """A connection to a running platform; None where none runs."""
    try:
        connection = local.connect(data.control_socket)
    except (FileNotFoundError, ConnectionRefusedError):
        return None
    except OSError as error:
        raise Fault(CONTROL_SILENT) from error
    return connection


def converse(connection: socket.socket, action: str, params: dict[str, object], progress: Progress) -> dict[str, Any]:
    """One request and its answer over `connection`."""
    try:
        connection.sendall(json.dumps({"action": action, "params": params}).encode() + b"\n")
        with connection.makefile("rb") as lines:
            while True:
                message = _message(lines.readline(MAX_LINE_BYTES + 1))
                if "progress" not in message:
                    break
                progress(_progress_text(message))
    except TimeoutError as error:
        raise Fault(CONTROL_SILENT) from error
    except OSError as error:
        raise Fault(CONTROL_GARBAGE) from error
    if message.get("ok") is True and isinstance(message.get("result"), dict):
        result: dict[str, Any] = message["result"]
        return result
    raise _refusal(message.get("error"))


def _message(line: bytes) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except ValueError as error:
        raise Fault(CONTROL_GARBAGE) from error
    if not isinstance(message, dict):
        raise Fault(CONTROL_GARBAGE)
    return message


def _progress_text(message: dict[str, Any]) -> str:
    done, total = message.get("done"), message.get("total")
    count = f" ({done}/{total})" if isinstance(done, int) and isinstance(total, int) and total > 1 else ""
    return f"{message['progress']}{count}"


def _refusal(error: object) -> Fault:
    """Control's error as the Fault it was there."""
    if not isinstance(error, dict) or not isinstance(error.get("code"), str):
        return Fault(CONTROL_GARBAGE)
    http, data = error.get("http"), error.get("data")
    kind = ErrorKind(
        code=error["code"],
        http=http if isinstance(http, int) else 500,
        jsonrpc=-32603,
        text=str(error.get("text", "")),
        whose="platform",
    )
    return Fault(kind, data=data if isinstance(data, dict) else {})
