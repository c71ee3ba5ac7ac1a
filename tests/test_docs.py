"""The pages keep their promises: links lead somewhere, tables and JSON agree, and commands are marked as run."""

import json
import re
from pathlib import Path

import pytest

import mcp_platform
from tests.journeys.marked_commands import steps_of, unmarked
from tests.test_shape import MAX_FILE_LINES, MAX_FUNCTION_LINES

ROOT = Path(__file__).resolve().parents[1]
GENERATED = {"cli.md", "settings.md", "errors.md", "exit-codes.md"}
TOP_PAGES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
PAGES = [*(ROOT / name for name in TOP_PAGES), *sorted((ROOT / "docs").rglob("*.md"))]
SEVERITIES = {"low": 0.1, "medium": 4.0, "high": 7.0, "critical": 9.0}
"""Where each severity begins in CVSS 4.0."""


def broken_links(page: Path, text: str) -> list[str]:
    """Relative links of a page that lead to no file."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", prose)
    return [to for to in targets if "://" not in to and not (page.parent / to).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_inside_the_repository_leads_somewhere(page: Path) -> None:
    assert broken_links(page, page.read_text()) == []


def test_a_planted_broken_link_is_seen() -> None:
    assert broken_links(ROOT / "README.md", "[a](docs/nowhere.md) [b](LICENSE)") == ["docs/nowhere.md"]


def test_every_page_stands_in_the_navigation() -> None:
    listed = set(re.findall(r"^\s+- (?:.+: )?(\S+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.M))
    there = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    assert there - listed == set()
    assert {name for name in listed - there if Path(name).name not in GENERATED} == set()


def test_the_table_of_supported_versions_says_what_support_json_says() -> None:
    text = (ROOT / "SECURITY.md").read_text()
    table = text.split("<!-- support -->")[1].split("\n\n")[0]
    rows = re.findall(r"^\| (\d+\.\d+) \| ([^|]+) \| (\w+) \(([\d.]+)\) \|$", table, re.M)
    stated = json.loads((ROOT / "support.json").read_text())
    assert [(branch, status, severity, float(score)) for branch, status, severity, score in rows] == [
        (row["branch"], row["status"], row["patched_from"]["severity"], row["patched_from"]["score"])
        for row in stated["branches"]
    ]


def test_support_json_names_the_newest_branches_and_real_severities() -> None:
    stated = json.loads((ROOT / "support.json").read_text())
    branches = [tuple(int(part) for part in row["branch"].split(".")) for row in stated["branches"]]
    assert branches == sorted(branches, reverse=True)
    assert len(branches) <= stated["supported_minor_branches"] == len(stated["patched_from_by_age"]) == 3
    assert ".".join(mcp_platform.__version__.split(".")[:2]) == stated["branches"][0]["branch"]
    for row, rule in zip(stated["branches"], stated["patched_from_by_age"], strict=False):
        assert row["patched_from"] == rule
    for rule in stated["patched_from_by_age"]:
        assert rule["score"] == SEVERITIES[rule["severity"]]


def test_the_security_policy_promises_what_support_json_promises() -> None:
    text = (ROOT / "SECURITY.md").read_text()
    promised = json.loads((ROOT / "support.json").read_text())["promises"]
    assert re.search(rf"answers \| within {promised['answer_hours']} hours", text)
    assert re.search(rf"assessment .* \| within {promised['assessment_days']} days", text)
    assert re.search(rf"fixed in every supported branch \| within {promised['critical_fix_days']} days", text)
    assert re.search(rf"made public.* \| {promised['disclosure_days']} days", text)


def test_the_changelog_begins_with_this_version_or_with_what_is_not_released() -> None:
    first = re.search(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert first is not None
    assert first[1] in ("Unreleased", mcp_platform.__version__)


def test_the_readme_fits_a_screen() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 70


def test_contributors_are_told_the_limits_that_hold() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    assert f"at most {MAX_FILE_LINES} lines and a function at most {MAX_FUNCTION_LINES}" in text


@pytest.mark.parametrize("name", ["README.md", "docs/tutorial/first-run.md"])
def test_every_command_of_readme_and_tutorial_is_run_or_says_why_not(name: str) -> None:
    assert unmarked((ROOT / name).read_text()) == []
    assert steps_of(ROOT / name)


def test_a_planted_unmarked_command_is_seen() -> None:
    assert unmarked("text\n\n```sh\nrm -rf /\n```\n") == ["rm -rf /\n"]
