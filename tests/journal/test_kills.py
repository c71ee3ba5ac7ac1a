"""A writer killed at any moment loses nothing that anybody was told: SIGKILL at random points under load."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import uvloop

from mcp_platform.journal import place
from mcp_platform.journal.checkpoint import Checkpoints
from mcp_platform.journal.options import Options
from mcp_platform.journal.read import closing_of
from mcp_platform.journal.recover import Recovery, dead_segments
from mcp_platform.journal.verify import verify
from mcp_platform.journal.writer import JournalWriter
from tests.journal.kept import kept
from tests.journal.world import PLATFORM, World, empty_world

KILLS = 20
KILLS_ALL = 3300
"""Of each durability: 10^4 in all."""
SCRIPT = Path(__file__).with_name("killed_writer.py")


async def tend(world: World) -> int:
    """What control does at its start; says how many segments were closed."""
    options = Options(durability="strict", reserve_bytes=65_536)
    control = JournalWriter(world.journal, PLATFORM, place.CONTROL, options)
    control.start()
    recovered = await Recovery(world.journal, world.key, control).run()
    signer = JournalWriter(world.journal, PLATFORM, place.CHECKPOINTS, options)
    signer.start()
    checkpoints = Checkpoints(world.journal, PLATFORM, world.key, signer)
    await checkpoints.prepare()
    await control.close()
    await checkpoints.make()
    await signer.close()
    checkpoints.close()
    return len(recovered)


@pytest.mark.parametrize("durability", ["strict", "group", "relaxed"])
def test_every_executed_call_has_its_intent_and_every_answered_call_its_outcome(
    durability: str, memory: Path, request: pytest.FixtureRequest
) -> None:
    """Issue: 20 kills in the normal run, 10^4 with --all; afterwards chains verify and nothing is left open."""
    world = empty_world(memory / "data")
    kills = KILLS_ALL if request.config.getoption("--all") else KILLS
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(world.data), durability, str(kills), "20261122"],
        capture_output=True,
        text=True,
        timeout=3600,
        check=True,
    )
    lives = [json.loads(line) for line in done.stdout.splitlines()]
    executed = {trace for life in lives for trace in life["executed"]}
    answered = {trace for life in lives for trace in life["answered"]}
    assert len(lives) == kills
    assert len(answered) > kills, "the load was no load"
    assert dead_segments(world.journal), "nobody died"

    assert uvloop.run(tend(world)) > 0
    for file in place.segments(world.journal):
        assert closing_of(world.journal, file.name) is not None, f"{file.name} is still open"
    intents, ended, unknown = kept(world.journal)
    assert intents == ended | unknown, "every intent has its outcome"
    assert not ended & unknown
    assert executed <= intents
    assert answered <= ended
    report = verify(world.data, world.public)
    assert report.intact, report.findings
    assert not [each for each in report.findings if each.kind == "not_closed"]
