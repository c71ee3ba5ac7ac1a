"""What control does for every writer: recovery, checkpoints, compression, retention; and one control after another."""

import gzip
import os
import random
import shutil
import time
from pathlib import Path

import pytest
import uvloop

from mcp_platform.journal import place
from mcp_platform.journal.checkpoint import Checkpoints, last_checkpoint
from mcp_platform.journal.findings import Kind
from mcp_platform.journal.options import Options
from mcp_platform.journal.read import Cursor, SegmentReader, StreamReader, closing_of, entries
from mcp_platform.journal.record import Intent, Outcome, Recovered, Retained, Sealed
from mcp_platform.journal.recover import Recovery, dead_segments
from mcp_platform.journal.retention import Keep, Retention, compress
from mcp_platform.journal.verify import verify
from mcp_platform.journal.writer import JournalWriter
from tests.journal.world import PLATFORM, SMALL, World, empty_world, filled_world, frames, intent, put


def writer_in(world: World, name: str, options: Options = SMALL) -> JournalWriter:
    writer = JournalWriter(world.journal, PLATFORM, name, options)
    writer.start()
    return writer


def kinds(world: World) -> set[Kind]:
    return {each.kind for each in verify(world.data, world.public).findings}


async def recovered(world: World) -> list[Recovered]:
    control = writer_in(world, place.CONTROL)
    done = await Recovery(world.journal, world.key, control).run()
    await control.close()
    return done


async def left_behind(world: World, tail: bytes) -> Path:
    """A segment as a dead process leaves it: three calls, one of them open, then `tail`, then zeros."""
    writer = writer_in(world, place.worker(0))
    first, second = writer.append(intent(1)), writer.append(intent(2))
    writer.append_outcome(Outcome(outcome="ok", trace="trace-1"), first)
    await writer.synced(second)
    path = world.journal / "main-worker-0-00000001.seg"
    pieces = frames(path)
    writer.open.clear()
    await writer.close()
    put(path, [*pieces, tail, bytes(5000)])
    return path


@pytest.mark.parametrize(
    "tail", [b"", b"\x00\x00\x00\x50half a record", b"\xff" * 700, b"\x00\x00\x00\x05abcde" + bytes(31)]
)
async def test_a_torn_end_is_closed_and_kept_beside(tmp_path: Path, tail: bytes) -> None:
    world = empty_world(tmp_path / "data")
    path = await left_behind(world, tail)
    if tail.strip(b"\x00"):
        assert Kind.TORN_UNRECOVERED in kinds(world)
    (done,) = await recovered(world)
    kept = tail.rstrip(b"\x00")
    assert done.dropped_bytes == len(kept)
    torn = path.with_suffix(".torn")
    assert (torn.read_bytes() if kept else torn.exists()) == (kept or False)
    closing = closing_of(world.journal, "main-worker-0-00000001")
    assert closing is not None
    assert closing[0] == done
    assert not kinds(world) & {Kind.TORN_UNRECOVERED, Kind.DAMAGED}
    assert await recovered(world) == []


async def test_a_call_left_open_is_unknown_once_however_often_recovery_is_cut_short(tmp_path: Path) -> None:
    world = empty_world(tmp_path / "data")
    path = await left_behind(world, b"")
    before = path.read_bytes()
    await recovered(world)
    path.write_bytes(before)  # as if the power had gone before the segment was closed
    await recovered(world)
    unknown = [
        entry.record
        for file in place.segments(world.journal)
        if file.writer == place.CONTROL
        for entry in entries(world.journal, file.name)
        if isinstance(entry.record, Outcome)
    ]
    assert [(each.outcome, each.trace, each.intent_index) for each in unknown] == [("unknown", "trace-2", 2)]


async def test_a_living_writers_segment_is_left_alone(tmp_path: Path) -> None:
    world = empty_world(tmp_path / "data")
    writer = writer_in(world, place.worker(0))
    assert dead_segments(world.journal) == []
    assert await recovered(world) == []
    await writer.close()


async def test_a_segment_that_never_began_is_taken_away(tmp_path: Path) -> None:
    world = empty_world(tmp_path / "data")
    (world.journal / "main-worker-0-00000001.seg").write_bytes(bytes(4096))
    assert await recovered(world) == []
    assert not (world.journal / "main-worker-0-00000001.seg").exists()


async def test_a_forged_recovery_does_not_hold(tmp_path: Path) -> None:
    world = empty_world(tmp_path / "data")
    await left_behind(world, b"")
    other = World(world.data, empty_world(tmp_path / "other").key)
    await recovered(other)
    assert Kind.SIGNATURE_INVALID in kinds(world)


async def test_checkpoints_go_on_where_an_earlier_control_ended(tmp_path: Path) -> None:
    world = await filled_world(tmp_path / "data", rounds=3)
    last = last_checkpoint(world.journal)
    assert last is not None
    signer = writer_in(world, place.CHECKPOINTS)
    checkpoints = Checkpoints(world.journal, PLATFORM, world.key, signer)
    await checkpoints.prepare()
    assert await checkpoints.make() is None, "nothing has changed"
    worker = writer_in(world, place.worker(0))
    await worker.synced(worker.append(intent()))
    made = await checkpoints.make()
    assert made is not None
    assert (made.number, made.previous) == (last.number + 1, last.signature)
    assert [head.index for head in made.heads if head.name.startswith("main-worker-0")][-1] == 1
    await worker.close()
    await checkpoints.make()
    await signer.close()
    checkpoints.close()
    assert verify(world.data, world.public).intact


async def test_both_writers_of_a_hand_over_are_anchored(tmp_path: Path) -> None:
    """A worker that drains while its successor serves: both write under one name, and the older for longer."""
    world = empty_world(tmp_path / "data")
    signer = writer_in(world, place.CHECKPOINTS)
    checkpoints = Checkpoints(world.journal, PLATFORM, world.key, signer)
    await checkpoints.prepare()
    old = writer_in(world, place.worker(0))
    new = writer_in(world, place.worker(0))
    await new.synced(new.append(intent(1)))
    await checkpoints.make()
    for number in range(60):  # enough to go on in a further segment
        await old.synced(old.append_outcome(Outcome(outcome="ok"), old.append(intent(number))))
    made = await checkpoints.make()
    assert made is not None
    names = {head.name for head in made.heads}
    assert {"main-worker-0-00000001", "main-worker-0-00000002", "main-worker-0-00000003"} <= names
    await old.close()
    await new.close()
    await checkpoints.make()
    await signer.close()
    checkpoints.close()
    report = verify(world.data, world.public)
    assert report.intact, report.findings
    assert not [each for each in report.findings if not each.segment.startswith("main-checkpoints")]


async def test_a_compressed_segment_reads_the_same_and_with_zcat(tmp_path: Path) -> None:
    world = await filled_world(tmp_path / "data", rounds=1, packed=False)
    before = {each.name: (world.journal / each.file).read_bytes() for each in place.segments(world.journal)}
    records = {name: [entry.body for entry in entries(world.journal, name)] for name in before}
    assert len(compress(world.journal)) == len(before)
    for name, content in before.items():
        packed = world.journal / f"{name}.seg.gz"
        assert gzip.decompress(packed.read_bytes()) == content
        assert packed.stat().st_mode & 0o777 == 0o600
        assert [entry.body for entry in entries(world.journal, name)] == records[name]
        assert closing_of(world.journal, name) is not None
    assert verify(world.data, world.public).intact


async def test_a_reader_goes_on_from_its_cursor_through_segments_old_and_new(tmp_path: Path) -> None:
    world = await filled_world(tmp_path / "data", rounds=3)
    everything = [
        entry.body
        for file in place.segments(world.journal)
        if file.writer == "worker-0"
        for entry in entries(world.journal, file.name)
    ]
    found: list[bytes] = []
    cursor = None
    chance = random.Random(5)
    while True:
        reader = StreamReader(world.journal, place.NODE, "worker-0", cursor)
        more = reader.read(chance.randrange(1, 9))
        found += [entry.body for entry in more]
        cursor = reader.cursor
        reader.close()
        if not more:
            break
    assert found == everything


async def test_retention_removes_the_oldest_and_signs_what_it_removed(tmp_path: Path) -> None:
    world = await filled_world(tmp_path / "data", rounds=4)
    control = writer_in(world, place.CONTROL)
    before = {each.name for each in place.segments(world.journal)}
    kept_back = next(iter(sorted(name for name in before if "worker-1" in name)))
    retention = Retention(world.journal, PLATFORM, world.key, control, Keep(1, 365))
    retention.may_go = lambda name: name != kept_back
    first = await retention.run()
    assert first
    assert kept_back not in first
    retention.may_go = lambda name: True
    second = await retention.run()
    await control.close()
    after = {each.name for each in place.segments(world.journal)}
    assert before - after == {*first, *second}
    streams = {each.stream for each in place.segments(world.journal)}
    assert len(streams) == 4, "the newest of each writer stays"
    assert verify(world.data, world.public).intact
    assert Kind.RETAINED in kinds(world)
    records = [entry.record for file in place.segments(world.journal) for entry in entries(world.journal, file.name)]
    last = [record for record in records if isinstance(record, Retained)][-1]
    assert {name for name, *_ in last.removed} >= set(second)


async def test_what_is_too_old_goes_too(tmp_path: Path) -> None:
    world = await filled_world(tmp_path / "data", rounds=2)
    long_ago = time.time() - 40 * 86400
    for path in world.journal.glob("*.gz"):
        os.utime(path, (long_ago, long_ago))
    control = writer_in(world, place.CONTROL)
    retention = Retention(world.journal, PLATFORM, world.key, control, Keep(1 << 40, 30))
    assert await retention.run()
    await control.close()
    assert not list(world.journal.glob("*-00000001.seg.gz"))
    assert verify(world.data, world.public).intact


async def test_a_removal_that_nobody_signed_is_a_missing_segment(tmp_path: Path) -> None:
    world = await filled_world(tmp_path / "data", rounds=3)
    control = writer_in(world, place.CONTROL)
    stranger = empty_world(tmp_path / "other").key
    await Retention(world.journal, PLATFORM, stranger, control, Keep(1, 365)).run()
    await control.close()
    assert {Kind.SIGNATURE_INVALID, Kind.SEGMENT_MISSING} <= kinds(world)


def test_a_writer_that_is_full_goes_on_in_the_next_segment(tmp_path: Path) -> None:
    async def write(folder: Path) -> None:
        writer = JournalWriter(folder, PLATFORM, "worker-0", Options("group", 3000, 3600, 1 << 16, 5))
        writer.start()
        held = writer.append(intent(0))
        for number in range(40):
            position = writer.append(intent(number))
            await writer.synced(writer.append_outcome(Outcome(outcome="ok"), position))
        writer.append_outcome(Outcome(outcome="ok", trace="held"), held)
        await writer.close()

    world = empty_world(tmp_path / "data")
    uvloop.run(write(world.journal))
    files = place.segments(world.journal)
    assert len(files) > 2
    first = [entry.record for entry in entries(world.journal, files[0].name)]
    assert isinstance(first[-1], Sealed)
    assert first[-1].reason == "size"
    assert isinstance(first[1], Intent)
    last = [entry.record for entry in entries(world.journal, files[-1].name)]
    assert (first[0].segment, 1) in last[0].open  # type: ignore[union-attr]  # the headers
    assert [each.intent_segment for each in last if isinstance(each, Outcome) and each.trace == "held"] == [
        first[0].segment  # type: ignore[union-attr]  # the header
    ]
    for path in world.journal.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600


async def test_verification_never_fails_on_garbage_and_says_how_far_it_is(tmp_path: Path) -> None:
    world = await filled_world(tmp_path / "data", rounds=2)
    chance = random.Random(11)
    for number in range(150):
        copy = tmp_path / f"copy-{number}"
        shutil.copytree(world.data, copy)
        for path in chance.sample(sorted((copy / "journal").iterdir()), 2):
            content = bytearray(path.read_bytes())
            start = chance.randrange(len(content))
            content[start : start + chance.randrange(1, 400)] = chance.randbytes(chance.randrange(0, 400))
            path.write_bytes(content)
        told: list[tuple[int, int]] = []
        report = verify(copy, world.public, lambda name, done, total, told=told: told.append((done, total)))
        assert not report.intact
        assert told
        assert [done for done, _ in told] == sorted(done for done, _ in told)
        shutil.rmtree(copy)


async def test_a_reader_of_a_removed_segment_goes_on_with_what_is_left(tmp_path: Path) -> None:
    world = await filled_world(tmp_path / "data", rounds=2)
    names = [each for each in place.segments(world.journal) if each.writer == "worker-0"]
    reader = StreamReader(world.journal, place.NODE, "worker-0")
    assert reader.read(1)
    cursor = reader.cursor
    reader.close()
    (world.journal / names[0].file).unlink()
    again = StreamReader(world.journal, place.NODE, "worker-0", cursor)
    (first,) = again.read(1)
    assert first.index == 0
    assert again.cursor is not None
    assert again.cursor.name == names[1].name
    again.close()


async def test_a_half_written_record_at_a_live_end_is_not_given_out(tmp_path: Path) -> None:
    world = empty_world(tmp_path / "data")
    path = await left_behind(world, b"\x00\x00\x00\x20half")
    with SegmentReader(world.journal, Cursor(path.stem)) as reader:
        assert len(reader.read()) == 4
        assert reader.read() == []
        assert reader.something_unreadable()
