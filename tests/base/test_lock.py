"""One platform on one folder."""

import os
from pathlib import Path

import pytest

from mcp_platform.base.errors import Fault
from mcp_platform.base.lock import DATA_FOLDER_IN_USE, FolderLock


def test_a_second_one_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    held = FolderLock.take(tmp_path / "lock")
    with pytest.raises(Fault) as refused:
        FolderLock.take(tmp_path / "lock", wait_s=0.05)
    assert refused.value.kind is DATA_FOLDER_IN_USE
    assert refused.value.data["pid"] == str(os.getpid())
    held.release()
    FolderLock.take(tmp_path / "lock").release()


def test_the_lock_outlives_its_taker_while_a_child_holds_it(tmp_path: Path) -> None:
    """A new platform must not start while a process of a killed one still writes."""
    held = FolderLock.take(tmp_path / "lock")
    read_end, write_end = os.pipe()
    child = os.posix_spawn("/bin/sh", ["sh", "-c", "read line"], {}, file_actions=[
        (os.POSIX_SPAWN_DUP2, read_end, 0),
        (os.POSIX_SPAWN_DUP2, held._handle, 9),
    ])  # fmt: skip
    try:
        held.release()
        with pytest.raises(Fault):
            FolderLock.take(tmp_path / "lock")
    finally:
        os.close(write_end)
        os.close(read_end)
        os.waitpid(child, 0)
    FolderLock.take(tmp_path / "lock", wait_s=5).release()


def test_the_lock_file_is_ours_alone(tmp_path: Path) -> None:
    held = FolderLock.take(tmp_path / "lock")
    assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600
    held.release()
