"""`serve` and what works while it runs: the first run by itself, the lock, the ports, the folder, the settings."""

import json
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.shell import COMMAND, Shell, mode
from tests.journeys.platform import Platform

START_S = 30.0


@contextmanager
def serving(shell: Shell, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A platform that runs; ended afterwards whatever happens."""
    shell.home.mkdir(exist_ok=True)
    line = [COMMAND, "serve", "--workers", "1", *arguments]
    with (shell.folder / "serve.log").open("wb") as log:
        child = subprocess.Popen(
            line, env=shell.environment(), cwd=shell.folder, stdout=subprocess.PIPE, stderr=log, text=True
        )
    try:
        yield child
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(START_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        assert child.stdout is not None
        child.stdout.close()


def first_line(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline()


def wait_until_it_answers(shell: Shell) -> None:
    until = time.monotonic() + START_S
    while shell.run("doctor", "--json").json()["ok"] is False or not (shell.data / "run" / "ports.json").exists():
        assert time.monotonic() < until, (shell.folder / "serve.log").read_text()


def test_serve_does_the_first_run_by_itself_on_an_empty_folder(shell: Shell) -> None:
    with serving(shell, "--json", "--port", "0", "--console-port", "0") as child:
        made = json.loads(first_line(child))
        assert made["api_key"].startswith("mcpp_")
        assert made["data_dir"] == str(shell.data)
        wait_until_it_answers(shell)
        keys = shell.run("key", "list", "--json").json()["keys"]
        assert [key["principal"] for key in keys] == ["owner"]
    assert child.returncode == 0


def test_serve_keeps_first_secrets_out_of_its_log(shell: Shell) -> None:
    """Under systemd both streams end in the journal."""
    with serving(shell, "--port", "0", "--console-port", "0") as child:
        shown = [first_line(child) for _ in range(4)]
        wait_until_it_answers(shell)
    file = shell.data / "first-run-secrets.txt"
    assert str(file) in shown[3]
    assert mode(file) == 0o600
    assert "mcpp_" not in "".join(shown) + (shell.folder / "serve.log").read_text()


def test_serve_says_where_it_listens_once_it_is_ready(made: Shell) -> None:
    with serving(made, "--json") as child:
        said = json.loads(first_line(child))
        ports = json.loads((made.data / "run" / "ports.json").read_text())
        assert said["mcp_url"] == f"http://127.0.0.1:{ports['gateway']}/mcp"
        assert "api_key" not in said


def test_a_second_platform_on_the_folder_is_refused_in_one_line(platform: Platform) -> None:
    done = platform.run("serve", "--port", "0")
    assert done.returncode == 78
    assert done.stderr.count("\n") == 1
    assert platform.run("init").returncode == 78


def test_changes_through_a_running_platform(platform: Platform) -> None:
    made = platform.cli("key", "create", "--principal", "ana", "--expires-in", "1h")
    assert made["published"]["workers"] == 2
    assert made["not_after"].endswith("Z")
    platform.cli("role", "create", "clock", "--allow", "time/*")
    platform.cli("role", "grant", "clock", "ana")
    (role,) = (role for role in platform.cli("role", "list")["roles"] if role["name"] == "clock")
    assert role["holders"] == ["ana"]
    platform.cli("role", "delete", "clock", status=1)
    platform.cli("role", "revoke", "clock", "ana")
    platform.cli("role", "delete", "clock")
    platform.cli("principal", "disable", "ana")
    platform.cli("principal", "enable", "ana")
    platform.cli("key", "revoke", made["id"])
    states = {key["id"]: key["state"] for key in platform.cli("key", "list")["keys"]}
    assert states[made["id"]] == "revoked"
    assert platform.cli("key", "revoke", "AAAAAAAAAAAA", status=1)["error"]["code"] == "not_found"
    assert platform.cli("doctor")["ok"] is True


def test_changes_with_nothing_running_hold_at_the_next_start(made: Shell) -> None:
    key = made.run("key", "create", "--principal", "ana", "--role", "member", "--json").json()
    assert key["published"]["workers"] == 0
    with serving(made):
        wait_until_it_answers(made)
        keys = made.run("key", "list", "--json").json()["keys"]
    assert key["id"] in [each["id"] for each in keys]


def test_a_stdio_server_needs_a_running_platform_and_is_told_so(made: Shell) -> None:
    done = made.run("server", "add", "time", "--", "/bin/true")
    assert done.status == 1
    assert "mcp-platform serve" in done.err


def test_two_commands_at_once_with_nothing_running_both_work(made: Shell) -> None:
    made.home.mkdir(exist_ok=True)
    lines = [[COMMAND, "key", "create", "--principal", f"p{n}", "--json"] for n in range(3)]
    children = [subprocess.Popen(line, env=made.environment(), stdout=subprocess.PIPE, text=True) for line in lines]
    answers = [json.loads(child.communicate(timeout=60)[0]) for child in children]
    assert len({answer["id"] for answer in answers}) == 3


@pytest.mark.parametrize("option", ["--port", "--console-port"])
def test_a_taken_port_is_one_clear_line(made: Shell, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = made.run("serve", option, str(taken.getsockname()[1]))
    assert done.status == 78
    assert done.err.count("\n") == 1
    assert "another program uses it" in done.err


def test_a_first_run_whose_start_fails_still_prints_its_key_and_only_one_object(shell: Shell) -> None:
    """The key exists nowhere else: it must not be lost because a port is taken."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = shell.run("serve", "--json", "--port", str(taken.getsockname()[1]))
    assert done.status == 78
    assert done.json()["api_key"].startswith("mcpp_")
    assert done.err.count("\n") == 1


def test_an_address_that_is_not_ours_is_one_clear_line(made: Shell) -> None:
    done = made.run("serve", "--host", "192.0.2.1", "--behind-tls-proxy")
    assert done.status == 78
    assert done.err.count("\n") == 1


def test_nothing_listens_beyond_this_machine_in_the_clear(made: Shell) -> None:
    done = made.run("serve", "--host", "0.0.0.0")
    assert done.status == 2
    assert done.err.count("\n") == 1
    assert "tls.terminated_by_proxy" in done.err


def test_a_certificate_that_cannot_be_used_keeps_serve_from_starting(made: Shell) -> None:
    assert made.run("tls", "dev-ca").status == 0
    (made.data / "tls" / "server-key.pem").chmod(0o644)
    pair = {"MCP_PLATFORM_CONSOLE__TLS_CERTIFICATE": str(made.data / "tls" / "server.pem")}
    pair["MCP_PLATFORM_CONSOLE__TLS_KEY"] = str(made.data / "tls" / "server-key.pem")
    done = made.run("serve", **pair)
    assert done.status == 78
    assert done.err.count("\n") == 1
    assert "chmod 600" in done.err


def test_a_bad_setting_keeps_serve_from_starting(made: Shell) -> None:
    done = made.run("serve", MCP_PLATFORM_HTTP__MAX_HEADER="1")
    assert done.status == 78
    assert done.err.count("\n") == 1
    assert "MCP_PLATFORM_HTTP__MAX_HEADERS" in done.err


def test_a_database_of_a_newer_version_is_refused(made: Shell) -> None:
    connection = sqlite3.connect(made.data / "platform.db")
    with connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    done = made.run("serve", "--json")
    assert (done.status, done.json()["error"]["code"]) == (78, "schema_newer")
    assert made.run("key", "list").status == 78


def test_a_missing_kek_keeps_serve_from_starting(made: Shell) -> None:
    for path in Path(made.home / ".config" / "mcp-platform").iterdir():
        path.unlink()
    done = made.run("serve")
    assert done.status == 78
    assert done.err.count("\n") == 1
