"""How commands end when something is wrong: which code, how many lines, and never a traceback unasked."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from mcp_platform.base.errors import CONFIGURATION, ErrorKind, Fault
from mcp_platform.cli.exit_codes import MEANING, ExitCode, of
from tests.cli.shell import COMMAND, Shell, mode

BROKEN = """
import sys, types
from mcp_platform.cli import main
from mcp_platform.cli.lazy import Entry
import click
planted = types.ModuleType("mcp_platform.cli.commands.planted")
@click.command()
@click.option("--json", is_flag=True)
def boom(json):
    raise ZeroDivisionError("hunter2")
planted.boom = boom
sys.modules[planted.__name__] = planted
main.root.entries["boom"] = Entry("planted", "boom", "")
main.main()
"""


def broken(shell: Shell, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", BROKEN, "boom", *arguments],
        env={**shell.environment(), "TMPDIR": str(shell.folder), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_unexpected_error_is_one_line_and_its_traceback_a_closed_file(shell: Shell) -> None:
    done = broken(shell)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "hunter2" not in done.stderr
    (path,) = re.findall(r"traceback in (\S+)\.$", done.stderr.strip())
    assert mode(Path(path)) == 0o600
    assert "ZeroDivisionError: hunter2" in Path(path).read_text()


def test_the_traceback_is_shown_only_to_who_asks(shell: Shell) -> None:
    done = broken(shell, MCP_PLATFORM_DEBUG="1")
    assert "ZeroDivisionError: hunter2" in done.stderr
    assert [path.name for path in shell.folder.glob("mcp-platform-*")] == []


def test_an_unexpected_error_is_one_object_with_json(shell: Shell) -> None:
    done = broken(shell, "--json")
    assert '"code": "internal_error"' in done.stdout
    assert done.stderr == ""


def test_a_reader_that_leaves_is_no_error(shell: Shell) -> None:
    line = f"'{COMMAND}' config show; echo $? >&2"
    done = subprocess.run(
        ["bash", "-c", f"({line}) | true"], env=shell.environment(), capture_output=True, text=True, check=False
    )
    assert done.stderr.strip() in ("0", "141")


@pytest.mark.parametrize(
    ("code", "http", "expected"),
    [
        ("anything", 500, ExitCode.FAILED),
        ("anything", 404, ExitCode.FAILED),
        ("anything", 401, ExitCode.REFUSED),
        ("anything", 403, ExitCode.REFUSED),
        ("anything", 400, ExitCode.USAGE),
        ("anything", 422, ExitCode.USAGE),
        ("already_initialised", 409, ExitCode.CONFIGURATION),
        ("address_unavailable", 500, ExitCode.CONFIGURATION),
        ("data_folder_in_use", 409, ExitCode.CONFIGURATION),
        ("upstream_address_refused", 502, ExitCode.REFUSED),
        ("role_built_in", 409, ExitCode.REFUSED),
        ("isolation_required", 503, ExitCode.REFUSED),
    ],
)
def test_the_exit_code_follows_from_the_error(code: str, http: int, expected: ExitCode) -> None:
    assert of(Fault(ErrorKind(code, http, 0, "", "caller"))) is expected


def test_a_bad_flag_is_usage_and_a_bad_file_configuration() -> None:
    flag, file = {"where": "flag --host"}, {"where": "a.toml:1"}
    assert of(Fault(CONFIGURATION, data={"problems": [flag]})) is ExitCode.USAGE
    assert of(Fault(CONFIGURATION, data={"problems": [flag, file]})) is ExitCode.CONFIGURATION
    assert of(Fault(CONFIGURATION)) is ExitCode.CONFIGURATION


def test_every_exit_code_has_a_meaning_and_the_documented_number() -> None:
    """The issue: 0 ok, 1 failed, 2 usage, 3 doctor found a fault, 4 refused, 78 configuration."""
    assert set(MEANING) == set(ExitCode)
    assert [int(code) for code in ExitCode] == [0, 1, 2, 3, 4, 78, 130]
