"""A shell for each test, and one with a platform in its data folder."""

from pathlib import Path

import pytest

from tests.cli.shell import Shell


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture
def made(shell: Shell) -> Shell:
    """With a platform that was made and does not run."""
    done = shell.run("init", "--json", "--port", "0", "--console-port", "0")
    assert done.status == 0, done.err
    return shell
