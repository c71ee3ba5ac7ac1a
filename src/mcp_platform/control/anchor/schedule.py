"""Takes the newest checkpoint to every place of `journal.anchors`, again and again, and when somebody asks.

A place that fails is told of and tried again; the record goes on without it, for it is proof of the past only.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mcp_platform.base import clock
from mcp_platform.base.config import Settings
from mcp_platform.base.config.anchor_place import Place, parse_place
from mcp_platform.base.errors import Fault
from mcp_platform.base.log import Log
from mcp_platform.control.anchor import to_file, to_s3, to_syslog
from mcp_platform.control.anchor.errors import ANCHOR_FAILED, ANCHOR_NOTHING
from mcp_platform.journal.anchored import line_of
from mcp_platform.journal.checkpoint import last_checkpoint
from mcp_platform.journal.record import Checkpoint

_log = Log("control.anchor")
LAST_S: Final = 5.0
"""Seconds for the last checkpoint when control ends."""
FIRST_S: Final = 2.0
"""Seconds after the start: by then there is a checkpoint over it."""


@dataclass(slots=True)
class _State:
    """What is known of one place."""

    place: Place
    number: int = 0
    """Of the checkpoint that is there."""
    at: float = 0.0
    failing: str = ""


class Anchors:
    """Control's. `taken` is told of each checkpoint; `run` is a task of control's."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._folder = folder
        self._every_s = settings.journal.anchor_s
        self._states = [_State(parse_place(text)) for text in settings.journal.anchors]
        self._latest: Checkpoint | None = None

    def taken(self, checkpoint: Checkpoint) -> None:
        """There is a newer checkpoint."""
        self._latest = checkpoint

    async def run(self) -> None:
        await asyncio.sleep(min(FIRST_S, self._every_s))
        while self._states:
            await self._round()
            await asyncio.sleep(self._every_s)

    async def last(self) -> None:
        """When control ends: what was signed at the very end is taken away too, if that can be done at once."""
        try:
            async with asyncio.timeout(LAST_S):
                await self._round()
        except TimeoutError:
            _log.warning("last_checkpoint_not_anchored")

    async def _round(self) -> None:
        checkpoint = self._latest
        if checkpoint is not None:
            await asyncio.gather(*(self._try(each, checkpoint) for each in self._states))

    async def _try(self, state: _State, checkpoint: Checkpoint) -> None:
        if checkpoint.number <= state.number:
            return
        try:
            await take(checkpoint, state.place)
        except Fault as fault:
            if not state.failing:
                _log.error("anchor_failed", exc=fault, place=state.place.name)
            state.failing = str(fault.data.get("stage", fault.kind.code))
            return
        except Exception as error:  # one place must not keep the others back, whatever it met
            _log.error("anchor_failed", exc=error, place=state.place.name)
            state.failing = type(error).__name__
            return
        if state.failing:
            _log.info("anchor_works_again", place=state.place.name)
        state.number, state.at, state.failing = checkpoint.number, clock.now(), ""

    async def now(self, places: Iterable[Place]) -> dict[str, object]:
        """The newest checkpoint to these places, or to the configured ones. Raises Fault."""
        chosen = list(places) or [each.place for each in self._states]
        checkpoint = self._latest or await asyncio.to_thread(last_checkpoint, self._folder)
        if checkpoint is None or not chosen:
            raise Fault(ANCHOR_NOTHING)
        for place in chosen:
            await take(checkpoint, place)
        return {
            "number": checkpoint.number,
            "signed": clock.rfc3339(checkpoint.time / 1e9),
            "places": [place.name for place in chosen],
        }

    def status(self) -> list[dict[str, object]]:
        """For `status` and `doctor`."""
        return [
            {"place": each.place.name, "number": each.number, "anchored_at": each.at or None, "failing": each.failing}
            for each in self._states
        ]


async def take(checkpoint: Checkpoint, place: Place) -> None:
    """Raises Fault(anchor_failed) with `stage` in its data."""
    line = line_of(checkpoint)
    try:
        if place.kind == "file":
            await asyncio.to_thread(to_file.append, place, line)
        elif place.kind == "s3":
            await to_s3.put(place, f"{checkpoint.platform}/{checkpoint.number:012d}.json", line + b"\n")
        else:
            await asyncio.to_thread(to_syslog.send, place, line)
    except Fault as fault:
        raise Fault(ANCHOR_FAILED, fault.detail, {**fault.data, "place": place.name}) from fault
