"""execute: permission, one transaction, audit, publish; and nothing of it when one of them fails."""

import asyncio
import os
from pathlib import Path

import pytest
from sqlalchemy import select, text

from mcp_platform.base.errors import CONFLICT, INTERNAL, INVALID, ErrorKind, Fault
from mcp_platform.control.entry import SYSTEM, local_actor
from mcp_platform.control.errors import ACTION_UNKNOWN
from mcp_platform.features.audit.actions import verify_chain
from mcp_platform.features.audit.tables import AUDIT_LOG
from mcp_platform.features.identity.tables import PRINCIPALS
from mcp_platform.features.rbac.errors import FORBIDDEN
from mcp_platform.store import revision
from mcp_platform.store.action import Actor
from mcp_platform.store.errors import STORE_FAILED
from mcp_platform.store.permission import Permission
from tests.control.worlds import World, world

pytestmark = pytest.mark.anyio


def log(here: World) -> list[tuple[str, str, str | None]]:
    """(tag, outcome, error) of every row but the first two, which are the first run and the start."""
    with here.store.unit(1.0) as unit:
        rows = unit.connection.execute(select(AUDIT_LOG).order_by(AUDIT_LOG.c.seq)).all()
        assert verify_chain(unit).broken_at is None
    return [(row.tag, row.outcome, row.error) for row in rows][2:]


def state(here: World) -> tuple[int, set[str]]:
    with here.store.unit(1.0) as unit:
        return revision.lock(unit), set(unit.connection.execute(select(PRINCIPALS.c.name)).scalars())


async def refused(here: World, kind: ErrorKind, action: str, **params: object) -> Fault:
    with pytest.raises(Fault) as caught:
        await here.ask(action, **params)
    assert caught.value.kind is kind
    return caught.value


async def test_a_change_is_audited_counted_and_published_before_it_is_answered(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        before, _ = state(here)
        answer = await here.ask("key.create", principal="ana")
        assert state(here) == (before + 1, {"owner", "ana"})
        assert answer["published"] == {
            "revision": before + 1,
            "workers": 0,
            "taken": 0,
            "ms": answer["published"]["ms"],
        }
        assert log(here) == [("keys:key:create", "ok", None)]
        assert here.watched.touched[-1].keys == {answer["id"]}


async def test_a_read_is_audited_and_changes_no_revision(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        before = state(here)
        answer = await here.ask("key.list")
        assert "published" not in answer
        assert state(here) == before
        assert log(here) == [("keys:key:list", "ok", None)]


async def test_secrets_are_in_the_answer_and_nowhere_else(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        key = str((await here.ask("key.create", principal="ana"))["api_key"])
        await here.ask("server.add", name="git", command=["git"], env={"TOKEN": "hunter2-secret"})
        await here.ask("server.add", name="web", url="http://127.0.0.1:9/mcp", headers={"X-Key": "hunter3-secret"})
        with here.store.engine.begin() as connection:
            connection.execute(text("SELECT 1"))
        stored = b"".join(file.read_bytes() for file in here.data.root.rglob("*") if file.is_file())
        for secret in (key, key[17:49], "hunter2-secret", "hunter3-secret", here.first.api_key, here.first.setup_token):
            assert secret.encode() not in stored


async def test_without_the_permission_nothing_happens_and_the_refusal_is_audited(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        before = state(here)
        actor = Actor("local", "local:77", frozenset(Permission) - {Permission.KEYS_KEY_CREATE})
        with pytest.raises(Fault) as caught:
            await here.executor.execute("key.create", {"principal": "ana"}, actor)
        assert caught.value.kind is FORBIDDEN
        assert state(here) == before
        assert log(here) == [("keys:key:create", "refused", "forbidden")]


async def test_a_key_with_roles_needs_the_permission_to_grant_them(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        actor = Actor("local", "local:77", frozenset({Permission.KEYS_KEY_CREATE}))
        with pytest.raises(Fault) as caught:
            await here.executor.execute("key.create", {"principal": "ana", "roles": ["member"]}, actor)
        assert caught.value.kind is FORBIDDEN
        assert state(here)[1] == {"owner"}


async def test_an_unknown_or_internal_action_is_refused_alike_and_audited(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        await refused(here, ACTION_UNKNOWN, "key.destroy")
        await refused(here, ACTION_UNKNOWN, "setup.start")
        assert await here.executor.execute("setup.start", {}, SYSTEM)
        assert [row[1:] for row in log(here)] == [("refused", "action_unknown")] * 2 + [("ok", None)]


@pytest.mark.parametrize(
    "params",
    [
        {"principal": 5},
        {"principal": "ana", "canary-unknown": 1},
        {},
        {"principal": "canary value\n"},
        {"principal": "ana", "scopes": ["canary"]},
        {"principal": "ana", "expires_in_s": -1},
        {"principal": "ana", "agent": "canary\x00"},
    ],
)
async def test_a_bad_parameter_is_refused_without_repeating_it(tmp_path: Path, params: dict[str, object]) -> None:
    async with world(tmp_path) as here:
        before = state(here)
        fault = await refused(here, INVALID, "key.create", **params)
        assert "canary" not in fault.text
        assert state(here) == before
        assert log(here) == [("keys:key:create", "refused", "invalid_input")]


async def test_a_refused_change_leaves_nothing_behind(tmp_path: Path) -> None:
    """The principal is made before the role is looked up: both or neither."""
    async with world(tmp_path) as here:
        before = state(here)
        with pytest.raises(Fault):
            await here.ask("key.create", principal="ana", roles=["nobody-made-this"])
        assert state(here) == before


async def test_a_change_that_cannot_be_published_does_not_happen(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        before = state(here)
        here.watched.refuses = Fault(CONFLICT)
        await refused(here, CONFLICT, "key.create", principal="ana")
        here.watched.refuses = ZeroDivisionError()
        await refused(here, INTERNAL, "key.create", principal="ana")
        assert state(here) == before
        assert log(here) == [
            ("keys:key:create", "refused", "conflict"),
            ("keys:key:create", "failed", "internal_error"),
        ]
        here.watched.refuses = None
        await here.ask("key.create", principal="ana")
        assert state(here) == (before[0] + 1, {"owner", "ana"})


async def test_a_change_that_cannot_be_audited_does_not_happen(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        before = state(here)
        with here.store.engine.begin() as connection:
            connection.execute(
                text("CREATE TRIGGER full BEFORE INSERT ON audit_log BEGIN SELECT RAISE(ABORT, 'x'); END")
            )
        await refused(here, STORE_FAILED, "key.create", principal="ana")
        await refused(here, STORE_FAILED, "key.list")
        assert state(here) == before


async def test_a_caller_that_goes_away_does_not_tear_a_change(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        asking = asyncio.create_task(here.ask("key.create", principal="ana"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await here.executor.close()
        number, names = state(here)
        assert here.watched.revisions in ([number], [])
        assert ("ana" in names) == bool(here.watched.revisions)


async def test_a_look_that_is_given_up_is_audited(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        here.reach.waits = asyncio.Event()
        asking = asyncio.create_task(here.ask("server.add", name="git", url="http://a/"))
        async with asyncio.timeout(5):
            await here.reach.began.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await here.executor.close()
        assert log(here) == [("upstreams:server:add", "failed", "cancelled")]


async def test_a_read_does_not_wait_for_a_publish(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        here.watched.waits = asyncio.Event()
        changing = asyncio.create_task(here.ask("key.create", principal="ana"))
        async with asyncio.timeout(5):
            await here.watched.began.wait()
            listed = await here.ask("key.list", principal="ana")
        assert len(listed["keys"]) == 1
        here.watched.waits.set()
        await changing


async def test_many_changes_at_once_come_out_in_one_order(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        before, _ = state(here)
        await asyncio.gather(*(here.ask("key.create", principal=f"p{number}") for number in range(25)))
        assert here.watched.revisions == list(range(before + 1, before + 26))
        assert len(log(here)) == 25


def test_only_our_own_user_and_root_are_local_actors() -> None:
    assert local_actor(os.getuid()).id == f"local:{os.getuid()}"
    assert local_actor(0).permissions == frozenset(Permission)
    with pytest.raises(Fault) as caught:
        local_actor(os.getuid() + 12345)
    assert caught.value.kind is FORBIDDEN
