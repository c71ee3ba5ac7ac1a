"""Sessions that are opened and dropped leave nothing behind: memory, descriptors and processes return."""

import os
from pathlib import Path

import pytest

from tests.conformance.upstream import line
from tests.gateway.events import opened
from tests.gateway.test_listen import listen
from tests.gateway.test_sse_endpoints import SseSession
from tests.gateway.wires import LegacySession, Wire
from tests.journeys.platform import Platform, running_platform

pytestmark = [pytest.mark.peers, pytest.mark.alone]
MAX_GROWN_KIB = 32 * 1024
"""KiB that a worker may hold more after thousands of sessions: what it keeps ready for the next ones."""
SPARE_DESCRIPTORS = 8


def workers(platform: Platform) -> dict[str, int]:
    return {name: pid for name, pid in platform.pids().items() if name.startswith(("worker", "upstream-host"))}


def descriptors(platform: Platform) -> dict[str, int]:
    return {name: len(os.listdir(f"/proc/{pid}/fd")) for name, pid in workers(platform).items()}


def resident_kib(platform: Platform) -> dict[str, int]:
    found = {}
    for name, pid in workers(platform).items():
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        found[name] = next(int(text.split()[1]) for text in lines if text.startswith("VmRSS:"))
    return found


def live(platform: Platform, number: int) -> None:
    """One session: a stream, a call, a subscription to changes; ended by its client or just dropped."""
    session = LegacySession(Wire(platform), platform.api_key)
    stream = opened(platform, session.headers)
    if number % 3 == 0:
        assert session.request("logging/setLevel", {"level": "error"}).status == 200
    if number % 4 == 0:
        listen(Wire(platform), platform.api_key, number, toolsListChanged=True).message()
    if number % 5 == 0:
        SseSession(platform, platform.api_key).initialize()
    if number % 2 == 0:
        assert session.wire.ask(b"", session.headers, "DELETE").status == 200
        assert stream.rest() == []
    while Wire.open_ones:
        Wire.open_ones.pop().close()


@pytest.mark.parametrize("sessions", [500, pytest.param(10_000, marks=pytest.mark.long)])
def test_sessions_that_are_dropped_leave_nothing_behind(tmp_path: Path, sessions: int) -> None:
    with running_platform(tmp_path, config="[calls]\nparked_ttl_s = 1.0") as platform:
        platform.cli("server", "add", "stdio", "--shared", "--", *line("--only", "legacy"))
        platform.cli("limit", "remove", "each-principal")  # one principal asks as fast as it can
        for number in range(100):
            live(platform, number)
        children = len(platform.family())
        before = descriptors(platform)
        platform.wait_for(lambda: _at_most(descriptors(platform), before), "the first ones to be let go", 10)
        before, held = descriptors(platform), resident_kib(platform)
        for number in range(sessions):
            live(platform, number)
        allowed = {name: count + SPARE_DESCRIPTORS for name, count in before.items()}
        platform.wait_for(lambda: _at_most(descriptors(platform), allowed), "descriptors to return", 10)
        assert len(platform.family()) <= children
        grown = {name: kib - held[name] for name, kib in resident_kib(platform).items()}
        print(f"{sessions} sessions: KiB grown {grown}, descriptors {before} -> {descriptors(platform)}")
        assert all(kib < MAX_GROWN_KIB for kib in grown.values()), grown


def _at_most(found: dict[str, int], allowed: dict[str, int]) -> bool:
    return all(found[name] <= most for name, most in allowed.items())
