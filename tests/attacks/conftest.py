"""The platform that the tests of two principals share."""

from collections.abc import Iterator

import pytest

from tests.attacks.crossings import Crossed, crossed
from tests.gateway.wires import Wire


@pytest.fixture(scope="package")
def one_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crossed]:
    with crossed(tmp_path_factory.mktemp("crossed")) as made:
        yield made


@pytest.fixture
def two(one_platform: Crossed) -> Iterator[Crossed]:
    """Two principals; what a test opens is closed after it."""
    yield one_platform
    while Wire.open_ones:
        Wire.open_ones.pop().close()
