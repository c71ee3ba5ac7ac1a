"""What an operator is told of servers that are not what they should be."""

import sys
from collections.abc import Iterator

import pytest

from tests.journeys.platform import Platform, running_platform


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    config = "[upstreams]\nstart_timeout_s = 3"
    with running_platform(tmp_path_factory.mktemp("words"), workers=1, config=config) as running:
        yield running


def test_a_program_that_is_no_server_is_told_with_what_it_wrote(platform: Platform) -> None:
    """In time, in a sentence that says what to do, and with no escape sequence of the program's."""
    program = "print('Ready on \\x1b[1mport 8000', flush=True); import time; time.sleep(600)"
    done = platform.run("server", "add", "web", "--", sys.executable, "-c", program)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "Error: The server wrote what is no message of MCP, and nothing else; is it an MCP server? One over stdio "
        "writes its messages to stdout, and everything else to stderr. (It got as far as: mcp.) "
        "It wrote: Ready on \N{REPLACEMENT CHARACTER}[1mport 8000"
    )
