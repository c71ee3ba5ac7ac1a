"""Which process serves a call: one for each upstream, or one for each (upstream, principal, capability set).

Bounded in number, restarted with back-off, replaced when the upstream's configuration changes.
"""

import asyncio
from collections.abc import Callable

from mcp_platform.base import clock
from mcp_platform.base.config.settings import Upstreams
from mcp_platform.base.errors import Fault
from mcp_platform.base.log import Log
from mcp_platform.net.transports.broker_wire import BrokerClient
from mcp_platform.net.transports.era import Found
from mcp_platform.net.transports.model import Announced, Answer, Call, Caller, Listener, Target, Wanted
from mcp_platform.net.transports.sessions import Key as Owner
from mcp_platform.net.transports.sessions import key_of
from mcp_platform.net.transports.watch import Ear
from mcp_platform.net.upstream_errors import UPSTREAM_BUSY
from mcp_platform.upstream_host.slot import Slot

MAX_PER_OWNER = 4
"""Processes of one upstream for one principal: an agent host has one capability set, a person a few agent hosts."""
SWEEP_S = 1.0
"""Seconds between looks for processes that nobody uses any more."""

_log = Log(__name__)


class Pool:
    """Every stdio process of this node."""

    def __init__(self, settings: Upstreams, broker: BrokerClient) -> None:
        self._settings = settings
        self._broker = broker
        self.announced: Announced = lambda upstream, method: None
        """Called when a server said that a list of its changed."""
        self._slots: dict[tuple[str, Owner], Slot] = {}
        self._retired: set[Slot] = set()
        self._stopping: set[asyncio.Task[None]] = set()

    async def call(self, target: Target, call: Call, caller: Caller) -> Answer:
        """Raises Fault(upstream_*)."""
        slot = self._slot(target, key_of(target, call.owner, call.capabilities))
        return await slot.call(call, caller)

    async def attend(
        self,
        target: Target,
        owner: str | None,
        capabilities: bytes,
        client_info: bytes | None,
        wanted: Wanted,
        listener: Listener,
    ) -> Ear:
        """Raises Fault(upstream_*)."""
        slot = self._slot(target, key_of(target, owner, capabilities))
        return await slot.attend(owner, capabilities, client_info, wanted, listener)

    async def tell(self, target: Target, owner: str, capabilities: bytes, method: str, params: bytes) -> None:
        """A notification of a client to its own process, where one runs. Raises Fault(upstream_*)."""
        key = key_of(target, owner, capabilities)
        slot = self._slots.get((target.id, key))
        if key is not None and slot is not None:
            await slot.tell(method, params)

    async def probe(self, target: Target, timeout_s: float, owner: str | None, capabilities: bytes) -> Found:
        """Raises Fault(upstream_*) with `stage` in its data."""
        return await self._slot(target, key_of(target, owner, capabilities)).found(timeout_s)

    def forget(self, upstream: str) -> None:
        """The upstream was removed: its calls end with its processes."""
        for key, slot in list(self._slots.items()):
            if key[0] == upstream:
                self._stop(key, slot)

    @property
    def under_way(self) -> int:
        return sum(slot.under_way for slot in (*self._slots.values(), *self._retired))

    def _slot(self, target: Target, owner: Owner) -> Slot:
        key = (target.id, owner)
        slot = self._slots.get(key)
        if slot is not None and slot.target.version < target.version:
            self._retire(target)
            slot = None
        if slot is None:
            self._make_room(key)
            slot = self._slots[key] = Slot(target, owner, self._settings, self._broker, self._announced(target.id))
        return slot

    def _announced(self, upstream: str) -> Callable[[str], None]:
        return lambda method: self.announced(upstream, method)

    def _retire(self, target: Target) -> None:
        """Configuration changed: processes of the older version take no new calls and stop after the last they have."""
        for key, slot in list(self._slots.items()):
            if key[0] == target.id and slot.target.version < target.version:
                del self._slots[key]
                self._retired.add(slot)
        self.sweep()

    def _make_room(self, wanted: tuple[str, Owner]) -> None:
        """Stop the process that was unused longest where one more would be too many. Raises Fault(upstream_busy)."""
        upstream, owner = wanted
        own = [key for key in self._slots if owner and key[1] and (key[0], key[1][0]) == (upstream, owner[0])]
        at_own_cap = len(own) >= MAX_PER_OWNER
        if not at_own_cap and len(self._slots) + len(self._retired) < self._settings.max_processes:
            return
        among = own if at_own_cap else list(self._slots)
        idle = [(self._slots[key].last_used, key, self._slots[key]) for key in among if not self._slots[key].busy]
        owned = [entry for entry in idle if entry[1][1] is not None]
        resting = owned or [entry for entry in idle if entry[2].pid is None]
        if not resting:
            text = "All stdio processes that this node may have (upstreams.max_processes) are in use."
            raise Fault(UPSTREAM_BUSY, text, {"setting": "upstreams.max_processes"}, retry_after_s=5.0)
        _, key, slot = min(resting, key=lambda entry: entry[0])
        self._stop(key, slot)

    def _stop(self, key: tuple[str, Owner], slot: Slot) -> None:
        del self._slots[key]
        self._stop_later(slot)

    def _stop_later(self, slot: Slot) -> None:
        self._retired.add(slot)
        task = asyncio.get_running_loop().create_task(slot.stop())
        self._stopping.add(task)

        def stopped(task: "asyncio.Task[None]") -> None:
            self._stopping.discard(task)
            self._retired.discard(slot)

        task.add_done_callback(stopped)

    def sweep(self) -> None:
        """Stop what was replaced and has no call left, and what belongs to one principal and was long unused."""
        for slot in list(self._retired):
            if not slot.under_way and not slot.stopping:
                self._stop_later(slot)
        before = clock.monotonic() - self._settings.process_idle_s
        for key, slot in list(self._slots.items()):
            if key[1] is not None and not slot.busy and slot.last_used < before:
                self._stop(key, slot)

    async def close(self) -> None:
        """Stop every process, each within its grace."""
        for key, slot in list(self._slots.items()):
            self._stop(key, slot)
        for slot in list(self._retired):
            if not slot.stopping:
                self._stop_later(slot)
        if self._stopping:
            await asyncio.wait(list(self._stopping))
