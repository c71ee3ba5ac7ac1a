"""Limits are set, listed and removed; what cannot be meant is refused."""

from pathlib import Path

import pytest

from mcp_platform.base.errors import INVALID, NOT_FOUND, Fault
from mcp_platform.features.identity.errors import PRINCIPAL_UNKNOWN
from mcp_platform.features.ratelimit.tables import limits
from tests.control.worlds import World, world


async def rules(made: World) -> dict[str, object]:
    return {rule.name: rule for rule in await made.executor.read(limits)}


async def test_a_new_platform_has_two_limits(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        listed = (await made.ask("limit.list"))["limits"]
        assert isinstance(listed, list)
        assert [(row["name"], row["by"]) for row in listed] == [
            ("each-principal", "principal"),
            ("failed-authentication", "address"),
        ]


async def test_a_limit_is_made_changed_and_removed(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        first = await made.ask("limit.set", name="daily", count=1000, period_s=86400.0, principal="owner")
        assert (first["burst"], first["replaced"], first["principal"]) == (1000, False, "owner")
        assert made.watched.touched[-1].limits
        again = await made.ask("limit.set", name="daily", count=10, period_s=60.0, tool="git/*", shadow=True)
        assert (again["replaced"], again["endpoint"], again["shadow"]) == (True, "tools/call", True)
        assert len(await rules(made)) == 3
        await made.ask("limit.remove", name="daily")
        assert "daily" not in await rules(made)
        with pytest.raises(Fault) as refused:
            await made.ask("limit.remove", name="daily")
        assert refused.value.kind is NOT_FOUND


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "A"},
        {"name": 'a";q=9'},
        {"count": 0},
        {"count": 10**10},
        {"period_s": 0.5},
        {"period_s": 1e9},
        {"burst": 0},
        {"count": 1, "period_s": 86400.0, "burst": 1000},
        {"by": "nobody"},
        {"endpoint": "/MCP"},
        {"endpoint": "tools/Call"},
        {"endpoint": "/healthz"},
        {"tool": "git"},
        {"tool": "git/a*"},
        {"tool": "git/a", "endpoint": "tools/list"},
        {"by": "address", "tool": "git/a"},
        {"by": "address", "principal": "owner"},
        {"by": "address", "endpoint": "tools/call"},
        {"by": "everyone", "principal": "owner"},
    ],
    ids=str,
)
async def test_what_cannot_be_meant_is_refused(tmp_path: Path, wrong: dict[str, object]) -> None:
    async with world(tmp_path) as made:
        with pytest.raises(Fault) as refused:
            await made.ask("limit.set", **{"name": "x", "count": 10, "period_s": 60.0, **wrong})
        assert refused.value.kind is INVALID
        assert len(await rules(made)) == 2


async def test_a_principal_that_is_not_known_is_refused(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        with pytest.raises(Fault) as refused:
            await made.ask("limit.set", name="x", count=1, period_s=1.0, principal="nobody")
        assert refused.value.kind is PRINCIPAL_UNKNOWN


async def test_there_are_at_most_64(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        for number in range(62):
            await made.ask("limit.set", name=f"l{number}", count=1, period_s=1.0)
        with pytest.raises(Fault) as refused:
            await made.ask("limit.set", name="more", count=1, period_s=1.0)
        assert refused.value.kind is INVALID
        assert (await made.ask("limit.set", name="l1", count=2, period_s=1.0))["replaced"]
