"""The pages keep their promises: links lead somewhere, tables and JSON agree, and commands are marked as run."""

import json
import re
import shlex
from pathlib import Path

import click
import pytest

import mcp_platform
from mcp_platform.base.config.schema import all_settings, sections
from mcp_platform.cli.main import root
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


def commands_in(text: str) -> list[str]:
    """Lines of shell blocks that call the program."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [line for line in lines if line.startswith("mcp-platform ")]


def mistake_in(line: str) -> str | None:
    """What the program would say against a command line; nothing is run."""
    command: click.Command = root
    context = click.Context(root, info_name="mcp-platform")
    words = shlex.split(line)[1:]
    try:
        while isinstance(command, click.Group):
            name, command, words = command.resolve_command(context, words)
            context = click.Context(command, info_name=name, parent=context)
        command.make_context(command.name, words, parent=context.parent)
    except click.UsageError as error:
        return error.format_message()
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_of_a_page_is_one_that_the_program_takes(page: Path) -> None:
    said = {line: mistake_in(line) for line in commands_in(page.read_text())}
    assert {line: mistake for line, mistake in said.items() if mistake} == {}


def test_a_planted_wrong_command_is_seen() -> None:
    assert commands_in("```sh\nmcp-platform key create --owner ana\n```\n") == ["mcp-platform key create --owner ana"]
    assert mistake_in("mcp-platform key create --owner ana") is not None
    assert mistake_in("mcp-platform key invent") is not None
    assert mistake_in("mcp-platform key create --principal ana") is None


def settings_in(text: str) -> set[str]:
    """Code spans that look like a setting: a known section, a dot, a name."""
    return set(re.findall(rf"`((?:{'|'.join(sections())})\.\w+)", text))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_setting_that_a_page_names_is_one(page: Path) -> None:
    assert settings_in(page.read_text()) - set(all_settings()) == set()


def test_a_planted_wrong_setting_is_seen() -> None:
    assert settings_in("`gateway.prt` and `vault.kek_file`") - set(all_settings()) == {"gateway.prt"}


def test_continuous_integration_calls_the_test_command_of_the_readme() -> None:
    after = (ROOT / "README.md").read_text().split("## Test it")[1]
    (command,) = re.findall(r"```sh\n(.+)\n```", after.split("##")[0])
    script = (ROOT / ".ci" / "run").read_text()
    assert re.search(rf"^(timeout \d+ )?{re.escape(command)}( </dev/null)?$", script, re.M)
