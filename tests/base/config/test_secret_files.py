"""Settings from files that hold one value each: Docker's and Kubernetes' secrets, systemd's credentials."""

import os
from pathlib import Path

import pytest

from mcp_platform.base.config.load import load
from mcp_platform.base.errors import Fault


def refused(folder: Path, variable: str = "MCP_PLATFORM_SECRETS_DIR") -> list[dict[str, str]]:
    with pytest.raises(Fault) as fault:
        load(None, environment={variable: str(folder)})
    found = fault.value.data["problems"]
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize("name", ["gateway.port", "gateway__port", "GATEWAY__PORT"])
@pytest.mark.parametrize("variable", ["MCP_PLATFORM_SECRETS_DIR", "CREDENTIALS_DIRECTORY"])
def test_a_file_named_like_a_setting_gives_its_value(tmp_path: Path, name: str, variable: str) -> None:
    (tmp_path / name).write_text("9000\n")
    loaded = load(None, environment={variable: str(tmp_path)})
    assert loaded.settings.gateway.port == 9000
    assert str(loaded.origins["gateway.port"]) == f"secret file {tmp_path / name}"


def test_our_folder_wins_over_systemds(tmp_path: Path) -> None:
    ours, systemds = tmp_path / "ours", tmp_path / "systemds"
    for folder, port in ((ours, "9001"), (systemds, "9002")):
        folder.mkdir()
        (folder / "gateway.port").write_text(port)
    environment = {"MCP_PLATFORM_SECRETS_DIR": str(ours), "CREDENTIALS_DIRECTORY": str(systemds)}
    assert load(None, environment=environment).settings.gateway.port == 9001


def test_the_hidden_entries_of_a_kubernetes_volume_are_passed_over(tmp_path: Path) -> None:
    real = tmp_path / "..2026_11_22"
    real.mkdir()
    (real / "gateway.port").write_text("9000")
    (tmp_path / "..data").symlink_to(real)
    (tmp_path / "gateway.port").symlink_to(Path("..data") / "gateway.port")
    loaded = load(None, environment={"MCP_PLATFORM_SECRETS_DIR": str(tmp_path)})
    assert loaded.settings.gateway.port == 9000


def test_a_strange_file_is_refused_in_our_folder_and_passed_over_among_systemds_credentials(tmp_path: Path) -> None:
    (tmp_path / "kek").write_text("x")
    assert refused(tmp_path)[0]["where"] == f"secret file {tmp_path / 'kek'}"
    load(None, environment={"CREDENTIALS_DIRECTORY": str(tmp_path)})


def test_a_misspelt_setting_is_refused_even_among_systemds_credentials(tmp_path: Path) -> None:
    (tmp_path / "gateway.prot").write_text("1")
    assert refused(tmp_path, "CREDENTIALS_DIRECTORY")[0]["nearest"] == "gateway.port"


def test_one_setting_in_two_files_is_refused(tmp_path: Path) -> None:
    for name in ("gateway.port", "gateway__port"):
        (tmp_path / name).write_text("9000")
    (found,) = refused(tmp_path)
    assert found["setting"] == "gateway.port"


def test_a_folder_that_is_named_but_missing_is_refused(tmp_path: Path) -> None:
    (found,) = refused(tmp_path / "nowhere")
    assert "cannot be read" in found["problem"]


def test_what_is_no_small_text_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "gateway.port")
    (tmp_path / "console.port").mkdir()
    (tmp_path / "gateway.host").write_bytes(b"\xff")
    (tmp_path / "console.host").write_bytes(b"x" * 100_000)
    assert sorted(found["setting"] for found in refused(tmp_path)) == [
        "console.host",
        "console.port",
        "gateway.host",
        "gateway.port",
    ]
