"""What is listened for mends itself; an upstream that answers somebody is tried at once."""

import asyncio

import pytest

from mcp_platform.base import clock
from mcp_platform.base.errors import Fault
from mcp_platform.net.transports.model import Listener, Wanted
from mcp_platform.net.transports.watch import RETRY_S, Watches
from mcp_platform.net.upstream_errors import UPSTREAM_DOWN, UPSTREAM_LOST
from tests.net.raw_upstream import eventually
from tests.net.transports.calls import Ear

pytestmark = [pytest.mark.anyio, pytest.mark.long]


class Opened:
    """An ear at an upstream."""

    def __init__(self) -> None:
        self.honoured = Wanted(tools=True)
        self.broken: asyncio.Future[Fault | None] = asyncio.get_running_loop().create_future()

    async def want(self, wanted: Wanted) -> None:
        """Anything."""

    async def close(self) -> None:
        """Nothing is open."""


async def test_what_is_broken_is_mended_as_soon_as_the_upstream_answers_somebody() -> None:
    """Not only when its own wait is over, which has grown meanwhile; and not for each answer."""
    tries: list[float] = []
    opened = [Opened()]
    is_up = True

    async def attend(wanted: Wanted, listener: Listener) -> Opened:
        tries.append(clock.monotonic())
        if not is_up:
            raise Fault(UPSTREAM_DOWN)
        return opened[-1]

    watches, ear = Watches("up_test"), Ear()
    watch = await watches.listen(attend, Wanted(tools=True), ear)
    assert not watches.broken
    is_up = False
    opened[0].broken.set_result(Fault(UPSTREAM_LOST))
    await eventually(lambda: len(tries) == 4)  # after 0.5, 1 and 2 s; the next would come after 4
    is_up = True
    opened.append(Opened())
    for _ in range(100):
        watches.reached()
    assert len(tries) == 4, "a moment ago it was tried in vain"
    await eventually(lambda: clock.monotonic() - tries[-1] > RETRY_S)
    watches.reached()
    await eventually(lambda: ear.renewals == 1)
    assert tries[-1] - tries[-2] < 3.5
    assert not watches.broken
    await watch.close()
