"""The MCP servers behind what is measured: one that costs next to nothing, and a real one on FastMCP."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.machine import BESIDE, pinned

HERE = Path(__file__).parent
TOOLS = 500


def tools(count: int = TOOLS, first: int = 0) -> list[dict[str, object]]:
    """Tools with a schema worth checking; no two alike. Their numbers begin at `first`."""
    return [
        {
            "name": f"lookup_{number}",
            "description": f"Look a record of kind {number} up.",
            "inputSchema": {
                "type": "object",
                "properties": {
                    "record": {"type": "string", "maxLength": 64},
                    "fields": {"type": "array", "maxItems": 8, "items": {"type": "string"}},
                    "bytes": {"type": "integer", "minimum": 0, "maximum": 1_000_000},
                    "stream": {"type": "boolean"},
                },
                "required": ["record"],
                "additionalProperties": False,
            },
        }
        for number in range(first, first + count)
    ]


@contextmanager
def stub(folder: Path, count: int = TOOLS, first: int = 0) -> Iterator[int]:
    """The port of a bare server: in C where there is a compiler, else our own in Python (and that is said)."""
    offered = folder / "tools.json"
    offered.write_text(json.dumps(tools(count, first), separators=(",", ":")))
    compiler = shutil.which("cc")
    if compiler:
        subprocess.run([compiler, "-O2", "-o", str(folder / "stub"), str(HERE / "stub.c")], check=True, timeout=60)
        line = [str(folder / "stub"), "0", str(offered)]
    else:
        print("bench: no C compiler, so the upstream is written in Python and slower", file=sys.stderr)
        line = [sys.executable, str(HERE / "stub.py"), str(offered)]
    with subprocess.Popen(pinned(BESIDE, line), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None, "a pipe was asked for"
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()
