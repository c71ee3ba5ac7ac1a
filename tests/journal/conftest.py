"""Fixtures for the journal's tests."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: for tests that sync often and are not about this disk."""
    shm = Path("/dev/shm")  # noqa: S108  # a fixed place of Linux, and a name of our own in it
    if not shm.is_dir():
        yield tmp_path
        return
    folder = Path(tempfile.mkdtemp(dir=shm, prefix="mcp-platform-test-"))
    yield folder
    shutil.rmtree(folder)
