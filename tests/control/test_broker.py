"""The broker: plaintext to those who may ask, for the version they ask for."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import update

from mcp_platform.base.errors import Fault
from mcp_platform.control.broker import Broker
from mcp_platform.control.start import look_up_access
from mcp_platform.features.upstreams.tables import UPSTREAMS, Access
from mcp_platform.net import local
from mcp_platform.net.transports.broker_wire import BrokerClient
from mcp_platform.net.transports.model import Target
from mcp_platform.net.upstream_errors import UPSTREAM_DOWN
from tests.control.worlds import World, world

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def broker(folder: Path) -> AsyncIterator[tuple[World, Broker, BrokerClient]]:
    async with world(folder) as here:
        made = Broker(lambda upstream, version: look_up_access(here.executor, here.ring, upstream, version))
        path = here.data.root / "broker.sock"
        server = await made.serve(local.listen(path))
        client = BrokerClient(path, cache_s=0.0)
        try:
            yield here, made, client
        finally:
            await client.close()
            server.close()


def target(upstream: object, version: int = 1, transport: str = "http") -> Target:
    return Target(
        id=str(upstream), version=version, transport=transport, url=None, has_credentials=True, interactive=False
    )


async def refused(client: BrokerClient, which: Target) -> None:
    with pytest.raises(Fault) as caught:
        await client.credentials(which, None)
    assert caught.value.kind is UPSTREAM_DOWN


async def test_headers_and_launches_come_out_as_they_were_given(tmp_path: Path) -> None:
    async with broker(tmp_path) as (here, _, client):
        web = (await here.ask("server.add", name="web", url="http://a/", headers={"X-Key": "hunter2"}))["id"]
        git = (await here.ask("server.add", name="git", command=["git", "-v"], env={"T": "x"}, cwd="/srv"))["id"]
        assert (await client.credentials(target(web), None)).headers == {"X-Key": "hunter2"}
        launch = await client.launch(target(git, transport="stdio"))
        assert (launch.argv, launch.env, launch.cwd, launch.name) == (["git", "-v"], {"T": "x"}, "/srv", "git")


async def test_a_secret_goes_only_to_the_version_that_it_belongs_to(tmp_path: Path) -> None:
    """A worker with an older snapshot would send it to the older address."""
    async with broker(tmp_path) as (here, _, client):
        web = (await here.ask("server.add", name="web", url="http://a/", headers={"X": "1"}))["id"]
        with here.store.unit(1.0) as unit:
            unit.connection.execute(update(UPSTREAMS).values(version=2))
        await refused(client, target(web, version=1))
        assert (await client.credentials(target(web, version=2), None)).headers == {"X": "1"}


async def test_a_removed_or_unknown_server_has_nothing(tmp_path: Path) -> None:
    async with broker(tmp_path) as (here, _, client):
        web = (await here.ask("server.add", name="web", url="http://a/", headers={"X": "1"}))["id"]
        await here.ask("server.remove", name="web")
        await refused(client, target(web))
        await refused(client, target("ups_unknown"))


async def test_what_is_reached_by_url_is_not_started(tmp_path: Path) -> None:
    async with broker(tmp_path) as (here, _, client):
        web = (await here.ask("server.add", name="web", url="http://a/"))["id"]
        with pytest.raises(Fault) as caught:
            await client.launch(target(web))
        assert caught.value.kind is UPSTREAM_DOWN


async def test_a_server_on_trial_is_answered_for_until_the_trial_ends(tmp_path: Path) -> None:
    async with broker(tmp_path) as (_, made, client):
        made.try_out("try_1", "new", Access(argv=["x"]))
        assert (await client.launch(target("try_1", transport="stdio"))).argv == ["x"]
        made.forget("try_1")
        with pytest.raises(Fault):
            await client.launch(target("try_1", transport="stdio"))


async def test_a_sealed_value_that_does_not_open_is_an_answer_and_no_crash(tmp_path: Path) -> None:
    async with broker(tmp_path) as (here, _, client):
        web = (await here.ask("server.add", name="web", url="http://a/", headers={"X": "1"}))["id"]
        with here.store.unit(1.0) as unit:
            unit.connection.execute(update(UPSTREAMS).values(access=b"x" * 60))
        await refused(client, target(web))
        await refused(client, target(web))
