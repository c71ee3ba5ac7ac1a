"""`doctor` finds what is wrong, each with its own exit code and advice, and nothing where nothing is."""

import json
import os
import signal
import socket
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mcp_platform.base import clock
from mcp_platform.net.tls_development import make
from tests.cli.shell import Shell
from tests.journeys.platform import Platform

SERVER = Path(__file__).parents[1] / "peers" / "servers" / "many_modern.py"


def findings(shell: Shell, level: str, **variables: str) -> set[str]:
    done = shell.run("doctor", "--json", **variables)
    report = done.json()
    faults = [f for f in report["findings"] if f["level"] == "fault"]
    assert done.status == (3 if faults else 0)
    assert report["ok"] is not bool(faults)
    assert all(f["do"] for f in faults)
    return {f["check"] for f in report["findings"] if f["level"] == level}


def test_a_platform_that_is_well_has_no_fault(made: Shell) -> None:
    assert findings(made, "fault") == set()
    assert "running" in findings(made, "warning")


def test_missing_isolation_is_said_loudly_unless_it_is_required(made: Shell) -> None:
    assert "isolation" in findings(made, "warning")
    assert "isolation" in findings(made, "ok", MCP_PLATFORM_UPSTREAMS__REQUIRE_ISOLATION="true")


def open_a_file(shell: Shell) -> None:
    (shell.data / "platform.db").chmod(0o644)


def open_the_folder(shell: Shell) -> None:
    shell.data.chmod(0o750)


def lose_the_kek(shell: Shell) -> None:
    for path in (shell.home / ".config" / "mcp-platform").iterdir():
        path.unlink()


def open_the_kek(shell: Shell) -> None:
    for path in (shell.home / ".config" / "mcp-platform").iterdir():
        path.chmod(0o640)


def move_the_kek_inside(shell: Shell) -> None:
    (old,) = (shell.home / ".config" / "mcp-platform").iterdir()
    old.rename(shell.data / "kek")
    shell.extra["MCP_PLATFORM_VAULT__KEK_FILE"] = str(shell.data / "kek")


def misspell_a_setting(shell: Shell) -> None:
    (shell.data / "mcp-platform.toml").write_text("[gatway]\n")


def let_others_write_the_settings(shell: Shell) -> None:
    (shell.data / "mcp-platform.toml").chmod(0o666)


def break_the_database(shell: Shell) -> None:
    (shell.data / "platform.db").write_bytes(b"no database at all" * 100)


def lose_the_keys(shell: Shell) -> None:
    (shell.data / "keys" / "platform.json").unlink()


@pytest.mark.parametrize(
    ("harm", "check"),
    [
        (open_a_file, "files"),
        (open_the_folder, "folder"),
        (lose_the_kek, "kek"),
        (open_the_kek, "kek"),
        (move_the_kek_inside, "kek"),
        (lose_the_keys, "kek"),
        (misspell_a_setting, "config"),
        (let_others_write_the_settings, "config.file"),
        (break_the_database, "schema"),
    ],
)
def test_each_harm_is_found(made: Shell, harm: Callable[[Shell], None], check: str) -> None:
    harm(made)
    assert check in findings(made, "fault")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_files_of_somebody_else_are_found(made: Shell) -> None:
    os.chown(made.data / "platform.db", 12345, 12345)
    assert "files" in findings(made, "fault")


def test_a_taken_port_is_found(made: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert findings(made, "fault", MCP_PLATFORM_GATEWAY__PORT=port) == {"port.gateway"}


def test_a_surface_open_to_the_network_is_warned_of(made: Shell) -> None:
    assert "exposure.gateway" in findings(
        made, "warning", MCP_PLATFORM_GATEWAY__HOST="0.0.0.0", MCP_PLATFORM_TLS__TERMINATED_BY_PROXY="true"
    )


def test_a_certificate_that_ends_soon_or_cannot_be_read_is_found(made: Shell) -> None:
    assert made.run("tls", "dev-ca").status == 0
    pair = {"MCP_PLATFORM_GATEWAY__TLS_CERTIFICATE": str(made.data / "tls" / "server.pem")}
    pair["MCP_PLATFORM_GATEWAY__TLS_KEY"] = str(made.data / "tls" / "server-key.pem")
    assert "tls.gateway" not in findings(made, "fault", **pair) | findings(made, "warning", **pair)
    public = {"MCP_PLATFORM_GATEWAY__PUBLIC_URL": "https://mcp.example.com"}
    assert "tls.gateway" in findings(made, "warning", **pair, **public), "it vouches for no such name"
    make(made.data / "tls", clock.now() - 80 * 86_400)
    assert "tls.gateway" in findings(made, "warning", **pair)
    make(made.data / "tls", clock.now() - 91 * 86_400)
    assert "tls.gateway" in findings(made, "fault", **pair)
    (made.data / "tls" / "server-key.pem").chmod(0o640)
    assert {"tls.gateway", "files"} <= findings(made, "fault", **pair)


def test_nothing_is_a_fault_with_advice(shell: Shell) -> None:
    assert "folder" in findings(shell, "fault")


def test_a_running_platform_that_is_well_has_no_fault(platform: Platform) -> None:
    report = platform.cli("doctor")
    levels = {finding["check"]: finding["level"] for finding in report["findings"]}
    for check in ("control", "processes", "revision", "port.gateway", "port.console", "audit"):
        assert levels[check] == "ok", check
    assert levels["upstreams"] == "warning"
    for name in ("one", "two"):
        platform.cli("server", "add", name, "--", sys.executable, str(SERVER), "1")
    told = platform.run("doctor").stderr.splitlines()
    assert told == [f"Connecting to server {name} and listing what it offers" for name in ("one", "two")]


def test_limits_that_are_missing_are_found(platform: Platform) -> None:
    def levels() -> dict[str, str]:
        found = platform.cli("doctor")["findings"]
        return {each["check"]: each["level"] for each in found if each["check"].startswith("limits")}

    assert levels() == {"limits": "ok"}
    platform.cli("limit", "set", "each-principal", "--rate", "1000/s", "--shadow")
    platform.cli("limit", "remove", "failed-authentication")
    try:
        assert levels() == {"limits": "ok", "limits.address": "warning", "limits.callers": "warning"}
    finally:
        platform.cli("limit", "set", "each-principal", "--rate", "1000/s", "--burst", "10000")
        platform.cli(
            "limit", "set", "failed-authentication", "--rate", "300/m", "--by", "address", "--endpoint", "/mcp"
        )


def test_a_proxy_that_is_not_named_is_found(made: Shell) -> None:
    public = {"MCP_PLATFORM_GATEWAY__PUBLIC_URL": "https://mcp.example.com"}
    assert "limits.proxies" in findings(made, "warning", **public)
    assert "limits.proxies" not in findings(made, "warning", **public, MCP_PLATFORM_GATEWAY__TRUSTED_PROXIES="10.0.0.1")


def test_a_control_that_hangs_is_found(platform: Platform) -> None:
    rows = json.loads((platform.data / "run" / "processes.json").read_text())["processes"]
    (control,) = (row["pid"] for row in rows if row["role"] == "control")
    os.kill(control, signal.SIGSTOP)
    try:
        report = platform.cli("doctor", status=3)
    finally:
        os.kill(control, signal.SIGCONT)
    faults = {finding["check"] for finding in report["findings"] if finding["level"] == "fault"}
    assert faults == {"control", "port.console"}


def test_an_audit_log_that_was_changed_is_found(platform: Platform) -> None:
    connection = sqlite3.connect(platform.data / "platform.db")
    with connection:
        connection.execute("UPDATE audit_log SET actor = 'nobody' WHERE seq = 1")
    connection.close()
    report = platform.cli("doctor", status=3)
    assert [finding["check"] for finding in report["findings"] if finding["level"] == "fault"] == ["audit"]


def test_people_see_a_mark_and_advice_for_each_finding(made: Shell) -> None:
    open_a_file(made)
    done = made.run("doctor")
    assert done.status == 3
    (at,) = (n for n, line in enumerate(done.out.splitlines()) if line.startswith("✗"))
    assert done.out.splitlines()[at + 1].startswith("    Run: chmod")
    assert "\x1b" not in done.out
    assert "✓" not in made.run("doctor", "--quiet").out


def test_colour_is_only_for_a_terminal_that_wants_it(made: Shell) -> None:
    assert "\x1b" not in made.on_terminal("doctor").out
    made.extra["NO_COLOR"] = ""
    assert "\x1b[32m" in made.on_terminal("doctor").out
    assert "\x1b" not in made.run("doctor").out


def test_doctor_changes_nothing(made: Shell) -> None:
    def all_files() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in made.data.rglob("*") if path.is_file()}

    before = all_files()
    made.run("doctor")
    assert all_files() == before


def test_a_folder_that_is_not_there_is_told_to_be_made(shell: Shell) -> None:
    done = shell.run("doctor", "--data", "nothere")
    assert done.status == 3
    assert f"Run `mcp-platform init --data {shell.folder / 'nothere'}`" in done.out
    assert not (shell.folder / "nothere").exists()
