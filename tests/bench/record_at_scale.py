"""Ten million records: how fast they are taken in, and how long it takes to find something among them.

    .venv/bin/python -m tests.bench.record_at_scale [RECORDS] [FOLDER]

Builds a journal (2.5 GB for ten million) and an index (1.8 GB) in FOLDER, a new temporary one by default, which is
removed at the end.
"""

import json
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from mcp_platform.control.ingest import Ingestion
from mcp_platform.features.audit import index
from mcp_platform.features.audit.query import parse
from mcp_platform.features.audit.search import Span, page
from mcp_platform.journal.record import Record
from tests.control.journals import NOW, calls, control_records, write_segment

WORKERS = 2
CALLS_IN_SEGMENT = 100_000
STEP_NS = 2_000_000
ALL = Span(0, 1 << 62)
QUERIES = (
    "",
    "actor:prn_00000000000000000042",
    "agent:agent-7",
    "key:key000000042",
    "address:10.0.3.77",
    "address:10.0.3.*",
    "method:tools/call",
    "server:server3",
    "tool:tool_77",
    "tool:server3/*",
    "tool:tool_1*",
    "decision:allow",
    "decision:deny",
    "outcome:ok",
    "outcome:error",
    "outcome:refused",
    "outcome:open",
    "error:forbidden",
    "kind:control",
    "tag:keys:key:create outcome:refused",
    "target:key000000007",
    "actor:prn_00000000000000000042 outcome:error",
    "actor:prn_00000000000000000042 tool:server3/* outcome:error",
    "outcome:ok decision:deny",
    "server3",
    "agent-7 upstream_down",
    "nothing-of-that-name",
    "outcome:error -server:server3",
)


def build(journal: Path, records: int) -> list[str]:
    """Segments of both workers, and a trace id now and then."""
    each = CALLS_IN_SEGMENT
    traces: list[str] = []
    for number in range(max(1, records // (2 * each))):
        writer, start = number % WORKERS, NOW + (number // WORKERS) * each * STEP_NS + number % WORKERS
        batch = calls(each, start, seed=number, overlap=16, step_ns=STEP_NS)
        write_segment(journal, f"worker-{writer}", 1 + number // WORKERS, keep(batch, traces))
    write_segment(journal, "control", 1, control_records(10_000), sealed=False)
    return traces


def keep(records: Iterable[Record], traces: list[str]) -> Iterator[Record]:
    """The records, and one trace of them noted."""
    noted = False
    for number, record in enumerate(records):
        if number > 1000 and record.trace and not noted:
            noted = True
            traces.append(record.trace)
        yield record


def timed(folder: Path, query: str) -> dict[str, object]:
    """Best and worst of three, in ms."""
    engine = index.open_to_read(folder / "record.db")
    took, rows = [], []
    for _ in range(3):
        began = time.perf_counter()
        rows = page(engine, parse(query, NOW / 1e9), ALL, 51, {})
        took.append((time.perf_counter() - began) * 1000)
    engine.dispose()
    return {"query": query, "rows": len(rows), "first_ms": round(took[0], 1), "best_ms": round(min(took), 1)}


def main(records: int, folder: Path) -> None:
    began = time.perf_counter()
    traces = build(folder / "journal", records)
    size = sum(path.stat().st_size for path in (folder / "journal").iterdir())
    print(json.dumps({"built_s": round(time.perf_counter() - began, 1), "journal_mb": size >> 20}), flush=True)
    ingestion = Ingestion(folder / "journal", folder / "record.db", 2.0)
    began, processor = time.perf_counter(), time.process_time()
    ingestion.catch_up()
    took = time.perf_counter() - began
    print(
        json.dumps(
            {
                "records": ingestion.progress.records,
                "took_s": round(took, 1),
                "records_per_s": round(ingestion.progress.records / took),
                "cpu_us_per_record": round((time.process_time() - processor) * 1e6 / ingestion.progress.records, 1),
                "index_mb": (folder / "record.db").stat().st_size >> 20,
            }
        ),
        flush=True,
    )
    for query in (*QUERIES, f"trace:{traces[len(traces) // 2]}"):
        print(json.dumps(timed(folder, query)), flush=True)


if __name__ == "__main__":
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000
    if len(sys.argv) > 2:
        main(wanted, Path(sys.argv[2]))
    else:
        with tempfile.TemporaryDirectory() as made:
            main(wanted, Path(made))
