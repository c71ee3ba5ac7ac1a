"""The supervisor over real processes: what dies comes back, what ends leaves nothing."""

import http.client
import os
import signal
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mcp_platform.features.vault.keys import KeyRing
from tests.supervisor.stand_in import BOUND_S, NOBODY, StandIn, stand_in

AS_ROOT = os.geteuid() == 0
BACK_S = 3.0
"""Seconds that the issue gives a killed process to be back."""
MODES: list[Any] = [
    pytest.param("subreaper", None, id="subreaper"),
    pytest.param(None, None, id="strongest"),
]
if AS_ROOT:
    MODES += [
        pytest.param("user_namespace", None, id="user-namespace"),
        pytest.param(None, NOBODY, id="strongest-unprivileged"),
        pytest.param("subreaper", NOBODY, id="subreaper-unprivileged"),
    ]


@pytest.fixture
def platform() -> Iterator[StandIn]:
    with stand_in() as made:
        yield made


def complete(platform: StandIn) -> int:
    """Supervisor, control, upstream-host, two workers, two programs of the host's; and a keeper where there is one."""
    return 7 if platform.status()["containment"] == "pid_namespace" else 8


def wait_until_sheltered(platform: StandIn) -> None:
    """Until every process is past its preparation; the answer to /readyz speaks for one worker only."""

    def sheltered(pid: int | None) -> bool:
        return pid is not None and "NoNewPrivs:\t1" in Path(f"/proc/{pid}/status").read_text()

    rows = platform.status()["processes"]
    platform.wait_for(lambda: all(sheltered(row["pid"]) for row in rows), "no new privileges anywhere")


def holds(pid: int) -> set[str]:
    """What the descriptors of a process are."""
    found = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        found.add(os.readlink(entry))
    return found


def socket_at(path: Path, holder: int) -> str:
    """The socket that `holder` has bound at `path`, as /proc/PID/fd shows it. Other platforms have the same names."""
    for line in Path("/proc/net/unix").read_text().splitlines():
        if line.endswith(f"/{path.name}") and f"socket:[{line.split()[6]}]" in holds(holder):
            return f"socket:[{line.split()[6]}]"
    raise AssertionError(path)


def test_it_says_when_it_is_ready_and_ends_with_zero(platform: StandIn) -> None:
    platform.begin()
    assert platform.ask()["pid"] in platform.everybody()
    assert platform.stop() == 0
    assert platform.everybody() == []
    assert not platform.data.control_socket.exists()
    assert list(platform.data.run.iterdir()) == []


@pytest.mark.parametrize(("containment", "user"), MODES)
def test_whatever_is_killed_comes_back_and_nothing_is_left(containment: str | None, user: int | None) -> None:
    """Grandchildren that left their session and their parent included."""
    with stand_in(containment=containment, user=user) as platform:
        platform.begin()
        platform.wait_for(lambda: len(platform.everybody()) == complete(platform), "everybody")
        for role in ("control", "upstream-host", "worker"):
            killed = platform.pid_of(role)
            before = set(platform.everybody())
            os.kill(killed, signal.SIGKILL)
            platform.wait_for(lambda old=killed, role=role: platform.pid_of(role) != old, role, BACK_S)
            platform.wait_for(
                lambda before=before: (
                    len(platform.everybody()) == complete(platform) and set(platform.everybody()) != before
                ),
                f"as many as before, after {role}",
                BACK_S,
            )
        os.kill(platform.pid, signal.SIGKILL)
        platform.wait_for(lambda: not platform.everybody(), "all to end with the supervisor", BACK_S)
        assert platform.process is not None
        platform.process.wait()
        platform.begin()
        assert platform.stop() == 0
        assert platform.everybody() == []


def test_the_host_behind_a_keeper_is_replaced_when_it_is_killed_itself() -> None:
    with stand_in(containment="user_namespace" if AS_ROOT else None) as platform:
        platform.begin()
        platform.wait_for(lambda: len(platform.everybody()) == complete(platform), "everybody")
        keeper = platform.pid_of("upstream-host")
        children = Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split()
        if platform.status()["containment"] == "pid_namespace":
            pytest.skip("no keeper here")
        os.kill(int(children[0]), signal.SIGKILL)
        platform.wait_for(lambda: platform.pid_of("upstream-host") != keeper, "another host", BACK_S)
        platform.wait_for(lambda: len(platform.everybody()) == complete(platform), "as many as before", BACK_S)


def test_a_process_that_never_starts_does_not_stop_the_others() -> None:
    with stand_in(environment={"STAND_IN_CRASH": "control"}) as platform:
        platform.begin()
        worker = platform.pid_of("worker")
        (platform.folder / "crash").touch()
        os.kill(platform.pid_of("control"), signal.SIGKILL)
        platform.wait_for(lambda: platform.status()["processes"][0]["restarts"] >= 4, "four restarts")
        assert platform.pid_of("worker") == worker
        assert platform.ask()["pid"] in platform.everybody()


def test_a_start_that_never_succeeds_is_given_up() -> None:
    with stand_in(environment={"STAND_IN_CRASH": "worker"}) as platform:
        (platform.folder / "crash").touch()
        platform.start()
        said = platform.said()
        assert (said["code"], said["process"]) in [("start_failed", "worker-0"), ("start_failed", "worker-1")]
        assert platform.process is not None
        platform.process.wait(BOUND_S)
        assert platform.everybody() == []


def test_a_process_that_finds_the_configuration_wrong_ends_the_start() -> None:
    with stand_in(environment={"STAND_IN_REFUSE": "worker"}) as platform:
        platform.start()
        assert platform.process is not None
        assert platform.process.wait(BOUND_S) == 78
        assert platform.everybody() == []


def test_a_call_in_flight_is_finished_before_the_end(platform: StandIn) -> None:
    platform.begin()
    answers: list[dict[str, Any]] = []
    caller = threading.Thread(target=lambda: answers.append(platform.ask("/slow/0.5")))
    caller.start()
    platform.wait_for(lambda: connections(platform) > 0, "the call to arrive")
    assert platform.stop() == 0
    caller.join(BOUND_S)
    assert [answer["slot"] for answer in answers] in ([0], [1])


def test_a_second_signal_ends_all_at_once(platform: StandIn) -> None:
    platform.begin()
    connection = http.client.HTTPConnection("127.0.0.1", platform.ports["gateway"], timeout=BOUND_S)
    connection.request("GET", "/slow/60")
    platform.wait_for(lambda: connections(platform) > 0, "the call to arrive")
    os.kill(platform.pid, signal.SIGTERM)
    platform.wait_for(lambda: refused(platform), "the drain to begin")
    assert platform.stop(signal.SIGTERM) == 0
    assert platform.everybody() == []
    connection.close()


def test_a_drain_is_bounded() -> None:
    with stand_in(settings={"processes": {"drain_s": 0.2}}) as platform:
        platform.begin()
        connection = http.client.HTTPConnection("127.0.0.1", platform.ports["gateway"], timeout=BOUND_S)
        connection.request("GET", "/slow/60")
        platform.wait_for(lambda: connections(platform) > 0, "the call to arrive")
        assert platform.stop() == 0
        connection.close()


def connections(platform: StandIn) -> int:
    """Established connections to the gateway's port that a worker took and that brought bytes."""
    port = f":{platform.ports['gateway']:04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(port) and row[3] == "01" and row[9] != "0" for row in rows)


def refused(platform: StandIn) -> bool:
    try:
        platform.ask(timeout_s=1.0)
    except (OSError, http.client.HTTPException):
        return True
    return False


def test_a_reload_replaces_who_reads_the_changed_settings_and_refuses_nobody(platform: StandIn) -> None:
    platform.begin()
    host, control = platform.pid_of("upstream-host"), platform.pid_of("control")
    failures: list[Exception] = []
    done = threading.Event()

    def call_on_and_on() -> None:
        while not done.is_set():
            try:
                platform.ask()
            except (OSError, http.client.HTTPException) as error:
                failures.append(error)

    callers = [threading.Thread(target=call_on_and_on) for _ in range(3)]
    for caller in callers:
        caller.start()
    try:
        changed = {**platform.settings, "http": {"idle_timeout_s": 11.0}}
        changed["gateway"] = {**changed["gateway"], "port": 1}
        platform.configure(changed)
        os.kill(platform.pid, signal.SIGHUP)
        platform.wait_for(lambda: '"event": "reloaded"' in platform.log, "the reload to end")
        assert {row["restarts"] for row in platform.status()["processes"]} == {0}, "nobody died"
    finally:
        done.set()
        for caller in callers:
            caller.join(BOUND_S)
    assert failures == []
    seen = {answer["slot"]: answer for answer in (platform.ask() for _ in range(50))}
    assert {answer["idle_timeout_s"] for answer in seen.values()} == {11.0}
    assert platform.pid_of("control") != control
    assert platform.pid_of("upstream-host") == host
    assert '"setting_needs_restart", "setting": "gateway.port"' in platform.log


def test_a_bad_configuration_is_told_and_the_old_one_kept(platform: StandIn) -> None:
    platform.begin()
    before = platform.status()
    (platform.folder / "settings.json").write_text("{")
    os.kill(platform.pid, signal.SIGHUP)
    platform.wait_for(lambda: "reload_refused" in platform.log, "the refusal")
    assert platform.status() == before
    assert platform.ask()["idle_timeout_s"] == 75.0


def test_each_process_holds_only_what_it_serves(platform: StandIn) -> None:
    platform.begin()
    wait_until_sheltered(platform)
    rows = platform.status()["processes"]
    pids = {row["role"] if row["slot"] is None else f"worker-{row['slot']}": row["pid"] for row in rows}
    run = platform.data.run
    holders = {
        platform.data.control_socket: {"control"},
        run / "feed.sock": {"control"},
        run / "broker.sock": {"control"},
        run / "host.sock": {"upstream-host"},
        run / "owner-0.sock": {"worker-0"},
        run / "owner-1.sock": {"worker-1"},
    }
    for path, expected in holders.items():
        found = {name for name, pid in pids.items() if socket_at(path, platform.pid) in holds(pid)}
        assert found == expected, path
    assert "/dev/null" in {os.readlink(f"/proc/{pid}/fd/0") for pid in pids.values()}


def test_only_workers_keep_the_worker_secret_and_none_carries_sql(platform: StandIn) -> None:
    platform.begin()
    seen = platform.ask()
    assert seen["secret_bytes"] > 32
    assert seen["sql"] == []


@pytest.mark.skipif(not AS_ROOT, reason="only root may read the memory of a process that is not dumpable")
def test_the_worker_secret_is_in_no_memory_but_the_workers_and_the_supervisors(platform: StandIn) -> None:
    platform.begin()
    wait_until_sheltered(platform)
    secret = KeyRing.open(platform.data, str(platform.folder / "kek")).worker_secret
    holders = {row["role"] for row in platform.status()["processes"] if in_memory(row["pid"], secret)}
    assert holders == {"worker"}


def in_memory(pid: int, wanted: bytes) -> bool:
    """Whether the writable memory of a process holds these bytes."""
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, rights = line.split()[:2]
            if rights.startswith("rw"):
                begin, end = (int(part, 16) for part in span.split("-"))
                memory.seek(begin)
                if wanted in memory.read(end - begin):
                    return True
    return False


def test_no_process_can_gain_rights_or_be_read_by_others_of_its_user(platform: StandIn) -> None:
    platform.begin()
    wait_until_sheltered(platform)
    if AS_ROOT:
        return
    for row in platform.status()["processes"]:
        with pytest.raises(PermissionError):
            Path(f"/proc/{row['pid']}/environ").read_bytes()


def test_a_second_platform_on_the_folder_is_refused(platform: StandIn) -> None:
    platform.begin()
    first = platform.process
    platform.start()
    assert platform.said()["code"] == "data_folder_in_use"
    assert platform.process is not None
    assert platform.process.wait(BOUND_S) == 78
    platform.process = first
    assert platform.ask()["pid"] in platform.everybody()


def test_a_newer_schema_is_refused_before_anything_starts(platform: StandIn) -> None:
    with closing(sqlite3.connect(platform.data.database)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    platform.start()
    assert platform.said()["code"] == "schema_newer"
    assert "process_started" not in platform.log


def test_a_folder_without_a_platform_is_refused(platform: StandIn) -> None:
    platform.data.database.unlink()
    platform.start()
    assert platform.said()["code"] == "not_initialised"


def test_a_lost_key_is_refused_by_name(platform: StandIn) -> None:
    (platform.folder / "kek").unlink()
    platform.start()
    assert platform.said()["code"] == "kek_unusable"


def test_a_folder_that_others_may_read_is_refused(platform: StandIn) -> None:
    platform.data.root.chmod(0o755)
    platform.start()
    assert platform.said()["code"] == "data_folder_unusable"


def test_a_port_in_use_is_one_clear_refusal(platform: StandIn) -> None:
    platform.begin()
    with stand_in(settings={"gateway": {"port": platform.ports["gateway"]}}) as second:
        second.start()
        said = second.said()
        assert (said["code"], said["setting"]) == ("address_unavailable", "gateway.port")
        assert second.process is not None
        assert second.process.wait(BOUND_S) == 78
        assert second.everybody() == []


def test_it_ends_with_the_terminal_it_was_started_from(platform: StandIn) -> None:
    master, slave = os.openpty()
    platform.terminal = slave
    platform.begin()
    os.close(slave)
    os.close(master)
    assert platform.process is not None
    assert platform.process.wait(BOUND_S) == 0
    assert platform.everybody() == []
