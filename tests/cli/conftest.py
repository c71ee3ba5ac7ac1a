"""A shell for each test, and one with a platform in its data folder."""

import shutil
from pathlib import Path

import pytest

from tests.cli.shell import Shell


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture(scope="session")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A platform that was made with the real command, to copy: making one takes most of a second."""
    shell = Shell(tmp_path_factory.mktemp("pattern"))
    done = shell.run("init", "--json", "--port", "0", "--console-port", "0")
    assert done.status == 0, done.err
    return shell


@pytest.fixture
def made(shell: Shell, pattern: Shell) -> Shell:
    """With a platform that was made and does not run."""
    for part in ("data", "home"):
        shutil.copytree(pattern.folder / part, shell.folder / part)
    return shell
