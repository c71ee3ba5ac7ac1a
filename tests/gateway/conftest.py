"""One platform with two workers in front of a legacy stdio server, shared by the tests of a module."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway.wires import Wire
from tests.journeys.platform import Platform, running_platform
from tests.peers.environments import python_of

SERVERS = Path(__file__).parents[1] / "peers" / "servers"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Server `odd` offers what real and broken servers do."""
    with running_platform(tmp_path_factory.mktemp("gateway")) as running:
        running.cli("server", "add", "odd", "--", str(python_of("mcp1")), str(SERVERS / "eliciting_legacy.py"))
        yield running


@pytest.fixture(autouse=True)
def _no_wire_outlives_its_test() -> Iterator[None]:
    yield
    while Wire.open_ones:
        Wire.open_ones.pop().close()
