"""Names of what is not there, and what is nearest. Scopes, roles and limits that hold one are accepted with a warning,
or refused where that is asked for; a command about one thing is refused.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcp_platform.control.misnamed import MAX_WARNINGS, warnings_of
from tests.journeys.platform import Platform, running_platform

SERVER = Path(__file__).parents[1] / "journeys" / "echo_server.py"
KNOWN = {"git": frozenset({"git_log", "git_diff"}), "time": frozenset({"now"}), "empty": frozenset[str]()}


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    folder = tmp_path_factory.mktemp("misnamed")
    with running_platform(folder, workers=1) as running:
        running.cli("server", "add", "echo", "--", sys.executable, str(SERVER), str(folder / "calls"), "0")
        yield running


@pytest.mark.parametrize(
    ("pattern", "warning"),
    [
        ("git/git_log", None),
        ("git/*", None),
        ("*/now", None),
        ("*/*", None),
        ("empty/*", None),
        ("gti/git_log", "gti/git_log: there is no server of this name; did you mean `git`?"),
        ("git/git_lgo", "git/git_lgo: this server has no tool of this name; did you mean `git_log`?"),
        ("*/nwo", "*/nwo: no server has a tool of this name; did you mean `now`?"),
        ("web/*", "web/*: there is no server of this name; it takes effect when there is one."),
        ("time/git_log", "time/git_log: this server has no tool of this name; it takes effect when there is one."),
    ],
)
def test_what_is_not_there_is_named_with_what_is_nearest(pattern: str, warning: str | None) -> None:
    assert warnings_of([pattern], KNOWN) == ([] if warning is None else [warning])


def test_many_slips_are_counted() -> None:
    found = warnings_of([f"git/x{number}" for number in range(MAX_WARNINGS + 5)], KNOWN)
    assert len(found) == MAX_WARNINGS + 1
    assert found[-1] == "5 more name something that is not there."


COMMANDS = {
    "key": ("key", "create", "--principal", "ana", "--scope"),
    "role": ("role", "create", "reader", "--allow"),
    "limit": ("limit", "set", "slow", "--rate", "5/m", "--tool"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_slip_is_accepted_with_a_warning_and_refused_with_strict(platform: Platform, command: str) -> None:
    words = COMMANDS[command]
    refused = platform.cli(*words, "ehco/echo", "--strict", status=2)["error"]
    assert refused["code"] == "names_unknown"
    assert refused["data"]["warnings"] == ["ehco/echo: there is no server of this name; did you mean `echo`?"]
    done = platform.run(*words, "echo/ecoh", "--json")
    assert done.returncode == 0, done.stderr
    warning = "echo/ecoh: this server has no tool of this name; did you mean `echo`?"
    assert json.loads(done.stdout)["warnings"] == [warning]
    assert f"Warning: {warning}" in done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_right_is_not_warned_of(platform: Platform, command: str) -> None:
    words = [word.replace("reader", "writer") for word in COMMANDS[command]]
    done = platform.run(*words, "echo/echo", "--strict", "--json")
    assert (done.returncode, json.loads(done.stdout)["warnings"], done.stderr) == (0, [], "")


SERVER_GONE = "No server has that name"
TOOL_GONE = "The server has no tool of this name"
VIRTUAL_GONE = "No virtual server has that name"
SLIPS = {
    "server test ehco": (SERVER_GONE, "echo"),
    "server tools ehco": (SERVER_GONE, "echo"),
    "server mark echo ecoh --read-only": (TOOL_GONE, "echo"),
    "server approve echo ecoh": (TOOL_GONE, "echo"),
    "virtual create other --server ehco": (SERVER_GONE, "echo"),
    "virtual show narow": (VIRTUAL_GONE, "narrow"),
    "virtual set narow --disable": (VIRTUAL_GONE, "narrow"),
}


@pytest.fixture(scope="module")
def narrow(platform: Platform) -> Platform:
    platform.cli("virtual", "create", "narrow", "--tool", "echo/echo")
    return platform


@pytest.mark.parametrize("words", SLIPS)
def test_a_command_about_what_is_not_there_names_what_is_nearest(narrow: Platform, words: str) -> None:
    said, close = SLIPS[words]
    refused = narrow.cli(*words.split(), status=1)["error"]
    assert refused["text"] == f"{said}; did you mean `{close}`?"


def test_where_nothing_is_near_it_is_said_where_to_look(narrow: Platform) -> None:
    assert narrow.cli("server", "test", "web", status=1)["error"]["text"].endswith("shows those that exist.")
    waits = narrow.cli("server", "approve", "echo", "echo", status=1)["error"]
    assert waits["code"] == "tool_not_pending", "it is there, and no slip"
