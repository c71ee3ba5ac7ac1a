"""Lines of docs/reference/conformance.md: what the official suite finds, from the tables that the tests hold us to."""

import tomllib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

Table = Callable[[Sequence[str], Iterable[Sequence[str]]], list[str]]
EXPECTED = Path(__file__).parents[1] / "tests" / "conformance" / "expected.toml"
EXPECTED_CLIENT = EXPECTED.with_name("expected_client.toml")
BEHIND = {
    "dual": "a server of both eras",
    "legacy": "a server of 2025-11-25 and earlier alone",
    "modern": "a server of 2026-07-28 alone",
}


def lines(table: Table) -> list[str]:
    expected: dict[str, Any] = tomllib.loads(EXPECTED.read_text(encoding="utf-8"))
    runs, exceptions = expected["runs"], expected["exceptions"]
    return [
        "# The official conformance suite",
        "",
        "Scenarios of `@modelcontextprotocol/conformance` (0.2.0-alpha.12 by revision, and the stable 0.1.16) that "
        "pass through the platform, with keys on, by what stands behind it. A scenario passes when no check of it "
        "failed or warned, none was left out, and as many succeeded as are promised; and the server behind was really "
        "asked for what the scenario is about, because the suite takes some silences for good answers.",
        "",
        *table(["Run", *BEHIND.values()], [[name, *_scores(name, runs, exceptions)] for name in runs]),
        "",
        "`./dev test --all tests/conformance` runs them; the suite and the server are pinned in `tests/peers`. The "
        "suite has one scenario for 2025-03-26 and none for 2024-11-05: what we claim of those is tested with official "
        "clients.",
        "",
        "## What does not pass, and why",
        "",
        *table(
            ["Run", "Scenario", "Behind", "Outcome", "Why"],
            [
                [each["run"], f"`{each['scenario']}`", ", ".join(each["upstreams"]), each["outcome"], each["why"]]
                for each in exceptions
            ],
        ),
        *_client_lines(table),
    ]


def _scores(run: str, runs: dict[str, Any], exceptions: list[dict[str, Any]]) -> list[str]:
    every = len(runs[run]["scenarios"])
    excused = {kind: sum(each["run"] == run and kind in each["upstreams"] for each in exceptions) for kind in BEHIND}
    return [f"{every - excused[kind]} of {every}" for kind in BEHIND]


def _client_lines(table: Table) -> list[str]:
    expected: dict[str, Any] = tomllib.loads(EXPECTED_CLIENT.read_text(encoding="utf-8"))
    return [
        "",
        "## The platform as a client",
        "",
        "The suite has scenarios for clients, too. The server of each stands behind a platform, with an end client of "
        "2025-11-25 or of 2026-07-28 in front, so that the platform does what the scenario judges. So many checks "
        "succeed, with either end client; which judges what it is answered, because the suite also passes a client "
        "that asks for nothing.",
        "",
        *table(["Scenario", *expected["scenarios"]], _client_scores(expected["scenarios"])),
        "",
        *table(
            ["Not passed whole, or not applicable", "Why"],
            [
                *([f"{each['revision']} `{each['scenario']}`", each["why"]] for each in expected["exceptions"]),
                *([f"`{each['scenarios']}`", each["why"]] for each in expected["not_applicable"]),
            ],
        ),
    ]


def _client_scores(scenarios: dict[str, dict[str, int]]) -> list[list[str]]:
    names = sorted({name for of_revision in scenarios.values() for name in of_revision})
    return [[f"`{name}`", *(str(each.get(name, "")) for each in scenarios.values())] for name in names]
