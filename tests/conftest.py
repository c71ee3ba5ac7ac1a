"""Fixtures that every test may use, and the switch for the tests that take long."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.platform import Platform, running_platform
from tests.turns import Turns


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The event loop that the product runs on."""
    return ("asyncio", {"use_uvloop": True})


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    """A real platform with two workers, ready, and gone after the test."""
    with running_platform(tmp_path) as started:
        yield started


_LONGEST_FIRST = ("journeys", "attacks", "bench", "gateway", "cli", "upstream_host", "conformance")
"""Folders whose files take longest: begun last, one of them would keep one process busy while the others are done."""


def _turn(item: pytest.Item) -> int:
    folder = item.path.relative_to(Path(__file__).parent).parts[0]
    return _LONGEST_FIRST.index(folder) if folder in _LONGEST_FIRST else len(_LONGEST_FIRST)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="run the tests that take long, too")


def pytest_configure(config: pytest.Config) -> None:
    in_parallel = getattr(config, "workerinput", None)
    if in_parallel is not None:
        config.pluginmanager.register(Turns(in_parallel["testrunuid"]))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=_turn)
    if config.getoption("--all"):
        return
    long = [item for item in items if item.get_closest_marker("long")]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]
