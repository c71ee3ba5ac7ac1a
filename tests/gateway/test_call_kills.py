"""kill -9 of each process in the middle of each kind of work: one table of who dies, of what is under way, and of what
its client then has.

What can go on does; the rest gets one clear error, or (where the process that held its connection died) the end of its
stream; nothing hangs, nothing is executed twice, and every call that began has its end in the record. What streams,
subscriptions and sessions hear afterwards is told at length in test_stream_kills.py; kills under load in
tests/journeys/test_kill.py.
"""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mcp_platform.upstream_host.slot import YOUNG_S
from tests.gateway import interrupted
from tests.gateway.interrupted import CLOSED, PATIENCE_S, WHOLE, HttpServer, Work
from tests.gateway.wires import wires_to_each_worker
from tests.journal.kept import kept
from tests.journeys.platform import Platform, running_platform
from tests.journeys.processes import kill_and_see_dead
from tests.journeys.stock_servers import free_port

pytestmark = [pytest.mark.peers, pytest.mark.long]

LOST = "upstream_lost"
GONE = "parked_call_gone"
WORKS: dict[str, type[Work]] = {
    "stream, 2025-11-25": interrupted.StreamLegacy,
    "stream, 2026-07-28": interrupted.StreamModern,
    "question, 2025-11-25": interrupted.QuestionLegacy,
    "question, 2026-07-28": interrupted.Parked,
    "subscription, 2025-11-25": interrupted.Subscribed,
    "subscription, 2026-07-28": interrupted.Listening,
    "session, 2025-11-25": interrupted.InSession,
}
SERVERS = ("stdio", "http")
VICTIMS = ("its worker", "the other worker", "control", "upstream-host", "server", "server, for a while")

OF_ITS_WORKER = {
    "stream, 2025-11-25": "call_lost",
    "stream, 2026-07-28": CLOSED,
    "question, 2025-11-25": "call_lost",
    "question, 2026-07-28": GONE,
    "subscription, 2026-07-28": CLOSED,
}
"""What dies with the worker that holds it. The other worker and control take nothing with them."""
OF_ITS_SERVER = {
    "stream, 2025-11-25": LOST,
    "stream, 2026-07-28": LOST,
    "question, 2025-11-25": LOST,
    "question, 2026-07-28": GONE,
}
"""What dies with the process that executes it, or with the upstream-host that such a process dies with."""
RECORDED = {WHOLE: ("ok", ""), LOST: ("error", LOST)}
OF_A_DEAD_WORKER = ("unknown", "process_died")


def expected(work: str, server: str, victim: str) -> str:
    """How the work ends for its client."""
    if victim == "its worker":
        return OF_ITS_WORKER.get(work, WHOLE)
    if victim.startswith("server") or (victim == "upstream-host" and server == "stdio"):
        return OF_ITS_SERVER.get(work, WHOLE)
    return WHOLE


def rows() -> Iterator[tuple[str, str, str]]:
    for victim in VICTIMS:
        for server in SERVERS:
            for work in WORKS:
                # The host starts a stdio server again by itself; only one over HTTP can be away for a while, and
                # who waits for its changes waits until it is back.
                away = victim == "server, for a while"
                if not away or (server == "http" and work in OF_ITS_SERVER):
                    yield work, server, victim


@dataclass
class Stage:
    platform: Platform
    log: Path
    http: HttpServer

    def work(self, work: str, server: str) -> tuple[Work, str]:
        """A client of this kind, and the worker that it is connected to and that has its work."""
        self.http.start()
        self.platform.wait_for(self.is_whole, "every process to be back", 10)
        wires = wires_to_each_worker(self.platform)
        worker, wire = min(wires.items())
        made = WORKS[work](self.platform, server, wire, self.log)
        home = made.home()
        if home is not None:
            worker, wire = home, wires[home]
            made.wire = wire
        # A server that died young is started again only after a while.
        self.platform.wait_for(lambda: wire.call(made.tool("who")).status == 200, "the server", 40)
        return made, worker

    def kill(self, victim: str, server: str, worker: str) -> None:
        pids = self.platform.pids()
        if not victim.startswith("server"):
            (other,) = {"worker-0", "worker-1"} - {worker}
            name = {"its worker": worker, "the other worker": other}.get(victim, victim)
            kill_and_see_dead([pids[name]])
        elif server == "http":
            self.http.kill()
        else:
            self.platform.wait_for(lambda: min(self.ages()) > YOUNG_S, "the server to be no young one", 10)
            kill_and_see_dead([each.pid for each in self.platform.family() if str(self.log) in each.line])
        if victim == "server":
            self.http.start()

    def ages(self) -> list[float]:
        """Seconds that the server's processes live. One that keeps dying young is started later and later, and its
        callers are told: another matter."""
        now = time.clock_gettime(time.CLOCK_BOOTTIME)
        started = [each.started for each in self.platform.family() if str(self.log) in each.line]
        return [now - ticks / os.sysconf("SC_CLK_TCK") for ticks in started]

    def is_whole(self) -> bool:
        return len(self.platform.pids()) == 4 and self.platform.is_ready()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("call-kills")
    log = folder / "executed"
    http = HttpServer(log, free_port())
    try:
        http.start()
        with running_platform(folder) as platform:
            # With a credential, which only control knows.
            platform.cli("server", "add", "http", http.url, "--header", "Authorization: Bearer secret")
            platform.cli("server", "add", "stdio", "--", *interrupted.line(log))
            yield Stage(platform, log, http)
            intents, ended, unknown = kept(platform.data / "journal")
            assert intents == ended | unknown
            assert platform.stop() == 0
            assert platform.cli("audit", "verify")["intact"]
    finally:
        http.kill()


@pytest.mark.parametrize(("work", "server", "victim"), list(rows()))
def test_what_is_under_way_goes_on_or_ends_with_one_error(stage: Stage, work: str, server: str, victim: str) -> None:
    client, worker = stage.work(work, server)
    client.begin()
    stage.kill(victim, server, worker)
    killed_at = time.monotonic()
    outcome = client.go_on()
    took_s = time.monotonic() - killed_at
    wanted = expected(work, server, victim)
    # A client that comes back with its answer before the platform knows is told what became of the call itself.
    assert outcome in ({GONE, LOST} if wanted == GONE and victim != "its worker" else {wanted})
    assert took_s < PATIENCE_S
    stage.platform.wait_for(stage.is_whole, "every process to be back", 10)
    if client.makes_a_call:
        assert client.executions("began") == 1
        assert client.executions("ended") == 1 if outcome == WHOLE else client.executions("ended") <= 1
        of_dead = OF_A_DEAD_WORKER if victim == "its worker" else ("error", LOST)
        the_record_says(stage.platform, client.mark, *RECORDED.get(outcome, of_dead))


def the_record_says(platform: Platform, trace: str, outcome: str, error: str) -> None:
    def row() -> list[tuple[str, str]]:
        found = platform.cli("audit", "search", f"trace:{trace}", "kind:call")["rows"]
        return [(each["outcome"], each["error"]) for each in found]

    platform.wait_for(lambda: row() == [(outcome, error)], f"the call to be recorded as {outcome} {error}", 15)


def test_the_table_has_every_process_and_every_kind_of_work() -> None:
    """Those that the requirement names, in the middle of each kind of work at both kinds of servers."""
    cases = list(rows())
    assert len(cases) == len(set(cases)) == (len(VICTIMS) - 1) * len(SERVERS) * len(WORKS) + len(OF_ITS_SERVER)
