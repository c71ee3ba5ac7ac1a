"""Calls on a disk of 1 MiB that fills up and is read-only for a while. Run it in namespaces of its own:

`unshare --user --map-root-user --mount python small_disk.py FOLDER` prints one JSON object of what happened.
"""

import asyncio
import contextlib
import json
import subprocess
import sys
from pathlib import Path

import uvloop

from mcp_platform.base.errors import Fault
from mcp_platform.base.folder import DataFolder
from mcp_platform.journal import place
from mcp_platform.journal.calls import CallJournal, Ticket
from mcp_platform.journal.options import Options
from mcp_platform.journal.read import entries
from mcp_platform.journal.record import Intent, Outcome
from mcp_platform.journal.subjects import SubjectKeys
from mcp_platform.journal.writer import JournalWriter

OPTIONS = Options("group", segment_bytes=1 << 30, reserve_bytes=128 * 1024, stall_s=2.0)


def mount(*what: str) -> None:
    subprocess.run(["mount", *what], check=True)


def journal_in(folder: Path) -> CallJournal:
    (folder / "journal").mkdir(exist_ok=True)
    writer = JournalWriter(folder / "journal", "plt_0123456789abcdef", place.worker(0), OPTIONS)
    writer.start()
    return CallJournal(writer, SubjectKeys(DataFolder(folder), bytes(64)), "none")


async def intent(journal: CallJournal, number: int) -> Ticket | None:
    try:
        return await journal.intent(Intent(trace=str(number), principal="p", tool="t"))
    except Fault:
        return None


async def until_taken(journal: CallJournal) -> bool:
    for _ in range(500):
        if (ticket := await intent(journal, -1)) is not None:
            await ticket.outcome("ok")
            return True
        await asyncio.sleep(0.01)
    return False


async def until_refused(journal: CallJournal) -> bool:
    """Outcomes take less than was kept for them: so a few more calls fit, one after the other."""
    for _ in range(10_000):
        if (ticket := await intent(journal, -2)) is None:
            return True
        await ticket.outcome("ok")
    return False


async def full(folder: Path) -> dict[str, object]:
    """Calls are made until one is refused; those that were sent end; then there is room again."""
    journal = journal_in(folder)
    with (folder / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while True:
            filler.write(bytes(4096))
    sent: list[Ticket] = []
    for number in range(10_000):
        ticket = await intent(journal, number)
        if ticket is None:
            break
        sent.append(ticket)
    for ticket in sent:
        await ticket.outcome("ok")
    refused_again = await until_refused(journal)
    (folder / "filler").unlink()
    returned = await until_taken(journal)
    await journal.close()
    intents, outcomes = set(), []
    for entry in entries(folder / "journal", "main-worker-0-00000001"):
        record = entry.record
        if isinstance(record, Intent):
            intents.add(record.trace)
        elif isinstance(record, Outcome):
            outcomes.append(record.trace)
    return {
        "sent": len(sent),
        "refused_again": refused_again,
        "returned": returned,
        "outcomes_of_sent": sum(outcomes.count(str(number)) for number in range(len(sent))),
        "intents": len(intents),
    }


async def read_only(folder: Path) -> dict[str, object]:
    """A journal that starts while its disk is read-only refuses calls, and takes them when it is not any more."""
    (folder / "journal").mkdir()
    mount("-o", "remount,ro", str(folder))
    journal = journal_in(folder)
    refused = await intent(journal, 0) is None
    mount("-o", "remount,rw", str(folder))
    returned = await until_taken(journal)
    await journal.close()
    return {"refused": refused, "returned": returned}


def main() -> None:
    folder = Path(sys.argv[1])
    said: dict[str, object] = {}
    for name, story in (("full", full), ("read_only", read_only)):
        mount("-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder))
        said[name] = uvloop.run(story(folder))
        subprocess.run(["umount", str(folder)], check=True)
    print(json.dumps(said))


if __name__ == "__main__":
    main()
