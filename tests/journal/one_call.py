"""Makes one call through a journal and says when it is sent and answered: `python one_call.py DATA DURABILITY`."""

import asyncio
import os
import sys
from pathlib import Path

import uvloop

from mcp_platform.base.folder import DataFolder
from mcp_platform.journal import place
from mcp_platform.journal.calls import CallJournal
from mcp_platform.journal.options import Options
from mcp_platform.journal.record import Intent
from mcp_platform.journal.subjects import SubjectKeys
from mcp_platform.journal.writer import JournalWriter


async def main(data: Path, durability: str) -> None:
    options = Options(durability, segment_bytes=1 << 30, reserve_bytes=65_536)
    writer = JournalWriter(data / "journal", "plt_0123456789abcdef", place.worker(0), options)
    writer.start()
    journal = CallJournal(writer, SubjectKeys(DataFolder(data), bytes(64)), "none")
    await asyncio.sleep(0.3)  # what the start itself syncs is over
    os.write(1, b"MARK begin\n")
    ticket = await journal.intent(Intent(trace="the-intent", principal="p", tool="t"))
    os.write(1, b"MARK sent\n")
    await ticket.outcome("ok", error="the-outcome")
    os.write(1, b"MARK answered\n")
    await journal.close()


uvloop.run(main(Path(sys.argv[1]), sys.argv[2]))
