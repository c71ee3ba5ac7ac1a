"""The format is frozen: the bytes in vectors.json are what every later version must read and write."""

import json
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_platform.journal.chain import FIRST, MAGIC, MAX_BODY_BYTES, frame, frame_at
from mcp_platform.journal.place import SegmentFile, parse
from mcp_platform.journal.read import Cursor, Entry, SegmentReader
from mcp_platform.journal.record import (
    KINDS,
    Answered,
    Checkpoint,
    Content,
    Head,
    Intent,
    Outcome,
    Record,
    Recovered,
    Refusal,
    Retained,
    Unknown,
    decode,
    encode,
    kind_number,
    trailing,
)
from mcp_platform.journal.signing import is_signed, sign

VECTORS = Path(__file__).with_name("vectors.json")


def sample(kind: type[Record], number: int) -> Record:
    """A record with every field filled, each differently."""
    values: dict[str, Any] = {}
    for place, field in enumerate(msgspec.structs.fields(kind), start=number * 100):
        default = field.default if field.default is not msgspec.NODEFAULT else None
        if field.name == "heads":
            values[field.name] = [Head("main-worker-0-00000001", bytes(16), 5, bytes(32), True)]
        elif field.name == "removed":
            values[field.name] = [("main-worker-0-00000001", bytes(16), 5, bytes(32))]
        elif field.name == "open":
            values[field.name] = [(bytes(16), 3)]
        elif field.name == "counts":
            values[field.name] = {"key_invalid": place}
        elif field.name in ("arguments", "result"):
            values[field.name] = Content("hashed", place, "00ff", b"\x01" * 32)
        elif field.name in ("previous", "previous_hash", "intent_segment") or isinstance(default, bytes):
            values[field.name] = bytes([place % 256]) * 16
        elif isinstance(default, bool):
            values[field.name] = True
        elif isinstance(default, int):
            values[field.name] = place
        else:
            values[field.name] = f"{field.name}-{place}"
    return kind(**values)


def vectors() -> dict[str, Any]:
    previous, bodies, hashes = FIRST, {}, {}
    for number, kind in enumerate(KINDS, start=1):
        body = encode(sample(kind, number))
        _, previous = frame(previous, body)
        bodies[kind.__name__], hashes[kind.__name__] = body.hex(), previous.hex()
    return {"magic": MAGIC.hex(), "bodies": bodies, "chain": hashes}


def test_every_kind_is_written_as_it_always_was() -> None:
    """A change here is a new format: it needs a new number, and readers of both."""
    known = json.loads(VECTORS.read_text())
    assert vectors() == {name: known[name] for name in ("magic", "bodies", "chain")}


def test_what_control_signs_is_what_it_always_signed() -> None:
    """Ed25519 is deterministic, so the bytes that are signed are seen in the signature."""
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    found = {}
    for kind in (Recovered, Retained, Checkpoint):
        record = sample(kind, KINDS.index(kind) + 1)
        sign(key, record, "plt_0123456789abcdef")
        found[kind.__name__] = record.signature.hex()
        assert is_signed(key.public_key(), record, "plt_0123456789abcdef")
        assert not is_signed(key.public_key(), record, "plt_another")
    assert found == json.loads(VECTORS.read_text())["signatures"]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_is_read_as_it_always_was(kind: type[Record]) -> None:
    body = bytes.fromhex(json.loads(VECTORS.read_text())["bodies"][kind.__name__])
    assert decode(body) == sample(kind, KINDS.index(kind) + 1)


@pytest.mark.parametrize("kind", ["Intent", "Refusal", "Answered"])
def test_a_record_from_before_a_field_was_added_is_read_without_it(kind: str) -> None:
    """`endpoint` came at the end of these three; `shorter` holds them as they were."""
    known = json.loads(VECTORS.read_text())
    now, before = (decode(bytes.fromhex(known[where][kind])) for where in ("bodies", "shorter"))
    assert isinstance(now, Intent | Refusal | Answered)
    assert before == msgspec.structs.replace(now, endpoint="")


def test_kinds_are_numbered_without_gaps() -> None:
    assert [kind_number(kind) for kind in KINDS] == list(range(1, len(KINDS) + 1))


text = st.text(max_size=30)
numbers = st.integers(0, 2**63 - 1)
contents = st.none() | st.builds(Content, st.sampled_from(("hashed", "full")), numbers, text, st.binary(max_size=64))
intents = st.builds(
    Intent, index=numbers, time=numbers, trace=text, principal=text, tool=text, revision=numbers, arguments=contents
)
outcomes = st.builds(Outcome, index=numbers, intent_segment=st.none() | st.binary(min_size=16, max_size=16), error=text)
checkpoints = st.builds(
    Checkpoint,
    number=numbers,
    heads=st.lists(st.builds(Head, text, st.binary(max_size=16), numbers, st.binary(max_size=32), st.booleans())),
)
records = intents | outcomes | checkpoints


@given(records)
def test_what_is_encoded_is_decoded_the_same(record: Record) -> None:
    assert decode(encode(record)) == record


@given(
    records, st.lists(st.integers() | text | st.binary(), max_size=3).filter(lambda more: all(m != [] for m in more))
)
def test_fields_of_a_later_version_are_passed_over_and_kept(record: Record, more: list[Any]) -> None:
    more = [value for value in more if not isinstance(value, int) or abs(value) < 2**63]
    body = msgspec.msgpack.encode([*msgspec.msgpack.decode(encode(record)), *more])
    found = decode(body)
    assert found == record
    assert not isinstance(found, Unknown)
    assert trailing(body, found) == more


def test_a_kind_of_a_later_version_is_read_as_unknown() -> None:
    found = decode(msgspec.msgpack.encode([99, 7, 8, "trace", {"anything": 1}]))
    assert found == Unknown(kind=99, index=7, time=8, trace="trace")


@given(st.binary(max_size=200))
def test_any_bytes_are_a_record_or_no_record(data: bytes) -> None:
    try:
        decode(data)
    except ValueError:
        pass


@pytest.mark.parametrize("body", [b"", b"\x90", b"\x94\x02\xa1x\x00\xa0", b"\xc0", b"\x94\x02\x01\x01\x01"])
def test_what_only_looks_like_a_record_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"record|MessagePack"):
        decode(body)


@given(st.binary(max_size=300), st.integers(0, 300))
def test_a_frame_is_whole_or_none(data: bytes, at: int) -> None:
    found = frame_at(data, at)
    assert found is None or (0 < len(found.body) <= MAX_BODY_BYTES and found.end <= len(data))


@given(st.lists(intents | outcomes, min_size=1, max_size=20), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_a_live_tail_gives_every_record_once_however_it_grows(
    tmp_path_factory: pytest.TempPathFactory, some: list[Record], chance: random.Random
) -> None:
    """A writer's bytes may become visible in any pieces, pages before others: nothing half is ever given out."""
    folder = tmp_path_factory.mktemp("tail")
    previous, pieces = FIRST, [MAGIC]
    for index, record in enumerate(some):
        record.index = index
        piece, previous = frame(previous, encode(record))
        pieces.append(piece)
    content = b"".join(pieces) + bytes(64)
    path = folder / "main-worker-0-00000001.seg"
    path.write_bytes(bytes(len(content)))
    found: list[Entry] = []
    cuts = [*sorted(chance.sample(range(1, len(content)), 6)), len(content)]
    spans = list(zip([0, *cuts], cuts, strict=False))
    chance.shuffle(spans)
    cursor = Cursor("main-worker-0-00000001")
    for start, end in spans:
        with path.open("r+b", buffering=0) as file:
            file.seek(start)
            file.write(content[start:end])
        with SegmentReader(folder, cursor) as reader:
            while chance.random() < 0.7 and (more := reader.read(chance.randrange(1, 5))):
                found += more
            cursor = reader.cursor
    with SegmentReader(folder, cursor) as reader:
        while more := reader.read(3):
            found += more
    assert [each.record for each in found] == some
    assert [each.index for each in found] == list(range(len(some)))


@pytest.mark.parametrize(
    "name",
    ["main-worker-0-1.seg", "main-worker-0-00000001.seg.tmp", "../main-control-00000001.seg", "main--00000001.seg"],
)
def test_only_names_of_segments_are_segments(name: str) -> None:
    assert parse(name) is None


def test_a_segments_name_says_who_wrote_it() -> None:
    assert parse("main-worker-12-00000003.seg.gz") == SegmentFile("main", "worker-12", 3, "seg.gz")
    assert parse("main-control-00000001.seg") == SegmentFile("main", "control", 1, "seg")
