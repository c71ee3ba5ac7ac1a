"""That a list of an upstream changed, said further at once and then at most once a second, however often it is said."""

import asyncio

from mcp_platform.net.transports.model import Announced

GAP_S = 1.0
"""Seconds between two announcements of one list. What comes of one is a new listing, which takes about as long."""


class Announcements:
    """Those of one process."""

    def __init__(self, announced: Announced) -> None:
        self._announced = announced
        self._resting: dict[tuple[str, str], tuple[asyncio.TimerHandle, bool]] = {}
        """What was said less than a second ago, and whether it was said again since."""

    def take(self, upstream: str, method: str) -> None:
        key = upstream, method
        resting = self._resting.get(key)
        if resting is not None:
            self._resting[key] = (resting[0], True)
            return
        self._rest(key)
        self._announced(upstream, method)

    def _rest(self, key: tuple[str, str]) -> None:
        timer = asyncio.get_running_loop().call_later(GAP_S, self._rested, key)
        self._resting[key] = (timer, False)

    def _rested(self, key: tuple[str, str]) -> None:
        _, again = self._resting.pop(key)
        if again:
            self._rest(key)
            self._announced(*key)

    def close(self) -> None:
        for timer, _ in self._resting.values():
            timer.cancel()
        self._resting.clear()
