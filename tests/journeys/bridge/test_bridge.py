"""Every client does, through one platform, everything that it and each server can do; the table says what that is."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.bridge.cells import tried
from tests.journeys.bridge.clients import PROGRAMS
from tests.journeys.bridge.servers import registered
from tests.journeys.bridge.table import CLIENTS, SERVERS
from tests.journeys.platform import Platform, running_platform

pytestmark = [pytest.mark.peers, pytest.mark.long]


@dataclass(frozen=True, slots=True)
class World:
    """A platform with every server of the table."""

    platform: Platform
    folder: Path
    added: dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("bridge")
    with running_platform(folder) as platform, registered(platform, folder) as added:
        yield World(platform, folder, added)


def test_each_server_is_of_the_era_and_offers_what_the_table_says(world: World) -> None:
    eras = {row["name"]: row["era"] for row in world.platform.cli("server", "list")["servers"]}
    assert eras == {name: server.era for name, server in SERVERS.items()}
    for name, server in SERVERS.items():
        added = world.added[name]
        assert bool(added["prompt_count"]) == ("prompt" in server.trials), name
        assert bool(added["resource_count"] or added["template_count"]) == ("read" in server.trials), name


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("client", PROGRAMS)
def test_a_pair_can_do_what_the_table_says(world: World, client: str, server: str) -> None:
    able = [feature for feature in SERVERS[server].trials if feature in CLIENTS[client].can]
    assert tried(world.platform, world.folder, client, SERVERS[server], able) == {}
