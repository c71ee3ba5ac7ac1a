"""With nothing running, an action is done under the folder's lock, and the next start knows of it."""

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from mcp_platform.base import clock
from mcp_platform.base.config.settings import Settings
from mcp_platform.base.errors import Fault
from mcp_platform.base.folder import DataFolder
from mcp_platform.base.lock import DATA_FOLDER_IN_USE, FolderLock
from mcp_platform.control import offline
from mcp_platform.control.first_run import initialise
from mcp_platform.control.offline import PLATFORM_STOPPED
from mcp_platform.snapshot.codec import open_manifest
from mcp_platform.snapshot.shelf import Shelf


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataFolder:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    found = DataFolder(tmp_path / "data")
    initialise(found, Settings(), clock.now())
    return found


def run(data: DataFolder, action: str, **params: object) -> dict[str, object]:
    said: list[str] = []
    return offline.run(data, action, params, said.append)


def test_changes_are_on_the_shelf_for_the_next_start(data: DataFolder) -> None:
    assert run(data, "key.create", principal="ana")["published"]["revision"] == 2
    made = run(data, "key.create", principal="bob")
    assert made["published"]["workers"] == 0
    signed = Shelf(data.snapshot).read_manifest()
    assert signed is not None
    public = (data.keys / "snapshot.pub").read_bytes()

    assert open_manifest(signed, Ed25519PublicKey.from_public_bytes(public)).revision == 3


def test_the_actor_is_whoever_runs_the_command(data: DataFolder) -> None:
    made = run(data, "key.create", principal="ana")
    listed = run(data, "key.list")["keys"]
    assert {row["id"]: row["created_by"] for row in listed}[made["id"]] == f"local:{os.getuid()}"


def test_a_folder_that_a_platform_uses_is_left_alone(data: DataFolder) -> None:
    lock = FolderLock.take(data.lock)
    with pytest.raises(Fault) as caught:
        run(data, "key.list")
    assert caught.value.kind is DATA_FOLDER_IN_USE
    lock.release()
    assert len(run(data, "key.list")["keys"]) == 1


def test_a_server_that_is_a_command_needs_the_platform(data: DataFolder) -> None:
    with pytest.raises(Fault) as caught:
        run(data, "server.add", name="git", command=["git-mcp"])
    assert caught.value.kind is PLATFORM_STOPPED
    assert run(data, "server.list")["servers"] == []
