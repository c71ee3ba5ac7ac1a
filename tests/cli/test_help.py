"""What a person sees who does not know the command yet; and what a wrong command line is told."""

import json
import resource
import shlex
import subprocess
import sys

import click
import pytest

from mcp_platform import __version__
from mcp_platform.cli.lazy import LazyGroup
from mcp_platform.cli.main import root
from mcp_platform.cli.page import Page
from tests.cli.shell import COMMAND, Shell

MAX_HELP_S = 0.150
"""Seconds of processor time beside an empty Python: the issue wants --help under 150 ms."""


def every_command(group: click.Group = root, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = [path]
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        found += every_command(command, (*path, name)) if isinstance(command, click.Group) else [(*path, name)]
    return found


COMMANDS = every_command()


def command_at(path: tuple[str, ...]) -> click.Command:
    command: click.Command = root
    for name in path:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), name)
        assert found is not None
        command = found
    return command


def processor_seconds(line: list[str], enough_s: float = 0.0) -> float:
    """User and system time of a process, best of five: a busy machine must not fail the test. Stops at `enough_s`."""
    best = float("inf")
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(line, stdout=subprocess.DEVNULL, check=True, timeout=60)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        if best < enough_s:
            break
    return best


@pytest.fixture(scope="module")
def bound_s() -> float:
    return processor_seconds([sys.executable, "-c", "pass"]) + MAX_HELP_S


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_help_comes_at_once(path: tuple[str, ...], bound_s: float) -> None:
    assert processor_seconds([COMMAND, *path, "--help"], bound_s) < bound_s


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(path: tuple[str, ...]) -> None:
    command = command_at(path)
    assert command.help
    assert isinstance(command, LazyGroup | Page)
    assert command.examples
    if isinstance(command, LazyGroup):
        return
    options = {name for parameter in command.params for name in parameter.opts}
    assert "--json" in options
    if path != ("completion",):
        assert {"--data", "--quiet"} <= options


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_example_is_a_line_that_the_command_takes(path: tuple[str, ...]) -> None:
    """An example that is a usage error is worse than none."""
    command = command_at(path)
    for example in getattr(command, "examples", ()):
        words = example.partition(" | ")[0].partition("   #")[0].partition(" > ")[0].strip()
        words = words.removeprefix('eval "$(').removesuffix(')"')
        name, *arguments = shlex.split(words)
        assert (name, tuple(arguments[: len(path)])) == ("mcp-platform", path)
        called, used = command, len(path)
        while isinstance(called, click.Group):  # a group's example is a line of one of its commands
            used += 1
            called = command_at(tuple(arguments[:used]))
        called.make_context(arguments[used - 1], arguments[used:], resilient_parsing=False)


def test_the_version_is_the_packages(shell: Shell) -> None:
    assert shell.run("--version").out.strip() == f"mcp-platform {__version__}"


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        (["sevre"], "serve"),
        (["server", "ad"], "add"),
        (["key", "creat"], "create"),
        (["key", "list", "--jsn"], "--json"),
        (["serve", "--prot", "1"], "--port"),
    ],
)
def test_a_misspelt_command_or_option_is_told_what_was_meant(shell: Shell, line: list[str], meant: str) -> None:
    done = shell.run(*line)
    assert done.status == 2
    assert "Did you mean" in done.err
    assert f"'{meant}'" in done.err
    assert done.err.count("\n") == 1
    assert done.out == ""


@pytest.mark.parametrize(
    "line",
    [
        ["--json", "nonsense"],
        ["serve", "--json", "--port", "eighty"],
        ["serve", "--json", "--port", "65536"],
        ["key", "create", "--json"],
        ["key", "create", "--json", "--principal", "a", "--expires-in", "soon"],
        ["server", "add", "--json", "x", "ftp://a.example"],
        ["virtual", "set", "--json", "x"],
    ],
)
def test_a_usage_error_is_one_object_with_json(shell: Shell, line: list[str]) -> None:
    done = shell.run(*line)
    assert done.status == 2
    error = done.json()["error"]
    assert (error["code"], error["exit_code"]) == ("usage", 2)
    assert done.err == ""


def test_a_group_alone_shows_its_help_and_is_a_usage_error(shell: Shell) -> None:
    done = shell.run("key")
    assert done.status == 2
    assert "create" in done.err


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_each_shell(shell: Shell, name: str) -> None:
    done = shell.run("completion", name)
    assert done.status == 0
    assert "_MCP_PLATFORM_COMPLETE" in done.out
    assert json.loads(shell.run("completion", name, "--json").out)["script"].strip() == done.out.strip()


def test_completion_offers_commands(shell: Shell) -> None:
    done = shell.run(_MCP_PLATFORM_COMPLETE="bash_complete", COMP_WORDS="mcp-platform ser", COMP_CWORD="1")
    assert done.out.split() == ["plain,serve", "plain,server"]
