"""The official conformance suite against the platform, with authentication on and an upstream of our own behind it.

Issue: 27 of 27 for 2025-06-18, 33 of 33 for 2025-11-25, 40 of 40 for 2026-07-28, and 31 and one warning of 32 for the
stable version, in front of an upstream of both eras; expected.toml says what passes in front of one of one era.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conformance.promise import EXCUSES, RUNS, UPSTREAMS, expected
from tests.conformance.suite import run_server_suite
from tests.conformance.upstream import Upstream, http_upstream
from tests.journeys.platform import Platform
from tests.journeys.stock_servers import free_port

pytestmark = pytest.mark.peers

QUICK = {
    "2025-11-25": ["server-session-lifecycle", "tools-call-elicitation", "tools-call-sampling"],
    "2026-07-28": ["http-header-validation", "input-required-result-multi-round"],
}
"""A few scenarios for every run of the tests; all of them take a minute."""


@contextmanager
def platform_before(upstream: Upstream, folder: Path) -> Iterator[Platform]:
    """A platform with that upstream behind it, which pages of its own address may call: the suite sends an Origin."""
    port = free_port()
    platform = Platform.make(folder)
    settings = platform.data / "mcp-platform.toml"
    own = f'[gateway]\nport = {port}\nallowed_origins = ["http://127.0.0.1:{port}"]\n'
    settings.write_text(f"{own}[console]\nport = 0\n")
    try:
        platform.start()
        platform.cli("server", "add", "upstream", upstream.url)
        yield platform
    finally:
        if platform.process is not None:
            platform.stop()


def only(kind: str) -> list[str]:
    return [] if kind == "dual" else ["--only", kind]


@pytest.mark.long
@pytest.mark.parametrize("name", RUNS)
def test_the_upstream_itself_passes(name: str, tmp_path: Path) -> None:
    """Else the platform's score would say nothing about the platform."""
    run = RUNS[name]
    with http_upstream(tmp_path / "upstream") as upstream:
        found = run_server_suite(run.package, upstream.url, tmp_path, revision=run.revision)
    imperfect = {"server-sse-polling": "warning"} if name == "0.1.16" else {}
    assert {each: scenario.outcome for each, scenario in found.items()} == {each: "pass" for each in found} | imperfect
    assert found.keys() == run.scenarios.keys()


@pytest.mark.long
@pytest.mark.parametrize("kind", UPSTREAMS)
@pytest.mark.parametrize("name", RUNS)
def test_the_platform_passes_what_is_promised(name: str, kind: str, tmp_path: Path) -> None:
    run = RUNS[name]
    with http_upstream(tmp_path / "upstream", *only(kind)) as upstream, platform_before(upstream, tmp_path) as platform:
        found = run_server_suite(run.package, platform.mcp_url, tmp_path, key=platform.api_key, revision=run.revision)
    promised = expected(name, kind)
    wrong = {
        scenario: (found[scenario].outcome, found[scenario].complaints())
        for scenario, outcome in promised.items()
        if found[scenario].outcome != outcome
    }
    assert wrong == {}
    assert found.keys() == promised.keys()
    passed = {each: found[each].passed for each, outcome in promised.items() if outcome == "pass"}
    assert {each: count for each, count in passed.items() if count < run.scenarios[each]} == {}
    asked = upstream.asked()
    assert {what: asked[what] for what, least in run.asked.items() if asked[what] < least} == {}


def test_the_platform_passes_a_few_scenarios(tmp_path: Path) -> None:
    found = {}
    with http_upstream(tmp_path / "upstream") as upstream, platform_before(upstream, tmp_path) as platform:
        for name, scenarios in QUICK.items():
            run, url, key = RUNS[name], platform.mcp_url, platform.api_key
            found |= run_server_suite(
                run.package, url, tmp_path / name, key=key, revision=run.revision, scenarios=scenarios
            )
    assert {name: (scenario.outcome, scenario.complaints()) for name, scenario in found.items()} == {
        name: ("pass", []) for scenarios in QUICK.values() for name in scenarios
    }


def test_every_excuse_is_of_a_scenario_that_is_run() -> None:
    assert [each for each in EXCUSES if each.scenario not in RUNS[each.run].scenarios] == []
    assert {upstream for each in EXCUSES for upstream in each.upstreams} <= set(UPSTREAMS)


def test_an_upstream_of_both_eras_is_excused_from_nothing_that_the_suite_counts() -> None:
    assert [each for each in EXCUSES if "dual" in each.upstreams and each.outcome != "unchecked"] == []
