"""Keys that are fetched without anybody asking by name: how often, what of it is stored, and when they are given up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from mcp_platform.base.errors import Fault
from mcp_platform.control import key_sets
from mcp_platform.control.errors import ACTION_UNKNOWN
from mcp_platform.control.rotation import ASKED_BURST, ASKED_EVERY_S, MAX_STALE_S, Rotation
from mcp_platform.features.jwt.tables import issuers
from tests.control.worlds import World, world
from tests.features.jwt.provider import ISSUER, Provider, Signer, publishing

pytestmark = pytest.mark.anyio


class Hours:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


@asynccontextmanager
async def rotating(folder: Path) -> AsyncIterator[tuple[World, Provider, Rotation, Hours]]:
    """A control that trusts a provider with one key."""

    async def fetch(url: str, authority: str | None) -> bytes:
        return await key_sets.fetch(url, authority, 5.0)

    hours = Hours()
    with publishing(Signer.make("EdDSA", "k1")) as provider:
        async with world(folder) as here:
            here.reach.fetch_keys = fetch  # type: ignore[attr-defined]  # the world knows servers, not key sets
            await here.ask("issuer.add", name="corp", url=ISSUER, keys_url=provider.url)
            yield here, provider, Rotation(here.executor, 5.0, hours), hours


def kids(here: World) -> list[str | None]:
    with here.store.unit(0.0) as unit:
        (row,) = issuers(unit)
    return [key.kid for key in row.keys]


def issuer_id(here: World) -> str:
    with here.store.unit(0.0) as unit:
        return issuers(unit)[0].id


async def test_a_change_is_stored_and_published_and_no_change_is_nothing(tmp_path: Path) -> None:
    async with rotating(tmp_path) as (here, provider, rotation, hours):
        before = len(here.watched.revisions)
        await rotation.look()
        assert (provider.hits, len(here.watched.revisions)) == (2, before)
        provider.publish(Signer.make("EdDSA", "k1"), Signer.make("ES256", "k2"))
        await rotation.look()
        assert provider.hits == 2, "it is not its turn"
        hours.at += 301
        await rotation.look()
        assert (provider.hits, len(here.watched.revisions)) == (3, before + 1)
        assert kids(here) == ["k1", "k2"]


async def test_keys_that_nobody_confirms_for_a_day_are_trusted_no_more(tmp_path: Path) -> None:
    async with rotating(tmp_path) as (here, provider, rotation, hours):
        await rotation.look()
        provider.status = 503
        hours.at += MAX_STALE_S - 1
        await rotation.look()
        assert kids(here) == ["k1"]
        hours.at += 302
        await rotation.look()
        assert kids(here) == []
        provider.status = 200
        hours.at += 301
        await rotation.look()
        assert kids(here) == ["k1"]


async def test_unknown_keys_cause_few_fetches_however_many_they_are(tmp_path: Path) -> None:
    async with rotating(tmp_path) as (here, provider, rotation, hours):
        answers = [await rotation.asked(issuer_id(here)) for _ in range(20)]
        assert answers == [True] * ASKED_BURST + [False] * (20 - ASKED_BURST)
        assert provider.hits == 1 + ASKED_BURST
        hours.at += ASKED_EVERY_S
        assert [await rotation.asked(issuer_id(here)) for _ in range(3)] == [True, False, False]


async def test_questions_at_the_same_time_are_one_fetch(tmp_path: Path) -> None:
    async with rotating(tmp_path) as (here, provider, rotation, _hours):
        answers = await asyncio.gather(*(rotation.asked(issuer_id(here)) for _ in range(50)))
        assert all(answers)
        assert provider.hits == 2


async def test_nobody_is_asked_about_an_issuer_that_is_not_trusted(tmp_path: Path) -> None:
    async with rotating(tmp_path) as (here, provider, rotation, _hours):
        assert await rotation.asked("iss_0000000000000000") is False
        await here.ask("issuer.remove", name="corp")
        await rotation.look()
        assert provider.hits == 1


async def test_only_the_platform_itself_rotates(tmp_path: Path) -> None:
    async with rotating(tmp_path) as (here, _provider, _rotation, _hours):
        with pytest.raises(Fault) as refused:
            await here.ask("issuer.rotate", id=issuer_id(here), keys='{"keys":[]}')
        assert refused.value.kind is ACTION_UNKNOWN
        assert kids(here) == ["k1"]
