"""What a run found, as a page of the documentation: tables, a chart, and the JSON that they come from."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.bench.targets import Line

FOLDER = Path(__file__).parents[2] / "docs" / "reference"
_VERDICT = {True: "met", False: "**not met**", None: "not measured"}


def keep(result: Mapping[str, Any], lines: Sequence[Line]) -> None:
    """Write the page, the chart and the JSON."""
    (FOLDER / "bench.md").write_text(page(result, lines))
    (FOLDER / "bench.json").write_text(json.dumps(result, indent=1) + "\n")
    (FOLDER / "bench.svg").write_text(chart(result))


def page(result: Mapping[str, Any], lines: Sequence[Line]) -> str:
    machine = result["machine"]
    parts = [
        "# What a call costs",
        "<!-- Written by ./dev bench; change tests/bench. -->",
        f"One run of `./dev bench` on {machine['cores']} cores ({machine['cpu']}), Python {machine['python']}, load "
        f"{machine['load']} from others. Ratios of one run say something; absolute numbers are that machine's. The "
        "time of the platform is that of ALL its processes, control's search index included. "
        "[The JSON](bench.json) has every number.",
        "![Processor time of a call](bench.svg)",
        "## Targets",
        _table(
            ("Target", "Limit", "Measured", ""),
            [(line.target, line.limit, line.measured, _VERDICT[line.met]) for line in lines],
        ),
        "## Closed loop, 32 connections",
        loop_table(result["closed_loop"]["32"]["candidates"]),
        "## Closed loop, 256 connections",
        loop_table(result["closed_loop"]["256"]["candidates"]),
        "## Closed loop, mixed traffic",
        "Results of 300 B to 100 kB, 30 % as event streams; 6 % are refused by us: wrong arguments, unknown keys and "
        "tools.",
        loop_table(result["closed_loop"]["mixed"]["candidates"]),
        "## Before a real FastMCP server, 8 connections",
        loop_table(result["fastmcp"]),
        "## What the record costs, 32 connections",
        "`none` is a journal that keeps nothing, for this run alone: no setting does that. `relaxed` writes before it "
        "sends and before it answers, `group` waits for one sync of the disk, `strict` for two.",
        loop_table(result["record"]["candidates"]),
        "To no record at all: "
        + ", ".join(
            f"{name.removeprefix('gateway, ')} {found:g} x" for name, found in result["record"]["ratios"].items()
        )
        + ".",
        *_encrypted(result["encrypted"]),
        "## Two workers on two cores, 32 connections",
        "Both platforms may use both cores; what sends takes its share of one of them.",
        loop_table(result["two_workers"]["candidates"]),
        "## What is registered and not called, 32 connections",
        "The same calls of ten callers to ten tools.",
        loop_table(result["registered"]["candidates"]),
        "## Latency",
        "At a constant rate, each request timed from when it was due.",
        _latency_table(result["latency"]),
        "## Budget of a call",
        "Each step alone in one process, undisturbed; the last line is the measured call less the others.",
        _table(("Step", "µs"), [(name, f"{us:g}") for name, us in result["budget_us"].items()]),
        f"Together {sum(result['budget_us'].values()):.1f} µs.",
    ]
    return "\n\n".join(parts) + "\n"


def _encrypted(found: Mapping[str, Any] | None) -> list[str]:
    if found is None:
        return []
    return [
        "## TLS 1.3 on both sides, 1,000 principals with tokens, 32 connections",
        "Results of 300 B to 100 kB, 30 % as event streams. nginx writes an access log and asks another server about "
        "each request.",
        loop_table(found["candidates"]),
    ]


def loop_table(candidates: Mapping[str, Any]) -> str:
    rows = [
        (
            name,
            f"{data['cpu_us']:g}",
            f"{data['cpu_us_lowest']:g}-{data['cpu_us_highest']:g}",
            f"{data['requests_a_second']:,}",
            f"{data['requests']:,}",
            f"{data['refused']:,}",
        )
        for name, data in candidates.items()
    ]
    return _table(("", "processor µs a call", "spread", "requests/s", "requests", "refused"), rows)


def _latency_table(latency: Mapping[str, Any]) -> str:
    rows = [
        (name, f"{one['p50_us']:g}", f"{one['p99_us']:g}", f"{many['p50_us']:g}", f"{many['p99_us']:g}")
        for name, one, many in ((name, latency["one"][name], latency["many"][name]) for name in latency["one"])
    ]
    most = f"{latency['rate']}/s"
    return _table(("µs", "p50, one at a time", "p99", f"p50 at {most}", f"p99 at {most}"), rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def chart(result: Mapping[str, Any]) -> str:
    """Bars of processor time at 32 connections, with their spread."""
    candidates = result["closed_loop"]["32"]["candidates"]
    most = max(data["cpu_us_highest"] for data in candidates.values())
    scale = 420 / most
    rows = []
    for number, (name, data) in enumerate(candidates.items()):
        top = 40 + number * 34
        width = data["cpu_us"] * scale
        low, high = data["cpu_us_lowest"] * scale + 250, data["cpu_us_highest"] * scale + 250
        colour = "#3f6fb5" if name.startswith("gateway") else "#999"
        rows.append(
            f'<text x="240" y="{top + 15}" text-anchor="end">{name}</text>'
            f'<rect x="250" y="{top}" width="{width:.1f}" height="20" fill="{colour}"/>'
            f'<path d="M{low:.1f} {top + 10}H{high:.1f}" stroke="#000"/>'
            f'<text x="{high + 8:.1f}" y="{top + 15}">{data["cpu_us"]:g}</text>'
        )
    height = 50 + len(candidates) * 34
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 740 {height}" font-family="sans-serif" font-size="13">'
        '<rect width="100%" height="100%" fill="#fff"/>'
        '<text x="10" y="22">Processor time of a tools/call, µs, 32 connections (line: lowest to highest round)</text>'
        + "".join(rows)
        + "</svg>\n"
    )
