"""Journals made in bulk: real segments, without the writer that takes its time to keep what it promises."""

import os
import random
from collections.abc import Iterable, Iterator
from pathlib import Path

from mcp_platform.journal.chain import FIRST, MAGIC, frame
from mcp_platform.journal.place import SegmentFile, segments
from mcp_platform.journal.read import entries
from mcp_platform.journal.record import Checkpoint, Control, Intent, Outcome, Record, Refusal, Sealed, Segment, encode

NOW = 1_790_000_000_000_000_000
"""Nanoseconds since the epoch: when these journals begin."""
PRINCIPALS = [f"prn_{number:020d}" for number in range(200)]
TOOLS = [(f"server{number % 20}", f"tool_{number}") for number in range(400)]


def write_segment(
    folder: Path,
    writer: str,
    sequence: int,
    records: Iterable[Record],
    *,
    sealed: bool = True,
    zeros: int = 0,
    segment: bytes = b"",
) -> bytes:
    """One segment's file; its id. The header comes by itself."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = SegmentFile("main", writer, sequence)
    segment = segment or os.urandom(16)
    with (folder / name.file).open("wb", buffering=1 << 20) as file:
        file.write(MAGIC)
        chain, index, time = FIRST, 0, NOW
        header = Segment(time=NOW, platform="plt_test", node="main", writer=writer, sequence=sequence, segment=segment)
        for record in _with_end(header, records, sealed=sealed):
            record.index = index
            record.time = time = record.time or time
            framed, chain = frame(chain, encode(record))
            file.write(framed)
            index += 1
        file.write(bytes(zeros))
    return segment


def _with_end(header: Segment, records: Iterable[Record], *, sealed: bool) -> Iterator[Record]:
    yield header
    yield from records
    if sealed:
        yield Sealed(reason="size")


def calls(
    count: int, start_ns: int = NOW, seed: int = 1, overlap: int = 8, step_ns: int = 1_000_000
) -> Iterator[Record]:
    """Intents and their outcomes, of which `overlap` are open at a time; every hundredth time a refusal."""
    chance = random.Random(seed)
    open_calls: list[int] = []
    index = 1
    for number in range(count):
        time = start_ns + number * step_ns
        server, tool = TOOLS[chance.randrange(len(TOOLS))]
        principal = chance.randrange(len(PRINCIPALS))
        common = {
            "principal": PRINCIPALS[principal],
            "agent": f"agent-{principal % 50}",
            "agent_known": "key",
            "tenant": "default",
            "credential": f"key{principal:09d}",
            "address": f"10.0.{principal % 8}.{chance.randrange(250)}",
            "method": "tools/call",
            "trace": chance.randbytes(16).hex(),
            "revision": 7,
            "request_bytes": 200,
        }
        if number % 100 == 99:
            yield Refusal(time=time, error="forbidden", decision="deny", rule="forbidden", **common)
            index += 1
            continue
        yield Intent(
            time=time,
            server=server,
            tool=tool,
            decision="allow",
            rule="member",
            definition=f"{number % 400:064x}",
            **common,
        )
        open_calls.append(index)
        index += 1
        if len(open_calls) > overlap:
            yield _outcome(open_calls.pop(chance.randrange(len(open_calls))), time, chance)
            index += 1
    for each in open_calls:
        yield _outcome(each, start_ns + count * step_ns, chance)


def _outcome(intent: int, time: int, chance: random.Random) -> Outcome:
    how = "ok" if chance.random() > 0.01 else "error"
    return Outcome(
        time=time,
        intent_index=intent,
        outcome=how,
        error="" if how == "ok" else "upstream_down",
        latency_us=chance.randrange(500, 90_000),
        response_bytes=500,
    )


def control_records(count: int, start_ns: int = NOW) -> Iterator[Record]:
    for number in range(count):
        yield Control(
            time=start_ns + number * 7_000_000,
            event="change",
            actor="local:1000",
            tag="keys:key:create",
            target=f"key{number:09d}",
            outcome="ok" if number % 10 else "refused",
            error="" if number % 10 else "forbidden",
            params='{"principal":"ana"}',
            revision=number,
        )


def everything(folder: Path) -> set[tuple[bytes, int]]:
    """(segment, index) of every record of a journal but checkpoints."""
    found = set()
    for file in segments(folder):
        segment = b""
        for entry in entries(folder, file.name):
            record = entry.record
            if isinstance(record, Segment):
                segment = record.segment
            if not isinstance(record, Checkpoint):
                found.add((segment, entry.index))
    return found
