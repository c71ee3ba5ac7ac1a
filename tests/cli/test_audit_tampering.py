"""A record that was tampered with, as its reader finds out: `audit verify` on a copied folder, with the key alone."""

import json
import random
import shutil
from pathlib import Path

import pytest
import uvloop

from tests.cli.shell import Shell
from tests.journal.world import World, filled_world

TRIALS = 20


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return uvloop.run(filled_world(tmp_path_factory.mktemp("tampering") / "data", rounds=2))


def test_twenty_flipped_bytes_are_each_found_and_located(world: World, tmp_path: Path) -> None:
    """The issue: 20 of the ten thousand through the command line, offline, on a copy, with only the public key."""
    key = tmp_path / "journal.pub"
    key.write_bytes(world.public.read_bytes())
    copy = tmp_path / "copy"
    shell = Shell(tmp_path)
    command = ("audit", "verify", "--data", str(copy), "--public-key", str(key), "--json")
    shutil.copytree(world.data, copy)
    chance = random.Random(20)
    whole = shell.run(*command)
    assert whole.status == 0, whole.out + whole.err
    for trial in range(TRIALS):
        path = chance.choice(sorted((copy / "journal").glob("*.seg*")))
        untouched = path.read_bytes()
        # Behind the last record of a plain segment there is only the zero-filled room for the next ones.
        at = chance.randrange(len(untouched.rstrip(b"\0")))
        path.write_bytes(untouched[:at] + bytes([untouched[at] ^ (1 << chance.randrange(8))]) + untouched[at + 1 :])
        done = shell.run(*command)
        found = done.json()
        assert done.status == 1, (trial, path.name, at, found)
        assert found["intact"] is False
        assert path.name.split(".")[0] in json.dumps(found["findings"]), (trial, path.name, at, found)
        path.write_bytes(untouched)
