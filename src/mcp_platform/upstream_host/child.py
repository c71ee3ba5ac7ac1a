"""One running stdio server: its pipes, its end, and how it is stopped. It knows nothing of MCP."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable
from typing import ClassVar

from mcp_platform.base.errors import Fault
from mcp_platform.base.log import Log
from mcp_platform.net.transports.model import Launch
from mcp_platform.net.transports.pipe import TooLong
from mcp_platform.net.upstream_errors import UPSTREAM_BUSY, UPSTREAM_LOST
from mcp_platform.upstream_host.lines import LineSplitter
from mcp_platform.upstream_host.spawn import spawn
from mcp_platform.upstream_host.stderr import StderrLog

MAX_UNREAD_BYTES = 8 * 1024 * 1024
"""Bytes a server may leave unread on its stdin before it gets no more: two of the largest requests."""
GRACE_S = 2.0
"""Seconds a server gets to end after its stdin closed, and again after SIGTERM."""
_LAST_WORDS_S = 1.0
"""Seconds the output of a process that ended is still read."""

_log = Log(__name__)


class Child:
    """A process in a session and group of its own."""

    live: ClassVar[set[int]] = set()
    """Every process we started and did not reap yet; what else is a child of ours is an orphan of theirs."""

    def __init__(
        self,
        process: "subprocess.Popen[bytes]",
        server: str,
        on_line: Callable[[bytes | TooLong], None],
        on_end: Callable[[], None],
    ) -> None:
        self.pid = process.pid
        self.ended = asyncio.Event()
        self._process = process
        self._server = server
        self._on_line = on_line
        self._on_end = on_end
        self._pidfd = -1
        self._stdout_ended = False
        self._finished = False
        self._stdin: asyncio.WriteTransport | None = None
        self._transports: list[asyncio.BaseTransport] = []

    @classmethod
    async def start(
        cls,
        launch: Launch,
        server: str,
        max_line_bytes: int,
        on_line: Callable[[bytes | TooLong], None],
        on_end: Callable[[], None],
    ) -> "Child":
        """Raises Fault(upstream_down)."""
        process = spawn(launch)
        cls.live.add(process.pid)
        child = cls(process, server, on_line, on_end)
        try:
            await child._connect(launch, max_line_bytes)
        except BaseException:
            child._kill_group()
            child._collect()
            raise
        _log.info("server_started", server=server, child=child.pid)
        return child

    async def _connect(self, launch: Launch, max_line_bytes: int) -> None:
        loop = asyncio.get_running_loop()
        process = self._process
        assert process.stdin is not None, "spawn makes three pipes"
        assert process.stdout is not None, "spawn makes three pipes"
        assert process.stderr is not None, "spawn makes three pipes"
        lines = LineSplitter(max_line_bytes)
        errors = StderrLog(self._server, list(launch.env.values()))

        def out(data: bytes) -> None:
            for line in lines.feed(data):
                self._on_line(line)

        self._stdin, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, process.stdin)
        self._transports.append(self._stdin)
        stdout, _ = await loop.connect_read_pipe(lambda: _Reader(out, self._stdout_end), process.stdout)
        self._transports.append(stdout)
        stderr, _ = await loop.connect_read_pipe(lambda: _Reader(errors.feed, errors.close), process.stderr)
        self._transports.append(stderr)
        # Last, so that a process that ended at once is not taken apart while its pipes are being put together: closing
        # a pipe that the loop already holds would abort the whole host.
        self._pidfd = os.pidfd_open(self.pid)
        loop.add_reader(self._pidfd, self._collect)

    def write(self, line: bytes) -> None:
        """Send one message. Raises Fault(upstream_lost, upstream_busy)."""
        if self._stdin is None or self._stdin.is_closing() or self.ended.is_set():
            raise Fault(UPSTREAM_LOST)
        if self._stdin.get_write_buffer_size() > MAX_UNREAD_BYTES:
            raise Fault(UPSTREAM_BUSY, "The MCP server behind this tool no longer reads.", retry_after_s=5.0)
        self._stdin.write(line + b"\n")

    def kill(self) -> None:
        """End it now, with everything in its group."""
        self._kill_group()

    async def stop(self) -> None:
        """Close stdin, then SIGTERM, then SIGKILL, as MCP's stdio shutdown says; bounded by twice the grace."""
        if self._stdin is not None and not self._stdin.is_closing():
            self._stdin.close()
        for signal_number in (signal.SIGTERM, signal.SIGKILL):
            try:
                async with asyncio.timeout(GRACE_S):
                    await self.ended.wait()
                    return
            except TimeoutError:
                self._signal_group(signal_number)
        await self.ended.wait()

    def _collect(self) -> None:
        """The process ended (its pidfd became readable), or never got going: take away what is left of it."""
        # While the leader is a zombie nobody else can have its number, so the group can be named safely.
        self._kill_group()
        loop = asyncio.get_running_loop()
        if self._pidfd >= 0:
            loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1
        status = self._process.wait()
        self.live.discard(self.pid)
        if self.ended.is_set():
            return
        self.ended.set()
        _log.info("server_ended", server=self._server, child=self.pid, status=status)
        # What it wrote last may still be in the pipe; the pipe ends when it was read, unless a stranger holds it open.
        if self._stdout_ended:
            self._finish()
        else:
            loop.call_later(_LAST_WORDS_S, self._finish)

    def _stdout_end(self) -> None:
        self._stdout_ended = True
        if self.ended.is_set():
            self._finish()

    def _finish(self) -> None:
        if self._finished:
            return
        self._finished = True
        for transport in self._transports:
            transport.close()
        pipes = (self._process.stdin, self._process.stdout, self._process.stderr)
        for pipe in pipes[len(self._transports) :]:
            if pipe is not None:
                pipe.close()
        self._on_end()

    def _kill_group(self) -> None:
        self._signal_group(signal.SIGKILL)

    def _signal_group(self, signal_number: int) -> None:
        if self.ended.is_set():
            return
        try:
            os.killpg(self.pid, signal_number)
        except ProcessLookupError:
            return


class _Reader(asyncio.Protocol):
    def __init__(self, on_data: Callable[[bytes], None], on_end: Callable[[], None] | None = None) -> None:
        self._on_data = on_data
        self._on_end = on_end

    def data_received(self, data: bytes) -> None:
        self._on_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._on_end is not None:
            self._on_end()
