"""Ingestion: every record of the journal once, whatever happens to the process, the index and the disk."""

import asyncio
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select

from mcp_platform.control import ingest
from mcp_platform.control.ingest import Ingestion
from mcp_platform.features.audit import index
from mcp_platform.features.audit.index import ROWS, SEGMENTS, WAITING
from mcp_platform.features.audit.model import Row
from mcp_platform.features.audit.query import parse
from mcp_platform.features.audit.search import Span, page
from mcp_platform.journal.record import Intent, Outcome, Record, Recovered, Retained
from tests.control.journals import NOW, calls, control_records, everything, write_segment

LATE = NOW / 1e9 + 10_000
ALL = Span(0, 1 << 62)


def in_the_index(path: Path) -> list[tuple[bytes, int]]:
    """(segment, index) of every record in the index, as often as it is there."""
    engine = index.open_to_read(path)
    with engine.begin() as connection:
        segments = {row.id: row.segment for row in connection.execute(select(SEGMENTS))}
        found = [(segments[row[0]], row[1]) for row in connection.execute(select(ROWS.c.segment, ROWS.c.number))]
        outcomes = select(ROWS.c.outcome_segment, ROWS.c.outcome_index).where(ROWS.c.outcome_index.is_not(None))
        found += [(segments[row[0]], row[1]) for row in connection.execute(outcomes)]
        waiting = connection.execute(select(WAITING.c.segment, WAITING.c.number))
        found += [(segments[row[0]], row[1]) for row in waiting]
    engine.dispose()
    return found


def take_in(folder: Path) -> Ingestion:
    ingestion = Ingestion(folder / "journal", folder / "record.db", 2.0)
    ingestion.catch_up()
    return ingestion


def search(folder: Path, query: str, limit: int = 100_000) -> list[Row]:
    engine = index.open_to_read(folder / "record.db")
    try:
        return page(engine, parse(query, LATE), ALL, limit, {})
    finally:
        engine.dispose()


def assert_exactly_once(folder: Path) -> None:
    found = in_the_index(folder / "record.db")
    assert len(found) == len(set(found)), "something is there twice"
    assert set(found) == everything(folder / "journal")


def make_journal(folder: Path, count: int = 2000) -> None:
    for writer in range(2):
        write_segment(folder / "journal", f"worker-{writer}", 1, calls(count, seed=writer))
        later = NOW + count * 1_000_000
        write_segment(folder / "journal", f"worker-{writer}", 2, calls(count, later, seed=9 + writer), zeros=4096)
    write_segment(folder / "journal", "control", 1, control_records(50), sealed=False, zeros=70_000)


def test_every_record_is_taken_in_once_and_a_second_time_nothing(tmp_path: Path) -> None:
    make_journal(tmp_path)
    assert take_in(tmp_path).progress.records == len(everything(tmp_path / "journal"))
    assert_exactly_once(tmp_path)
    assert take_in(tmp_path).progress.records == 0
    assert_exactly_once(tmp_path)


def test_a_call_is_one_row_with_its_outcome(tmp_path: Path) -> None:
    write_segment(tmp_path / "journal", "worker-0", 1, calls(500))
    take_in(tmp_path)
    rows = search(tmp_path, "kind:call")
    assert len(rows) == 495
    assert {row.outcome for row in rows} == {"ok", "error"}
    assert all(row.latency_us > 0 and row.response_bytes == 500 for row in rows)
    assert {row.error for row in rows if row.outcome == "error"} == {"upstream_down"}


def test_a_live_segment_is_followed_while_it_grows(tmp_path: Path) -> None:
    """An intent is found before its outcome is there, as `open`."""
    folder, records = tmp_path / "journal", list(calls(100, overlap=3))
    ingestion = Ingestion(folder, tmp_path / "record.db", 2.0)
    write_segment(folder, "worker-0", 1, records, sealed=False)
    whole = (folder / "main-worker-0-00000001.seg").read_bytes()
    live = folder / "main-worker-0-00000001.seg"
    for end in sorted(random.Random(5).sample(range(len(whole)), 40)):
        live.write_bytes(whole[:end] + bytes(4096))
        while ingestion.step():
            pass
        rows = search(tmp_path, "kind:call")
        opened = search(tmp_path, "outcome:open")
        assert len(opened) == sum(row.outcome == "open" for row in rows) <= 4
    live.write_bytes(whole)
    ingestion.catch_up()
    assert_exactly_once(tmp_path)


def test_an_outcome_that_another_writer_recorded_finds_its_call_whichever_is_read_first(tmp_path: Path) -> None:
    """Control says `unknown` for calls of a worker that died; its segments come before the worker's."""
    folder = tmp_path / "journal"
    intents: list[Record] = [Intent(time=NOW + at, principal="p", tool="t", decision="allow") for at in range(20)]
    segment = write_segment(folder, "worker-0", 1, intents, sealed=False)
    aside = tmp_path / "aside"
    (folder / "main-worker-0-00000001.seg").rename(aside)
    unknown = [
        Outcome(time=NOW + 99, intent_segment=segment, intent_index=at, outcome="unknown") for at in range(1, 21)
    ]
    write_segment(folder, "control", 1, unknown, sealed=False)
    assert take_in(tmp_path).progress.waiting == 20
    aside.rename(folder / "main-worker-0-00000001.seg")
    assert take_in(tmp_path).progress.waiting == 0
    assert len(search(tmp_path, "outcome:unknown kind:call")) == 20
    assert_exactly_once(tmp_path)


def test_records_of_the_same_nanosecond_are_all_there(tmp_path: Path) -> None:
    for writer in range(3):
        write_segment(tmp_path / "journal", f"worker-{writer}", 1, calls(700, step_ns=0))
    take_in(tmp_path)
    assert_exactly_once(tmp_path)


def test_what_retention_removed_goes_from_the_index_and_nothing_else(tmp_path: Path) -> None:
    make_journal(tmp_path, 1500)
    folder = tmp_path / "journal"
    take_in(tmp_path)
    gone = folder / "main-worker-1-00000001.seg"
    gone.unlink()
    removed = Retained(time=NOW, removed=[("main-worker-1-00000001", bytes(16), 1, bytes(32))])
    write_segment(folder, "later", 1, [removed], sealed=False)
    ingestion = take_in(tmp_path)
    assert_exactly_once(tmp_path)
    assert ingestion.has("main-worker-1-00000001")
    assert len(search(tmp_path, "kind:retained")) == 1


def test_a_segment_may_be_removed_only_once_it_is_in_the_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "MAX_RECORDS", 1000)
    make_journal(tmp_path, 1500)
    ingestion = Ingestion(tmp_path / "journal", tmp_path / "record.db", 2.0)
    assert not ingestion.has("main-worker-0-00000001")
    ingestion.step()
    assert not ingestion.has("main-worker-0-00000001")
    ingestion.catch_up()
    assert ingestion.has("main-worker-0-00000001")
    assert ingestion.has("main-worker-0-00000002")
    assert not ingestion.has("main-control-00000001"), "it is still written"


@pytest.mark.parametrize("harm", ["garbage", "another form", "removed"])
def test_an_index_that_cannot_be_used_is_made_anew(tmp_path: Path, harm: str) -> None:
    make_journal(tmp_path, 300)
    take_in(tmp_path)
    path = tmp_path / "record.db"
    if harm == "garbage":
        path.write_bytes(b"not SQLite at all" * 500)
    elif harm == "removed":
        index.remove(path)
    else:
        engine = index.open_to_write(path)
        with engine.begin() as connection:
            connection.exec_driver_sql("UPDATE record_about SET form = 999")
        engine.dispose()
    take_in(tmp_path)
    assert_exactly_once(tmp_path)


def test_a_damaged_segment_does_not_keep_back_the_later_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "PATIENCE_S", 0.0)
    make_journal(tmp_path, 500)
    path = tmp_path / "journal" / "main-worker-0-00000001.seg"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    ingestion = Ingestion(tmp_path / "journal", tmp_path / "record.db", 2.0)
    for _ in range(4):
        ingestion.catch_up()
    assert ingestion.status()["damaged_segments"] == 1
    assert_exactly_once(tmp_path)
    assert take_in(tmp_path).progress.damaged == 1


def test_what_a_power_cut_took_from_the_journal_goes_from_the_index(tmp_path: Path) -> None:
    """Ingestion may read what is not on the disk yet; a cut leaves the segment shorter, or another of its name."""
    folder, records = tmp_path / "journal", list(calls(300))
    segment = write_segment(folder, "worker-0", 1, records, sealed=False)
    write_segment(folder, "worker-1", 1, calls(300), sealed=False)
    take_in(tmp_path)
    recovered = Recovered(time=NOW, segment=segment, last_index=200)
    write_segment(folder, "worker-0", 1, [*records[:200], recovered], sealed=False, segment=segment)
    write_segment(folder, "worker-1", 1, calls(100, seed=4), sealed=False)
    take_in(tmp_path)
    assert_exactly_once(tmp_path)


KILLED = """
import sys
from pathlib import Path
from mcp_platform.control.ingest import Ingestion
ingestion = Ingestion(Path(sys.argv[1]) / "journal", Path(sys.argv[1]) / "record.db", 2.0)
print("begun", flush=True)
ingestion.catch_up()
print("done", flush=True)
"""


def test_killed_twenty_times_in_the_middle_it_ends_with_exactly_the_records(tmp_path: Path) -> None:
    make_journal(tmp_path, 9000)
    chance, finished = random.Random(), 0
    for _ in range(20):
        process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        try:
            process.wait(chance.uniform(0.0, 0.3))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        finished += process.wait(30) == 0
        process.stdout.close()
    assert finished < 20, "nothing was killed"
    take_in(tmp_path)
    assert_exactly_once(tmp_path)


async def test_it_follows_in_its_thread_within_the_stated_lag(tmp_path: Path) -> None:
    (tmp_path / "journal").mkdir()
    ingestion = Ingestion(tmp_path / "journal", tmp_path / "record.db", 1.0)
    ingestion.start()
    try:
        write_segment(tmp_path / "journal", "worker-0", 1, calls(50), sealed=False)
        async with asyncio.timeout(5.0):
            while ingestion.progress.records == 0:  # noqa: ASYNC110 - the thread counts, and tells nobody
                await asyncio.sleep(0.01)
    finally:
        await ingestion.close()
    assert_exactly_once(tmp_path)
