"""Disk full, read-only, stalled, failing: new calls are refused, those sent end, service returns by itself."""

import asyncio
import errno
import json
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from mcp_platform.base.errors import Fault
from mcp_platform.base.folder import DataFolder
from mcp_platform.journal import place
from mcp_platform.journal.calls import CallJournal
from mcp_platform.journal.files import OsFile, OsFiles
from mcp_platform.journal.options import Options
from mcp_platform.journal.read import entries
from mcp_platform.journal.record import ClockJump, Intent, Outcome, Refusal, Refusals
from mcp_platform.journal.refusals import MAX_ADDRESSES, ONE_BY_ONE
from mcp_platform.journal.subjects import SubjectKeys
from mcp_platform.journal.wallclock import WallClock
from mcp_platform.journal.writer import JournalWriter
from tests.journal.world import PLATFORM, intent

SCRIPT = Path(__file__).with_name("small_disk.py")
UNSHARE = ["unshare", "--user", "--map-root-user", "--mount"]


def test_a_full_and_a_read_only_disk_refuse_new_calls_and_take_the_outcomes_of_those_sent(tmp_path: Path) -> None:
    """Issue: a small tmpfs in a user namespace."""
    if subprocess.run([*UNSHARE, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine gives no user and mount namespace")
    done = subprocess.run(
        [*UNSHARE, sys.executable, str(SCRIPT), str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    full = said["full"]
    assert 20 < full["sent"] < 10_000, "the disk was full at some time, and not at once"
    assert full["outcomes_of_sent"] == full["sent"]
    assert full["refused_again"]
    assert full["returned"]
    assert full["intents"] >= full["sent"]
    assert said["read_only"] == {"refused": True, "returned": True}


class TroubledFile:
    """A file of the operating system whose disk may stall or refuse."""

    def __init__(self, file: OsFile, disk: "TroubledDisk") -> None:
        self._file = file
        self._disk = disk

    def write(self, data: bytes, at: int) -> None:
        self._disk.refuse(self._disk.write_errno)
        self._file.write(data, at)

    def sync(self) -> None:
        assert self._disk.flowing.wait(20)
        self._disk.syncs += 1
        self._disk.refuse(self._disk.sync_errno)
        self._file.sync()

    def truncate(self, size: int) -> None:
        self._file.truncate(size)

    def close(self) -> None:
        self._file.close()


class TroubledDisk(OsFiles):
    """The operating system's files, with trouble on demand."""

    def __init__(self) -> None:
        self.flowing = threading.Event()
        self.flowing.set()
        self.write_errno = 0
        self.sync_errno = 0
        self.syncs = 0

    def refuse(self, number: int) -> None:
        if number:
            raise OSError(number, "refused on demand")

    def create(self, path: Path) -> TroubledFile:  # type: ignore[override]  # does the same
        return TroubledFile(super().create(path), self)


def a_journal(data: Path, disk: TroubledDisk, durability: str = "group", stall_s: float = 0.3) -> CallJournal:
    (data / "journal").mkdir(parents=True)
    options = Options(durability, reserve_bytes=1 << 18, stall_s=stall_s)
    writer = JournalWriter(data / "journal", PLATFORM, place.worker(0), options, files=disk)
    writer.start()
    return CallJournal(writer, SubjectKeys(DataFolder(data), bytes(64)), "none")


async def until(question: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(5):
        while not await question():  # noqa: ASYNC110  # what is waited for is a disk's
            await asyncio.sleep(0.005)


async def is_taken(journal: CallJournal) -> bool:
    try:
        await (await journal.intent(intent())).outcome("ok")
    except Fault:
        return False
    return True


async def is_refused(journal: CallJournal) -> bool:
    try:
        ticket = await journal.intent(intent())
    except Fault as fault:
        return fault.kind.code == "journal_unavailable"
    ticket.note("cancelled")
    return False


def recorded(data: Path) -> list[tuple[str, str]]:
    found = []
    for entry in entries(data / "journal", "main-worker-0-00000001"):
        record = entry.record
        if isinstance(record, Intent | Outcome):
            found.append((record.trace, record.outcome if isinstance(record, Outcome) else "intent"))
    return found


async def test_a_stalled_disk_refuses_new_calls_within_the_bound_and_never_stops_the_loop(tmp_path: Path) -> None:
    disk = TroubledDisk()
    journal = a_journal(tmp_path, disk)
    sent = intent()
    sent.trace = "sent"
    ticket = await journal.intent(sent)
    disk.flowing.clear()
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(Fault) as caught:
        await ticket.outcome("ok")
    assert caught.value.kind.code == "outcome_not_recorded"
    assert loop.time() - began < 2
    await until(lambda: is_refused(journal))
    disk.flowing.set()
    await until(lambda: is_taken(journal))
    await journal.close()
    assert ("sent", "ok") in recorded(tmp_path)


@pytest.mark.parametrize("durability", ["strict", "relaxed"])
async def test_an_intent_that_cannot_be_kept_has_an_outcome_and_no_call(tmp_path: Path, durability: str) -> None:
    disk = TroubledDisk()
    journal = a_journal(tmp_path, disk, durability)
    await until(lambda: is_taken(journal))
    if durability == "strict":
        disk.flowing.clear()
    else:
        disk.write_errno = errno.EIO
    refused = intent()
    refused.trace = "refused"
    with pytest.raises(Fault) as caught:
        await journal.intent(refused)
    assert caught.value.kind.code == "journal_unavailable"
    disk.write_errno = 0
    disk.flowing.set()
    await until(lambda: is_taken(journal))
    await journal.close()
    assert [outcome for trace, outcome in recorded(tmp_path) if trace == "refused"] == ["intent", "refused"]


async def test_a_disk_that_turns_read_only_refuses_until_it_is_not(tmp_path: Path) -> None:
    disk = TroubledDisk()
    journal = a_journal(tmp_path, disk)
    ticket = await journal.intent(intent(1))
    disk.write_errno = errno.EROFS
    with pytest.raises(Fault):
        await ticket.outcome("ok")
    assert await is_refused(journal)
    disk.write_errno = 0
    await until(lambda: is_taken(journal))
    await journal.close()
    assert ("trace-1", "ok") in recorded(tmp_path)


async def test_what_a_failed_sync_may_have_lost_is_written_again(tmp_path: Path) -> None:
    """fsync(2): after EIO the kernel may have dropped the pages and says so only once."""
    disk = TroubledDisk()
    journal = a_journal(tmp_path, disk)
    await until(lambda: is_taken(journal))
    ticket = await journal.intent(intent(1))
    disk.sync_errno = errno.EIO
    with pytest.raises(Fault):
        await ticket.outcome("ok")
    path = tmp_path / "journal" / "main-worker-0-00000001.seg"
    content = path.read_bytes()
    path.write_bytes(content[:100] + bytes(len(content) - 100))  # in place: what the kernel dropped
    kept = content[:100]
    disk.sync_errno = 0
    await until(lambda: is_taken(journal))
    await journal.close()
    assert path.read_bytes()[:100] == kept


async def test_a_clock_that_is_set_is_a_record_of_its_own(tmp_path: Path) -> None:
    shift = 0
    clock = WallClock(lambda: 1_000_000_000_000 + shift, lambda: 5)
    (tmp_path / "journal").mkdir()
    writer = JournalWriter(tmp_path / "journal", PLATFORM, place.worker(0), Options(reserve_bytes=65536), wall=clock)
    writer.start()
    writer.append(intent(1))
    shift = -3_600_000_000_000
    writer.append(intent(2))
    await writer.close()
    records = [entry.record for entry in entries(tmp_path / "journal", "main-worker-0-00000001")]
    jumps = [record for record in records if isinstance(record, ClockJump)]
    assert [(jump.before, jump.after) for jump in jumps] == [(1_000_000_000_000, 1_000_000_000_000 + shift)]
    assert records.index(jumps[0]) == 2


async def test_a_flood_of_refusals_is_summed_up_for_each_address(tmp_path: Path) -> None:
    journal = a_journal(tmp_path, TroubledDisk())
    for _ in range(1000):
        journal.refusal(Refusal(address="192.0.2.1", error="key_invalid"))
    for number in range(MAX_ADDRESSES + 3000):
        journal.refusal(Refusal(address=f"2001:db8::{number:x}", error="credential_missing"))
    await journal.close()
    records = [entry.record for entry in entries(tmp_path / "journal", "main-worker-0-00000001")]
    alone = [record for record in records if isinstance(record, Refusal) and record.address == "192.0.2.1"]
    sums = {record.address: record.counts for record in records if isinstance(record, Refusals)}
    assert len(alone) == ONE_BY_ONE
    assert sums["192.0.2.1"] == {"key_invalid": 1000 - ONE_BY_ONE}
    assert sums["*"]["credential_missing"] >= 3000
    total = sum(isinstance(record, Refusal) for record in records) + sum(sum(each.values()) for each in sums.values())
    assert total == 1000 + MAX_ADDRESSES + 3000
    assert len(sums) <= MAX_ADDRESSES + 1


async def test_calls_still_open_at_the_end_are_unknown(tmp_path: Path) -> None:
    journal = a_journal(tmp_path, TroubledDisk())
    ticket = await journal.intent(intent(1))
    await journal.close()
    ticket.note("cancelled")
    with pytest.raises(Fault):
        await journal.intent(intent(2))
    assert recorded(tmp_path) == [("trace-1", "intent"), ("", "unknown")]
