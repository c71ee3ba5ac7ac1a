"""Two files in DATA/run that say what holds: processes.json and ports.json. Read by doctor, the CLI and people."""

import dataclasses
import json
import os
from pathlib import Path

from mcp_platform.base import clock
from mcp_platform.base.folder import DataFolder
from mcp_platform.supervisor.containment import Containment
from mcp_platform.supervisor.places import Place
from mcp_platform.supervisor.sockets import Ports


def write_ports(data: DataFolder, ports: Ports) -> None:
    _write(data.run / "ports.json", dataclasses.asdict(ports))


def write_processes(data: DataFolder, containment: Containment, places: list[Place]) -> None:
    """Pids are as the supervisor sees them; with a keeper, the upstream-host's is the keeper's."""
    rows = [
        {
            "role": place.role.name,
            "slot": place.slot,
            "pid": place.pid,
            "restarts": place.deaths,
            "since": clock.rfc3339(place.since) if place.pid is not None else None,
        }
        for place in places
    ]
    _write(data.run / "processes.json", {"supervisor": os.getpid(), "containment": containment, "processes": rows})


def _write(path: Path, content: object) -> None:
    """Whole or not at all, but not durable: it says what runs now."""
    aside = path.with_name(f".{path.name}.new")
    aside.touch(0o600)
    aside.write_text(json.dumps(content) + "\n")
    aside.rename(path)
