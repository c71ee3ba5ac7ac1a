"""What systemd is told."""

import socket
from pathlib import Path

import pytest

from mcp_platform.supervisor import notify


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_hears_ready_reloading_and_stopping(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, abstract: bool
) -> None:
    name = f"@mcpp-test-{tmp_path.name}-{abstract}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name.replace("@", "\0", 1) if abstract else name)
        manager.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        notify.ready()
        notify.reloading()
        notify.stopping()
        heard = [manager.recv(256).decode() for _ in range(3)]
    assert [line.partition("\n")[0] for line in heard] == ["READY=1", "RELOADING=1", "STOPPING=1"]


@pytest.mark.parametrize("address", ["", "relative", "/nowhere/at/all"])
def test_a_missing_manager_is_no_reason_to_stop(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    notify.ready()
