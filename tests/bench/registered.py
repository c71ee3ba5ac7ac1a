"""What is registered and not called: the same calls of ten callers to ten tools, on a platform that knows nothing else
and on one with a hundred thousand tools, keys and roles.
"""

import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from tests.bench import closed_loop, traffic
from tests.bench.candidate import Candidate
from tests.bench.gateways import made_keys
from tests.bench.machine import MEASURED, pin, tree
from tests.bench.rounds import in_turns, ratio
from tests.bench.upstreams import stub
from tests.gateway.many_keys import add_keys
from tests.journeys.platform import Platform

REGISTERED = 100_000
CALLED = 10
TOOLS_EACH = 10_000
"""Of one server, at most."""


def measured() -> dict[str, Any]:
    """Processor time for each call, and the ratio of many registered to few."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="registered-")))
        few = stack.enter_context(_gateway(folder / "few", "ten registered", CALLED))
        many = stack.enter_context(_gateway(folder / "many", f"{REGISTERED:,} registered", REGISTERED))
        mixes = {
            each.name: closed_loop.written(
                folder / f"{number}.mix", traffic.steady(each.credentials, 2000, CALLED), each.port
            )
            for number, each in enumerate((few, many))
        }
        found = in_turns((few, many), mixes, 32, seconds=2, rounds=5)
    return {
        "registered": REGISTERED,
        "candidates": {name: series.as_data() for name, series in found.items()},
        "ratio": ratio(found, many.name, few.name),
    }


@contextmanager
def _gateway(folder: Path, name: str, registered: int) -> Iterator[Candidate]:
    """A platform with as many tools, keys and roles, at most `TOOLS_EACH` tools on a server."""
    folder.mkdir(parents=True)
    platform = Platform.make(folder, workers=1, config='[journal]\ndurability = "relaxed"\n')
    if registered > CALLED:
        _add_keys_and_roles(platform, registered)
    platform.start()
    try:
        with ExitStack() as stack:
            for first in range(0, registered, TOOLS_EACH):
                place = folder / f"from-{first}"
                place.mkdir()
                port = stack.enter_context(stub(place, min(TOOLS_EACH, registered), first))
                platform.cli("server", "add", f"stub-{first}", f"http://127.0.0.1:{port}/mcp", timeout_s=300)
                print(f"bench: {first + min(TOOLS_EACH, registered):,} tools registered", file=sys.stderr)
            platform.cli("limit", "set", "each", "--rate", "1000000/s", "--burst", "1000000")
            credentials = [platform.api_key, *made_keys(platform, CALLED - 1)]
            pids = tree(platform.pid)
            pin(pids, MEASURED)
            yield Candidate(name, platform.ports["gateway"], pids, tuple(f"Bearer {key}" for key in credentials))
    finally:
        platform.stop()


def _add_keys_and_roles(platform: Platform, count: int) -> None:
    """Straight into the database of a platform that is not running; each role allows one tool."""
    with closing(sqlite3.connect(platform.data / "platform.db")) as database:
        add_keys(database, count)
        roles = [(f"role-{number}", f'["stub-0/lookup_{number}"]', 0, 0.0) for number in range(count)]
        database.executemany("insert into roles (name, rules, built_in, created_at) values (?,?,?,?)", roles)
        database.commit()
