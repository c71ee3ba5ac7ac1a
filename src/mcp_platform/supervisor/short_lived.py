"""Asks one question in a child that ends with the answer, so that what it read and imported is in nobody's memory.

Every process is forked from the supervisor: a key or a library that it held once would stand in all of them.
"""

import dataclasses
import importlib
import json
import os
import sys
from collections.abc import Callable
from typing import NoReturn

from mcp_platform.base import log
from mcp_platform.base.config import Settings
from mcp_platform.base.errors import INTERNAL, ErrorKind, Fault, catalogue
from mcp_platform.base.folder import DataFolder
from mcp_platform.supervisor.containment import fork_plain

_ANSWER = b"+"
_FAULT = b"-"
_MAX_ANSWER_BYTES = 65536
"""Bytes; what a pipe holds, so that the child never waits for us."""

Question = Callable[[DataFolder, Settings], bytes]
_log = log.Log("supervisor")


def ask(entry: str, data: DataFolder, settings: Settings) -> bytearray:
    """What `module:function` answers to (data, settings). The module is imported in the child only.

    Raises the Fault that the function raised, or Fault(internal_error) when it answered nothing.
    """

    def question() -> bytes:
        module, _, name = entry.partition(":")
        function: Question = getattr(importlib.import_module(module), name)
        return function(data, settings)

    return apart(question)


def apart(question: Callable[[], bytes]) -> bytearray:
    """What `question()` answers in a child of its own. Raises as `ask` does."""
    read_end, write_end = os.pipe2(os.O_CLOEXEC)

    def answer() -> NoReturn:
        os.close(read_end)
        os.write(write_end, _answer(question))
        sys.stdout.flush()
        os._exit(0)

    pid = fork_plain(answer)
    os.close(write_end)
    buffer = bytearray(_MAX_ANSWER_BYTES)
    filled = 0
    with memoryview(buffer) as view:
        while count := os.readv(read_end, [view[filled:]]):
            filled += count
    os.close(read_end)
    os.waitpid(pid, 0)
    del buffer[filled:]
    if buffer[:1] == _FAULT:
        raise _fault(bytes(buffer[1:]))
    if buffer[:1] != _ANSWER:
        raise Fault(INTERNAL)
    del buffer[:1]
    return buffer


def _answer(question: Callable[[], bytes]) -> bytes:
    try:
        answer = question()
        assert len(answer) < _MAX_ANSWER_BYTES, "an answer is a few bytes"
        return _ANSWER + answer
    except Fault as fault:
        told = fault
    except Exception as error:  # the root of a process: the log has the cause, the asker a fault
        log.setup("short-lived")
        _log.error("question_failed", exc=error)
        told = Fault(INTERNAL)
    fields = {"kind": dataclasses.asdict(told.kind), "detail": told.detail, "data": told.data}
    return _FAULT + json.dumps(fields, default=str).encode()


def _fault(told: bytes) -> Fault:
    """The fault again; its kind may be one that only the child has imported."""
    fields = json.loads(told)
    kind = catalogue().get(fields["kind"]["code"]) or ErrorKind(**fields["kind"])
    return Fault(kind, fields["detail"], fields["data"])
