"""The pause between two syncs ends by a timer, and another way to the next sync may be quicker than it."""

import asyncio
from pathlib import Path

from mcp_platform.journal import place
from mcp_platform.journal.options import Options
from mcp_platform.journal.record import Refusal
from mcp_platform.journal.writer import JournalWriter


async def test_a_pause_that_ends_late_makes_no_sync_look_as_if_it_hung(tmp_path: Path) -> None:
    """Us, found by ./dev bench: the sync under way was then as old as the machine, and until it was done every call
    was refused (3 to 6 % of a busy worker's in `group`)."""
    writer = JournalWriter(tmp_path, "plt_a", place.worker(0), Options(durability="group"))
    writer.start()
    async with asyncio.timeout(10):
        while not writer.admits(1000) or writer._round is not None:  # noqa: ASYNC110 - the writer has no event for it
            await asyncio.sleep(0.001)
        writer._round_began = 0.0  # the pause is over, and its timer has not been called yet
        last = writer.append(Refusal(address="127.0.0.1", decision="deny", rule="x", error="x"))
        writer.sync_soon()
        assert writer._round is not None, "the sync is under way"
        writer._kick_now()
        assert writer.admits(1000)
        await writer.synced(last)
    await writer.close()
