"""`server add`: how a URL and a command are told apart, and how secrets come in."""

from pathlib import Path
from typing import Any

import pytest

from tests.cli.shell import Done, Shell
from tests.cli.test_door import control, line

ADDED = {
    "name": "x",
    "era": "modern",
    "tools": [{"name": "t", "exposed": "x.t", "description": "Does it."}],
    "tool_count": 1,
    "skipped": [],
    "user": "mcp",
    "isolation": "none",
    "warnings": ["It runs unconfined."],
}


def added(shell: Shell, *arguments: str, stdin: str = "", **variables: str) -> tuple[dict[str, Any], Done]:
    """The parameters that control was asked for, and how the command ended."""
    with control(shell.data, line({"ok": True, "result": ADDED})) as asked:
        done = shell.run("server", "add", *arguments, stdin=stdin, **variables)
    return (asked[0]["params"] if asked else {}), done


def test_a_url_is_an_http_server(made: Shell) -> None:
    params, done = added(made, "x", "https://mcp.example.com/mcp")
    assert params == {"name": "x", "url": "https://mcp.example.com/mcp", "shared": False}
    assert "x.t" in done.out


def test_what_stands_after_two_dashes_is_a_command_as_it_stands(made: Shell) -> None:
    params, done = added(made, "x", "--", "prog", "--json", "a b", "$HOME; rm -rf /")
    assert params == {"name": "x", "command": ["prog", "--json", "a b", "$HOME; rm -rf /"], "shared": False}
    assert "Runs       prog --json 'a b' '$HOME; rm -rf /'" in done.out
    assert "As user    mcp" in done.out
    assert "Isolation  none" in done.out
    assert done.err == "Warning: It runs unconfined.\n"


def test_a_program_and_a_folder_relative_to_here_are_sent_absolute(made: Shell) -> None:
    (made.folder / "server.sh").touch()
    params, _ = added(made, "x", "--cwd", "work", "--", "./server.sh", "./server.sh")
    assert params["command"] == [str(made.folder / "server.sh"), "./server.sh"]
    assert params["cwd"] == str(made.folder / "work")


@pytest.mark.parametrize(
    "arguments",
    [
        ["x"],
        ["x", "ftp://a.example"],
        ["x", "https://a.example", "more"],
        ["x", "--header", "A: b", "--", "prog"],
        ["x", "--env", "A=b", "https://a.example"],
        ["x", "--header", "no colon", "https://a.example"],
        ["x", "--header", "A: b", "--header", "a: c", "https://a.example"],
        ["x", "--header", "A: @file:/nowhere", "https://a.example"],
        ["x", "--header", "A: @env:NOT_THERE", "https://a.example"],
        ["x", "--header", "A: line\nline", "https://a.example"],
        ["x", "--env", "1A=b", "--", "prog"],
        ["x", "--env", "NOT_THERE", "--", "prog"],
        ["x", "--env", "A=1", "--env", "A=2", "--", "prog"],
        ["x", "--env-file", "/nowhere", "--", "prog"],
        ["x", "--call-timeout", "0", "https://a.example"],
    ],
)
def test_what_does_not_fit_is_a_usage_error_before_anything_is_asked(made: Shell, arguments: list[str]) -> None:
    params, done = added(made, *arguments)
    assert (done.status, params) == (2, {})


def test_a_header_on_the_command_line_is_taken_with_a_warning(made: Shell) -> None:
    params, done = added(made, "x", "https://a.example", "--header", "Authorization: Bearer hunter2")
    assert params["headers"] == {"Authorization": "Bearer hunter2"}
    assert done.err.startswith("Warning: Header Authorization")
    assert "hunter2" not in done.out + done.err


def test_secrets_come_from_files_stdin_and_the_environment_without_a_warning(made: Shell) -> None:
    (made.folder / "token").write_text("Bearer from-file\n")
    (made.folder / "headers").write_text("# more\n\nX-Two: two\n")
    arguments = ["--header", "Authorization: @file:token", "--header", "X-In: @stdin", "--header", "X-Env: @env:MINE"]
    params, done = added(
        made, "x", "https://a.example", *arguments, "--header-file", "headers", stdin="from-stdin\n", MINE="from-env"
    )
    assert params["headers"] == {
        "Authorization": "Bearer from-file",
        "X-In": "from-stdin",
        "X-Env": "from-env",
        "X-Two": "two",
    }
    assert "command line" not in done.err


def test_variables_come_by_value_by_name_and_from_a_file(made: Shell) -> None:
    (made.folder / "env").write_text("# comment\nA=1=1\nB=\nEMPTY_NEXT=@file:token\n")
    (made.folder / "token").write_text("t\n")
    params, done = added(made, "x", "--env", "C=c", "--env", "MINE", "--env-file", "env", "--", "prog", MINE="m")
    assert params["env"] == {"C": "c", "MINE": "m", "A": "1=1", "B": "", "EMPTY_NEXT": "t"}
    assert "command line" not in done.err


def test_a_variable_that_looks_secret_is_warned_of(made: Shell) -> None:
    params, done = added(made, "x", "--env", "API_TOKEN=hunter2", "--", "prog")
    assert params["env"] == {"API_TOKEN": "hunter2"}
    assert "API_TOKEN" in done.err
    assert "hunter2" not in done.err + done.out


def test_no_value_stands_in_an_error(made: Shell) -> None:
    (made.folder / "bad").write_bytes(b"hunter2\xff")
    for arguments in (
        ["--header", "hunter2"],
        ["--header", "hunter2 x: y"],
        ["--header", "A: hunter2\r\nB: c"],
        ["--header", "A: @file:bad"],
        ["--header-file", "bad"],
    ):
        _, done = added(made, "x", "https://a.example", *arguments)
        assert done.status == 2
        assert "hunter2" not in done.out + done.err.replace("Warning: Header A", "")


def test_a_file_that_is_too_large_is_refused(made: Shell) -> None:
    Path(made.folder / "large").write_bytes(b"x" * 300_000)
    _, done = added(made, "x", "https://a.example", "--header", "A: @file:large")
    assert done.status == 2
