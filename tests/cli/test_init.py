"""The first run by hand: what it makes, what it says once, and when it refuses."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.shell import COMMAND, Shell, mode


def test_init_prints_one_object_with_json(shell: Shell) -> None:
    done = shell.run("init", "--json", "--host", "::1", "--port", "9000", "--console-port", "9001")
    assert done.status == 0, done.err
    answer = done.json()
    assert answer["mcp_url"] == "http://[::1]:9000/mcp"
    assert answer["console_url"] == "http://127.0.0.1:9001"
    assert answer["setup_link"].startswith("http://127.0.0.1:9001/setup/")
    assert answer["data_dir"] == str(shell.data)
    assert len(answer["api_key"]) == 55
    assert answer["api_key"].startswith("mcpp_")
    assert set(answer) == {"mcp_url", "console_url", "setup_link", "api_key", "data_dir"}


def test_init_keeps_the_addresses_it_was_given(shell: Shell) -> None:
    line = ["init", "--port", "9000", "--public-url", "https://mcp.example.com"]
    assert shell.run(*line).status == 0
    settings = shell.run("config", "show", "--origin", "--json").json()
    assert settings["settings"]["gateway.port"] == 9000
    assert settings["settings"]["gateway.public_url"] == "https://mcp.example.com"
    assert settings["origins"]["gateway.port"].startswith(str(shell.data / "mcp-platform.toml"))
    assert settings["origins"]["console.port"] == "default"


def test_everything_is_closed_to_others(made: Shell) -> None:
    for folder, _, names in os.walk(made.data):
        assert mode(Path(folder)) == 0o700
        assert [name for name in names if mode(Path(folder) / name) != 0o600] == []
    (kek,) = (made.home / ".config" / "mcp-platform").iterdir()
    assert (mode(kek), mode(kek.parent)) == (0o600, 0o700)


def test_a_second_init_is_refused_and_changes_nothing(made: Shell) -> None:
    before = {path: path.read_bytes() for path in made.data.rglob("*") if path.is_file()}
    done = made.run("init")
    assert done.status == 78
    assert done.out == ""
    assert done.err.count("\n") == 1
    assert made.run("init", "--json").json()["error"]["code"] == "already_initialised"
    assert {path: path.read_bytes() for path in made.data.rglob("*") if path.is_file()} == before


def test_secrets_go_to_a_closed_file_when_nobody_looks(shell: Shell) -> None:
    """A pipe ends in a log more often than before somebody's eyes."""
    done = shell.run("init")
    assert done.status == 0
    file = shell.data / "first-run-secrets.txt"
    assert str(file) in done.out
    assert mode(file) == 0o600
    assert "mcpp_" in file.read_text()
    assert "mcpp_" not in done.out + done.err
    assert "/setup/" not in done.out + done.err


def test_secrets_are_shown_on_a_terminal_and_kept_nowhere(shell: Shell) -> None:
    done = shell.on_terminal("init")
    assert done.status == 0
    (key,) = (word for word in done.out.split() if word.startswith("mcpp_"))
    for path in shell.folder.rglob("*"):
        if path.is_file():
            assert key.encode() not in path.read_bytes()


def test_a_settings_file_that_is_there_already_is_used(shell: Shell) -> None:
    shell.data.mkdir(mode=0o700)
    file = shell.data / "mcp-platform.toml"
    file.write_text("[gateway]\nport = 9100\n")
    assert shell.run("init", "--json", "--port", "9200").json()["error"]["code"] == "settings_file_exists"
    assert shell.run("init", "--json").json()["mcp_url"] == "http://127.0.0.1:9100/mcp"
    assert file.read_text() == "[gateway]\nport = 9100\n"


def test_a_bad_setting_makes_nothing(shell: Shell) -> None:
    done = shell.run("init", MCP_PLATFORM_GATEWAY__PORT="eighty")
    assert done.status == 78
    assert "MCP_PLATFORM_GATEWAY__PORT" in done.err
    assert "eighty" not in done.err
    assert not shell.data.exists()


def test_a_bad_flag_is_a_usage_error(shell: Shell) -> None:
    assert shell.run("init", "--host", "not a host").status == 2
    assert shell.run("init", "--public-url", "https://a.example/path").status == 2
    assert not shell.data.exists()


def test_a_home_that_cannot_be_written_is_refused_in_one_line_and_does_not_block(shell: Shell) -> None:
    blocked = shell.folder / "no-folder"
    blocked.write_text("")
    for _ in range(2):
        done = shell.run("init", HOME=str(blocked / "home"))
        assert (done.status, done.out) == (78, "")
        assert done.err.startswith(
            f"Error: Cannot make the key-encryption key in {blocked}/home/.config/mcp-platform ("
        )
        assert done.err.endswith("; set vault.kek_file.\n")
    assert shell.run("init", "--json").status == 0


@pytest.mark.parametrize("command", ["init", "serve", "key list"])
def test_a_folder_that_cannot_be_reached_is_refused_in_one_line(shell: Shell, command: str) -> None:
    blocked = shell.folder / "no-folder"
    blocked.write_text("")
    done = shell.run(*command.split(), "--data", str(blocked / "x"))
    assert (done.status, done.out) == (78, "")
    assert done.err == f"Error: The folder {blocked / 'x'} cannot be used: Not a directory.\n"


@pytest.mark.parametrize("command", ["init", "serve"])
def test_a_data_folder_that_may_not_be_made_is_refused_in_one_line(shell: Shell, command: str) -> None:
    """In /proc nobody may, root included."""
    done = shell.run(command, "--data", "/proc/mcp-platform-not-here")
    assert (done.status, done.out) == (78, "")
    assert done.err.startswith("Error: May not write in /proc to make the data folder (")
    assert done.err.count("\n") == 1


def test_an_address_that_needs_tls_names_the_flags_for_it_first(shell: Shell) -> None:
    done = shell.run("init", "--host", "0.0.0.0")
    assert done.status == 2
    assert done.err.index("--behind-tls-proxy") < done.err.index("--dev-tls") < done.err.index("`gateway.tls_")
    assert not shell.data.exists()


def plant_a_file(data: Path) -> None:
    data.write_text("not a folder")


def plant_a_stranger(data: Path) -> None:
    data.mkdir(mode=0o700)
    (data / "photos").mkdir()


def plant_foreign(data: Path) -> None:
    data.mkdir(mode=0o700)
    os.chown(data, 12345, 12345)


@pytest.mark.parametrize(
    "plant",
    [
        plant_a_file,
        plant_a_stranger,
        pytest.param(
            plant_foreign, marks=pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
        ),
    ],
)
@pytest.mark.parametrize("command", ["init", "serve"])
def test_a_folder_that_is_not_ours_to_fill_is_refused_in_one_line(shell: Shell, plant: object, command: str) -> None:
    assert callable(plant)
    plant(shell.data)
    done = shell.run(command)
    assert done.status == 78
    assert done.err.count("\n") == 1
    assert done.out == ""


@pytest.mark.parametrize("line", [["serve"], ["key", "list"], ["server", "list"]])
def test_a_platform_in_a_folder_open_to_others_is_refused(made: Shell, line: list[str]) -> None:
    made.data.chmod(0o755)
    done = made.run(*line)
    assert done.status == 78
    assert f"chmod 700 {made.data}" in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize("line", [["key", "list"], ["server", "list"], ["role", "list"], ["principal", "list"]])
def test_a_command_on_no_platform_says_so(shell: Shell, line: list[str]) -> None:
    done = shell.run(*line, "--json")
    assert done.status == 78
    assert done.json()["error"]["code"] == "not_initialised"


def test_an_init_that_was_killed_can_be_done_again(shell: Shell) -> None:
    """Whenever it is killed: either nothing was promised and init works, or the platform is whole."""
    for delay_ms in range(200, 600, 100):
        own = Shell(shell.folder / str(delay_ms))
        own.folder.mkdir()
        own.home.mkdir()
        line = [COMMAND, "init", "--json"]
        child = subprocess.Popen(line, env=own.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            child.wait(delay_ms / 1000)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
            child.wait()
        again = own.run("init", "--json")
        answer = json.loads(again.out)
        assert again.status in (0, 78), again.out
        assert "api_key" in answer or answer["error"]["code"] == "already_initialised"
        report = own.run("doctor", "--json").json()
        assert [f for f in report["findings"] if f["level"] == "fault"] == []
