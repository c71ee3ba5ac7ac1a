"""The platform as a candidate: as an operator would run it, with one worker, keys, limits and a record."""

import json
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.bench.candidate import Candidate
from tests.bench.machine import MEASURED, pin, tree
from tests.journeys.platform import COMMAND, Platform, running_platform


@contextmanager
def gateway(
    folder: Path, behind: int, durability: str, keys: int, workers: int = 1, command: Sequence[str] = COMMAND
) -> Iterator[Candidate]:
    """A platform over the server at port `behind`, called by `keys` principals under a limit that is counted for each
    and never reached. Durability `none` is no setting: the journal is another then."""
    folder.mkdir(parents=True, exist_ok=True)
    config = f'[journal]\ndurability = "{durability}"\n' if durability != "none" else ""
    if durability == "none":
        command = (sys.executable, str(Path(__file__).with_name("without_record.py")))
    with running_platform(folder, command=command, workers=workers, config=config) as platform:
        platform.cli("server", "add", "stub", f"http://127.0.0.1:{behind}/mcp")
        platform.cli("limit", "set", "each", "--rate", "1000000/s", "--burst", "1000000")
        credentials = [platform.api_key, *made_keys(platform, keys - 1)]
        pids = tree(platform.pid)
        pin(pids, MEASURED)
        name = f"gateway, {durability}"
        yield Candidate(name, platform.ports["gateway"], pids, tuple(f"Bearer {key}" for key in credentials))


@contextmanager
def over_server(folder: Path, url: str) -> Iterator[Candidate]:
    """A platform over a server of somebody else, with one key."""
    folder.mkdir(parents=True, exist_ok=True)
    with running_platform(folder, workers=1, config='[journal]\ndurability = "relaxed"\n') as platform:
        platform.cli("server", "add", "real", url)
        pids = tree(platform.pid)
        pin(pids, MEASURED)
        yield Candidate("gateway, relaxed", platform.ports["gateway"], pids, (f"Bearer {platform.api_key}",))


@contextmanager
def over_servers(folder: Path, name: str, servers: Mapping[str, int]) -> Iterator[Candidate]:
    """A platform over many servers on this machine, by port, with one key that no limit stops."""
    folder.mkdir(parents=True, exist_ok=True)
    with running_platform(folder, workers=1, config='[journal]\ndurability = "relaxed"\n') as platform:
        for server, port in servers.items():
            platform.cli("server", "add", server, f"http://127.0.0.1:{port}/mcp")
        platform.cli("limit", "set", "each", "--rate", "1000000/s", "--burst", "1000000")
        pids = tree(platform.pid)
        pin(pids, MEASURED)
        yield Candidate(name, platform.ports["gateway"], pids, (f"Bearer {platform.api_key}",))


def made_keys(platform: Platform, count: int) -> list[str]:
    """Keys of principals that may call everything. By the local socket: a process for each takes too long."""
    made = []
    for number in range(count):
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(60)
            control.connect(str(platform.data / "control.sock"))
            asked = {"action": "key.create", "params": {"principal": f"agent-{number}", "roles": ["member"]}}
            control.sendall(json.dumps(asked).encode() + b"\n")
            with control.makefile("rb") as lines:
                answer = next(message for message in map(json.loads, lines) if "ok" in message)
        assert answer["ok"], answer
        made.append(str(answer["result"]["api_key"]))
    return made
