"""Whatever is done to a journal without the key is detected, and located: ten thousand times."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop

from mcp_platform.journal import place
from mcp_platform.journal.findings import Finding, Kind, Report
from mcp_platform.journal.record import decode, encode
from mcp_platform.journal.verify import verify
from tests.journal.world import World, body, filled_world, frames, plain_segments, put, rechained

TRIALS = 10_000
SHARDS = 8
"""Tests that share the trials. One runs each time, the others with the long ones."""
_LATER = [pytest.param(shard, marks=pytest.mark.long) for shard in range(1, SHARDS)]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return uvloop.run(filled_world(tmp_path_factory.mktemp("tampering") / "data", rounds=2))


def test_an_untouched_journal_is_intact(world: World) -> None:
    report = verify(world.data)
    assert report.intact, report.findings
    assert report.key == "folder"
    assert verify(world.data, world.public).key == "given"
    assert report.records > 100
    assert report.checkpoints > 6
    assert any(each.suffix == "seg.gz" for each in place.segments(world.journal))


class Tampering:
    """One copy of a journal, of which one file at a time is spoiled and mended again."""

    def __init__(self, world: World, folder: Path, seed: int) -> None:
        shutil.copytree(world.data, folder)
        self.data = folder
        self.journal = folder / "journal"
        self.random = random.Random(seed)
        self.plain = plain_segments(self.journal)
        self.all = sorted(self.journal.glob("*.seg*"))
        self.untouched = {path: path.read_bytes() for path in self.all}
        # What no checkpoint covers is the stream of checkpoints itself, whose end nobody here has seen elsewhere.
        self.anchored = [path for path in self.plain if place.CHECKPOINTS not in path.name]
        self.described = ""

    def mend(self) -> None:
        for path, content in self.untouched.items():
            if not path.exists() or path.read_bytes() != content:
                path.write_bytes(content)

    def flip(self) -> tuple[str, int | None]:
        path = self.random.choice(self.all)
        content = bytearray(self.untouched[path])
        at = self.random.randrange(len(content))
        content[at] ^= 1 << self.random.randrange(8)
        path.write_bytes(content)
        self.described = f"flip {path.name} at {at}"
        return path.name, None if path.suffix == ".gz" else index_at(path, self.untouched[path], at)

    def cut(self) -> tuple[str, int | None]:
        path = self.random.choice(self.anchored)
        at = self.random.randrange(len(self.untouched[path]))
        path.write_bytes(self.untouched[path][:at])
        self.described = f"cut {path.name} at {at}"
        return path.name, index_at(path, self.untouched[path], at)

    def swap(self) -> tuple[str, int | None]:
        path = self.random.choice(self.plain)
        pieces = frames_of(self.untouched[path])
        one, other = sorted(self.random.sample(range(len(pieces)), 2))
        pieces[one], pieces[other] = pieces[other], pieces[one]
        put(path, pieces)
        self.described = f"swap {path.name} {one} {other}"
        return path.name, one

    def remove_records(self) -> tuple[str, int | None]:
        path = self.random.choice(self.anchored)
        pieces = frames_of(self.untouched[path])
        first = self.random.randrange(len(pieces))
        last = self.random.randrange(first, min(len(pieces), first + 4))
        del pieces[first : last + 1]
        put(path, pieces)
        self.described = f"remove {path.name} {first}-{last}"
        return path.name, first

    def repeat(self) -> tuple[str, int | None]:
        path = self.random.choice(self.plain)
        source = self.random.choice(self.plain)
        pieces = frames_of(self.untouched[path])
        extra = self.random.choice(frames_of(self.untouched[source]))
        at = self.random.randrange(len(pieces) + 1)
        pieces.insert(at, extra)
        put(path, pieces)
        self.described = f"insert into {path.name} at {at} from {source.name}"
        return path.name, at

    def move(self) -> tuple[str, int | None]:
        path = self.random.choice(self.plain)
        pieces = frames_of(self.untouched[path])
        old, new = self.random.sample(range(len(pieces)), 2)
        pieces.insert(new, pieces.pop(old))
        put(path, pieces)
        self.described = f"move {path.name} {old} to {new}"
        return path.name, min(old, new)

    def remove_segment(self) -> tuple[str, int | None]:
        path = self.random.choice([path for path in self.all if place.CHECKPOINTS not in path.name])
        path.unlink()
        self.described = f"remove {path.name}"
        return path.name, None

    def exchange_segments(self) -> tuple[str, int | None]:
        one, other = self.random.sample(self.plain, 2)
        one.write_bytes(self.untouched[other])
        other.write_bytes(self.untouched[one])
        self.described = f"exchange {one.name} {other.name}"
        return one.name, None

    def rewrite(self) -> tuple[str, int | None]:
        """Change one record and make the whole chain anew, as whoever has the worker's files could."""
        path = self.random.choice(self.anchored)
        bodies = [body(each) for each in frames_of(self.untouched[path])]
        at = self.random.randrange(1, len(bodies))
        record = decode(bodies[at])
        record.trace += "!"
        bodies[at] = encode(record)
        put(path, rechained(bodies))
        self.described = f"rewrite {path.name} from {at}"
        return path.name, at


def frames_of(content: bytes) -> list[bytes]:
    from mcp_platform.journal.chain import MAGIC, frame_at

    found, at = [], len(MAGIC)
    while (one := frame_at(content, at)) is not None:
        found.append(content[at : one.end])
        at = one.end
    return found


def index_at(path: Path, content: bytes, offset: int) -> int:
    """Index of the record in which byte `offset` lies."""
    end = 8
    for index, piece in enumerate(frames_of(content)):
        end += len(piece)
        if offset < end:
            return index
    raise AssertionError(f"{path.name} has no record at {offset}")


def locates(finding: Finding, name: str, index: int | None) -> bool:
    """True where the finding speaks of this segment and reaches this record, give or take its neighbour: a record
    that is missing may be called missing before or after another."""
    if finding.segment != name.removesuffix(".gz").removesuffix(".seg") or finding.is_note:
        return False
    if index is None or finding.index is None:
        return True
    return finding.index - 1 <= index <= (finding.upto if finding.upto is not None else finding.index) + 1


WAYS: list[Callable[[Tampering], tuple[str, int | None]]] = [
    Tampering.flip,
    Tampering.flip,
    Tampering.cut,
    Tampering.swap,
    Tampering.remove_records,
    Tampering.repeat,
    Tampering.move,
    Tampering.remove_segment,
    Tampering.exchange_segments,
    Tampering.rewrite,
]


@pytest.mark.parametrize("shard", [0, *_LATER])
def test_every_tampering_is_detected_and_located(world: World, tmp_path: Path, shard: int) -> None:
    """Issue: 10,000 random byte flips, cuts, swaps, reorderings and removals of records and segments."""
    tampering = Tampering(world, tmp_path / "data", seed=20261122 + shard)
    for number in range(TRIALS // SHARDS):
        way = WAYS[number % len(WAYS)]
        name, index = way(tampering)
        report = verify(tampering.data)
        assert not report.intact, tampering.described
        assert any(locates(each, name, index) for each in report.findings), (tampering.described, report.findings)
        tampering.mend()


def said(report: Report) -> set[Kind]:
    return {each.kind for each in report.findings}


@pytest.fixture
def copy(world: World, tmp_path: Path) -> Path:
    shutil.copytree(world.data, tmp_path / "copy")
    return tmp_path / "copy"


def newest(data: Path, writer: str) -> Path:
    return sorted((data / "journal").glob(f"*-{writer}-*.seg"))[-1]


def test_a_changed_record_is_called_damaged_and_its_neighbours_are_not(copy: Path) -> None:
    path = newest(copy, "worker-0")
    pieces = frames(path)
    pieces[5] = pieces[5][:20] + bytes([pieces[5][20] ^ 1]) + pieces[5][21:]
    put(path, pieces)
    assert [(each.kind, each.index, each.upto) for each in verify(copy).findings] == [(Kind.DAMAGED, 5, 5)]


def test_a_removed_record_is_called_removed(copy: Path) -> None:
    path = newest(copy, "worker-0")
    pieces = frames(path)
    del pieces[5:7]
    put(path, pieces)
    assert [(each.kind, each.index, each.upto) for each in verify(copy).findings] == [(Kind.RECORDS_REMOVED, 5, 6)]


def test_two_neighbours_exchanged_are_called_reordered(copy: Path) -> None:
    path = newest(copy, "worker-0")
    pieces = frames(path)
    pieces[5], pieces[6] = pieces[6], pieces[5]
    put(path, pieces)
    assert [(each.kind, each.index) for each in verify(copy).findings] == [(Kind.RECORD_REORDERED, 5)]


def test_a_record_put_in_is_called_inserted(copy: Path) -> None:
    path = newest(copy, "worker-0")
    pieces = frames(path)
    pieces.insert(5, pieces[9])
    put(path, pieces)
    kinds = said(verify(copy))
    assert kinds & {Kind.RECORD_INSERTED, Kind.DAMAGED, Kind.RECORD_REORDERED}


def test_a_changed_length_costs_that_record_alone(copy: Path) -> None:
    path = newest(copy, "worker-0")
    pieces = frames(path)
    pieces[5] = b"\x00\x7f" + pieces[5][2:]
    put(path, pieces)
    assert [(each.kind, each.index, each.upto) for each in verify(copy).findings] == [(Kind.DAMAGED, 5, 5)]


def test_a_chain_made_anew_is_found_between_two_checkpoints(copy: Path) -> None:
    path = newest(copy, "worker-0")
    bodies = [body(each) for each in frames(path)]
    record = decode(bodies[10])
    record.trace = "other"
    bodies[10] = encode(record)
    put(path, rechained(bodies))
    (finding,) = [each for each in verify(copy).findings if not each.is_note]
    assert finding.kind == Kind.REWRITTEN
    assert finding.index is not None
    assert finding.upto is not None
    assert 0 < finding.index <= 10 <= finding.upto < len(bodies) - 1


def test_another_key_proves_nothing(copy: Path, tmp_path: Path) -> None:
    (tmp_path / "other.pub").write_bytes(bytes(31) + b"\x01")
    report = verify(copy, tmp_path / "other.pub")
    assert {Kind.CHECKPOINT_DAMAGED, Kind.NO_CHECKPOINTS} <= said(report)


def test_without_its_checkpoints_a_journal_is_not_intact(copy: Path) -> None:
    for path in (copy / "journal").glob("*checkpoints*"):
        path.unlink()
    assert Kind.NO_CHECKPOINTS in said(verify(copy))


def test_a_format_of_the_future_is_named_so(copy: Path) -> None:
    path = newest(copy, "worker-0")
    path.write_bytes(b"MCPJRNL\x02" + path.read_bytes()[8:])
    assert Kind.FORMAT_UNKNOWN in said(verify(copy))


def test_what_was_cut_off_after_the_last_checkpoint_seen_elsewhere_is_not_noticed_but_said(copy: Path) -> None:
    """Architecture: nobody can notice that. The report says from where on nothing is anchored."""
    path = newest(copy, "checkpoints")
    put(path, frames(path)[:2])
    report = verify(copy)
    assert Kind.UNANCHORED_TAIL in said(report)
    assert report.intact
