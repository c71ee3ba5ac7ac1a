"""The machine under the platform: clock, disk, ports, file descriptors, kernel."""

import errno
import os
import platform
import resource
import shutil
import socket
from collections.abc import Iterator

from mcp_platform.base import clock
from mcp_platform.base.config import Settings
from mcp_platform.cli.checks.finding import Finding, Patient, fault, ok, warning

LOW_DISK_BYTES = 1 << 30
"""1 GiB: about a quarter of an hour of records at 1,000 calls a second."""
NO_DISK_BYTES = 64 << 20
"""64 MiB: the database and the log can fail within seconds."""
CLOCK_SLACK_S = 5.0
"""Seconds a file may seem to come from the future: file systems round, and so do clocks that are being slewed."""
EARLIEST = 1_790_000_000.0
"""September 2026. An earlier clock is wrong: this program did not exist."""
SPARE_DESCRIPTORS = 4096
MINIMAL_KERNEL = (5, 13)
"""The first with Landlock."""


def examine(patient: Patient) -> Iterator[Finding]:
    yield _clock(patient)
    if patient.data.root.is_dir():
        yield _disk(patient)
    if patient.loaded is not None:
        yield from _ports(patient, patient.loaded.settings)
        yield _descriptors(patient.loaded.settings)
    yield _kernel()


def _clock(patient: Patient) -> Finding:
    now = clock.now()
    if now < EARLIEST:
        return fault("clock", f"the clock says {clock.rfc3339(now)}", "Set the clock; use NTP.")
    try:
        ahead = patient.data.database.stat().st_mtime - now
    except OSError:
        ahead = 0.0
    if ahead > CLOCK_SLACK_S:
        return fault(
            "clock", f"the database was written {ahead:.0f} s in the future: the clock went back", "Set it; use NTP."
        )
    return ok("clock", f"the clock says {clock.rfc3339(now)}")


def _disk(patient: Patient) -> Finding:
    free = shutil.disk_usage(patient.data.root).free
    says = f"{free / (1 << 30):.1f} GiB free for the data folder"
    if free < NO_DISK_BYTES:
        return fault("disk", says, "Free some space: changes and records fail when the disk is full.")
    if free < LOW_DISK_BYTES:
        return warning("disk", says, "Free some space soon.")
    return ok("disk", says)


def _ports(patient: Patient, settings: Settings) -> Iterator[Finding]:
    for name, host, port in (
        ("gateway", settings.gateway.host, settings.gateway.port),
        ("console", settings.console.host, settings.console.port),
    ):
        if patient.running:
            continue  # control's and the workers' checks say whether they answer
        yield _can_bind(name, host, port)


def _can_bind(name: str, host: str, port: int) -> Finding:
    check = f"port.{name}"
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[
            0
        ]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        reason = {errno.EADDRINUSE: "another program uses it", errno.EACCES: "this user may not"}.get(
            error.errno or 0, "the address is not one of this machine"
        )
        return fault(check, f"cannot listen on {host} port {port}: {reason}", f"Change {name}.host or {name}.port.")
    return ok(check, f"{host} port {port} is free")


def _descriptors(settings: Settings) -> Finding:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = settings.http.max_connections + settings.upstreams.max_connections + SPARE_DESCRIPTORS
    if hard != resource.RLIM_INFINITY and hard < wanted:
        return warning(
            "descriptors",
            f"a process may open {hard} files, the settings can need {wanted}",
            "Raise the limit (LimitNOFILE= in a systemd unit, `ulimit -Hn`), or lower http.max_connections.",
        )
    return ok("descriptors", f"a process may open {'any number of' if hard < 0 else hard} files; {wanted} are enough")


def _kernel() -> Finding:
    release = os.uname().release
    if platform.system() != "Linux":
        return fault("kernel", f"this is {platform.system()}", "Run it on Linux: it is made for nothing else.")
    numbers = tuple(int(part) for part in release.split("-")[0].split(".")[:2] if part.isdigit())
    if numbers < MINIMAL_KERNEL:
        return warning("kernel", f"Linux {release} knows no Landlock", "Use Linux 5.13 or newer.")
    return ok("kernel", f"Linux {release}, Python {platform.python_version()}")
