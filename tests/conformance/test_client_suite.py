"""The official suite's scenarios for clients against the platform's own client side, with an end client of each era in
front of it.

How the suite passes without having seen anything, and what keeps it from that here: its exit status is not asked; the
number of checks is exact; nothing may be left out that has no reason in expected_client.toml; and the end client judges
every answer, asks for each tool that must not be called by name, and reports at the very end.
"""

from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from tests.conformance import client
from tests.conformance.client_promise import EXCUSES, NOT_APPLICABLE, PACKAGE, SCENARIOS
from tests.conformance.suite import client_scenarios, run_client_scenario

pytestmark = [pytest.mark.peers, pytest.mark.long, pytest.mark.xdist_group("conformance")]
CASES = [(revision, name) for revision, scenarios in SCENARIOS.items() for name in scenarios]


@pytest.mark.parametrize("era", ["legacy", "modern"])
@pytest.mark.parametrize(("revision", "name"), CASES)
def test_the_client_side_passes_what_is_promised(revision: str, name: str, era: str, tmp_path: Path) -> None:
    found = run_client_scenario(PACKAGE, name, revision, era, tmp_path)
    excuse = next((each for each in EXCUSES if (each.revision, each.scenario) == (revision, name)), None)
    outcome, left_out = ("pass", 0) if excuse is None else (excuse.outcome, excuse.left_out)
    assert (found.outcome, len(found.complaints())) == (outcome, left_out), found.complaints()
    assert found.passed == SCENARIOS[revision][name]


def test_every_scenario_of_the_suite_is_promised_or_has_a_reason() -> None:
    """A new version of the suite brings nothing unseen; and no promise or reason is about what it no longer has."""
    known = client_scenarios(PACKAGE)
    assert len(known) > 40
    applying = {
        (revision, name)
        for name, revisions in known.items()
        if not any(fnmatchcase(name, each.scenarios) for each in NOT_APPLICABLE)
        for revision in revisions
    }
    assert applying == set(CASES)
    assert {name for _, name in CASES} == client.SCENARIOS.keys()
    assert {(each.revision, each.scenario) for each in EXCUSES} <= set(CASES)
    unused = [each for each in NOT_APPLICABLE if not any(fnmatchcase(name, each.scenarios) for name in known)]
    assert unused == []


def test_a_client_that_does_nothing_is_noticed(tmp_path: Path) -> None:
    """The suite itself calls this one passed."""
    with pytest.raises(AssertionError, match="Passed: 0/0, 0 failed"):
        run_client_scenario(PACKAGE, "initialize", "2025-11-25", "modern", tmp_path, "true")
