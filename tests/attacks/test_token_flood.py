"""A flood of forged tokens at the public door: whoever shares its address gets in all the same, soon."""

import asyncio
import json
import secrets
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pytest

from tests.attacks.flood import at_once, request
from tests.features.jwt.provider import ISSUER, Signer, b64, claims
from tests.gateway.door import Door
from tests.journeys.platform import Answer, Platform, modern_request, running_platform

FLOODING = 48
"""Connections that send forged tokens, one after another."""
HONEST = 20
SOON_S = 3.0
"""Seconds, on a machine that the flood shares with us; alone it is some milliseconds."""


@dataclass
class Trusting:
    """A platform with one worker and an issuer; its one address may fail five times in a day."""

    platform: Platform
    signer: Signer

    def token(self, **others: Any) -> str:
        return self.signer.token(claims(self.platform.mcp_url, **others))

    def forged(self, padding: str = "") -> bytes:
        """A request in whose token everything is right but the signature; no two are the same."""
        body, headers = modern_request("tools/list", {"cursor": padding}, self.unsigned + b64(secrets.token_bytes(64)))
        return request(self.platform.ports["gateway"], body, headers)

    @cached_property
    def unsigned(self) -> str:
        return self.token().rpartition(".")[0] + "."

    def ask(self, token: str) -> Answer:
        return self.platform.rpc("tools/list", key=token)


@pytest.fixture(scope="module")
def trusting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trusting]:
    folder = tmp_path_factory.mktemp("flood")
    signer = Signer.make("EdDSA", "k1")
    keys = folder / "keys.json"
    keys.write_text(json.dumps({"keys": [signer.jwk()]}))
    with running_platform(folder, workers=1) as platform:
        platform.cli("issuer", "add", "corp", ISSUER, "--jwks-file", str(keys), "--default-role", "member")
        Door(platform).ask("limit.set", name="failed-authentication", count=5, period_s=86_400.0, by="address")
        yield Trusting(platform, signer)


@asynccontextmanager
async def flood(trusting: Trusting) -> Any:
    """Statuses that it was told, as they come."""
    told: Counter[int] = Counter()
    under_way = asyncio.Event()

    async def one() -> None:
        while True:
            with suppress(OSError, asyncio.IncompleteReadError):
                told.update(await at_once(trusting.platform.ports["gateway"], trusting.forged(), 1, 1))
            if told[429] >= 10 * FLOODING:
                under_way.set()

    running = [asyncio.create_task(one()) for _ in range(FLOODING)]
    try:
        async with asyncio.timeout(10):
            await under_way.wait()
        yield told
    finally:
        for each in running:
            each.cancel()
        await asyncio.gather(*running, return_exceptions=True)


@pytest.mark.anyio
async def test_a_good_token_gets_in_however_many_bad_ones_come_from_its_address(trusting: Trusting) -> None:
    """None of them was seen before: nothing tells them from the forged ones until they are verified."""
    async with flood(trusting) as told:
        before = told.total()
        waits = []
        for number in range(HONEST):
            token = trusting.token(sub=f"honest{number}")
            began = time.monotonic()
            answer = await asyncio.to_thread(trusting.ask, token)
            waits.append(time.monotonic() - began)
            assert answer.status == 200, answer.body
        assert told.total() > before, "the flood went on meanwhile"
        assert set(told) <= {0, 401, 429}
    assert max(waits) < SOON_S, f"waited up to {max(waits):.2f} s"


def test_large_bodies_do_not_wait_in_masses(trusting: Trusting) -> None:
    """What waits for a signature holds memory: the largest goes first, and no caller with a small one."""
    platform = trusting.platform

    async def both() -> tuple[Counter[int], Answer]:
        sending = [
            asyncio.create_task(at_once(platform.ports["gateway"], trusting.forged("x" * 3_000_000), 1, 1))
            for _ in range(30)
        ]
        answer = await asyncio.to_thread(trusting.ask, trusting.token(sub="small"))
        return sum(await asyncio.gather(*sending), Counter()), answer

    told, answer = asyncio.run(both())
    assert answer.status == 200
    assert set(told) <= {0, 401, 429, 503}
