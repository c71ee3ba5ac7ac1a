"""A worker's ear: hears control's heartbeats and takes each newer snapshot, in small steps, never an older one.

When control is silent the worker serves on by what it knows; how long is decided where requests are answered.
"""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from mcp_platform.base import clock
from mcp_platform.base.errors import Fault
from mcp_platform.base.log import Log
from mcp_platform.net import local
from mcp_platform.net.frames import LINK_CLOSED, FrameStream
from mcp_platform.snapshot.codec import SNAPSHOT_INVALID, check_heartbeat, hash_of, open_manifest
from mcp_platform.snapshot.model import (
    FromControl,
    Heartbeat,
    Hello,
    ListsChanged,
    ListsHint,
    SessionEnded,
    SessionNotes,
    Snapshot,
    Taken,
)
from mcp_platform.snapshot.shelf import Shelf
from mcp_platform.snapshot.take import Taker

log = Log(__name__)
_PATIENCE_S = 10.0
"""Seconds without a frame after which the connection is given up for dead: ten heartbeats."""


class Feed:
    """Follows control for one worker."""

    def __init__(
        self,
        path: Path,
        shelf: Shelf,
        key: Ed25519PublicKey,
        slot: int,
        *,
        heard: Callable[[], None],
        take: Callable[[Snapshot], Awaitable[None]],
        told: Callable[[SessionEnded | SessionNotes], None],
        known: Callable[[], Iterable[SessionEnded | SessionNotes]],
        changed: Callable[[ListsChanged], None],
        to_tell: "asyncio.Queue[SessionEnded | SessionNotes | ListsHint]",
    ) -> None:
        """`heard` is called with each heartbeat, `take` with each newer snapshot, `told` with what other workers said
        of sessions, `changed` where a server's lists are others now (their snapshot was taken before). `known` is told
        to a control that was started anew, what stands in `to_tell` as it comes."""
        self._path = path
        self._shelf = shelf
        self._key = key
        self._slot = slot
        self._heard = heard
        self._take = take
        self._told = told
        self._known = known
        self._changed = changed
        self._early: list[ListsChanged] = []
        """Changes whose revision was not taken yet: when two are published at once, the first is passed over."""
        self._to_tell = to_tell
        self._taker = Taker(shelf)
        self._revision = 0
        self._floor = shelf.seen()

    async def run(self) -> None:
        """Follow for ever; ends only by cancellation."""
        wait_s = 0.02
        while True:
            began = clock.monotonic()
            try:
                await self._follow()
            except (OSError, Fault, TimeoutError) as error:
                if isinstance(error, Fault) and error.kind is not LINK_CLOSED:
                    log.error("feed_refused", code=error.kind.code)
            # What lasted is no reason to wait; what fails again and again is.
            wait_s = 0.02 if clock.monotonic() - began > 1 else min(wait_s * 2, 1.0)
            await asyncio.sleep(wait_s)

    async def _follow(self) -> None:
        sock = local.connect(self._path, timeout_s=1.0)
        reader, writer = await _streams(sock)
        stream: FrameStream[FromControl] = FrameStream(reader, writer, FromControl)
        nonce = os.urandom(16)
        teller: asyncio.Task[None] | None = None
        try:
            stream.send(Hello(self._slot, os.getpid(), nonce, self._revision))
            for fact in self._known():
                stream.send(fact)
            teller = asyncio.create_task(self._tell(stream))
            while True:
                async with asyncio.timeout(_PATIENCE_S):
                    message = await stream.receive()
                if isinstance(message, SessionEnded | SessionNotes):
                    self._told(message)
                elif isinstance(message, ListsChanged):
                    self._early.append(message)
                    self._tell_changed()
                else:
                    await self._on_heartbeat(message, nonce, stream)
        finally:
            if teller is not None:
                teller.cancel()
            stream.close()

    async def _on_heartbeat(self, heartbeat: Heartbeat, nonce: bytes, stream: FrameStream[FromControl]) -> None:
        check_heartbeat(heartbeat, nonce, self._key)
        if heartbeat.revision < max(self._revision, self._floor):
            log.error("older_snapshot_refused", revision=heartbeat.revision, seen=max(self._revision, self._floor))
            raise Fault(SNAPSHOT_INVALID)
        if heartbeat.revision > self._revision:
            await self._catch_up(heartbeat)
        self._heard()
        stream.send(Taken(self._revision))
        self._tell_changed()

    def _tell_changed(self) -> None:
        """Say of each change that the newest snapshot holds it."""
        early, self._early = self._early, []
        for change in early:
            if change.revision <= self._revision:
                self._changed(change)
            else:
                self._early.append(change)

    async def _catch_up(self, heartbeat: Heartbeat) -> None:
        signed = self._shelf.read_manifest()
        if signed is None:
            raise Fault(SNAPSHOT_INVALID)
        if hash_of(signed) != heartbeat.manifest:
            # A newer one is on the shelf already; its own heartbeat is on the way.
            return
        manifest = open_manifest(signed, self._key)
        if manifest.revision != heartbeat.revision:
            raise Fault(SNAPSHOT_INVALID)
        snapshot = await self._taker.take(manifest)
        await self._take(snapshot)
        self._revision = snapshot.revision
        self._shelf.saw(self._slot, snapshot.revision)

    async def _tell(self, stream: FrameStream[FromControl]) -> None:
        while True:
            stream.send(await self._to_tell.get())


async def _streams(sock: socket.socket) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    sock.setblocking(False)
    return await asyncio.open_unix_connection(sock=sock)
