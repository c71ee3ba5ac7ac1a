"""Each upstream is looked after by itself: listed again when it changes, and said to be away when it is."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from mcp_platform.features.audit.tables import AUDIT_LOG
from mcp_platform.snapshot.model import ListsHint
from tests.control.offering import QUICK, Keeping, keeping, offering, tool

pytestmark = pytest.mark.anyio


async def until(holds: Callable[[], Awaitable[Any]], timeout_s: float = 10.0) -> None:
    """Wait until it holds: what is waited for happens in tasks of control's own."""
    async with asyncio.timeout(timeout_s):
        while not await holds():  # noqa: ASYNC110  # what is waited for has no event: it is asked for
            await asyncio.sleep(0.01)


def audited(kept: Keeping, tag: str) -> list[tuple[str, str, str | None]]:
    with kept.here.store.unit(1.0) as unit:
        rows = unit.connection.execute(select(AUDIT_LOG).where(AUDIT_LOG.c.tag == tag).order_by(AUDIT_LOG.c.seq)).all()
    return [(row.actor, row.outcome, row.params) for row in rows]


async def test_a_change_that_a_worker_heard_of_is_listed_and_told(tmp_path: Path) -> None:
    """New tools wait; prompts and resources follow at once, and every worker is told after the revision."""
    async with offering(tool("x")) as server, keeping(tmp_path) as kept:
        added = await kept.here.ask("server.add", name="s", url=server.url)
        identity = str(added["id"])
        assert set(kept.told) == {(identity, ("prompts", "resources", "tools"))}
        kept.told.clear()
        await until(lambda: _known(kept, identity))
        server.lists["tools"] = [tool("x", "changed"), tool("y")]
        server.lists["prompts"] = [{"name": "p"}]
        kept.keepers.hinted(ListsHint(identity, ("tools", "prompts")))
        await until(lambda: _is(kept, "s", awaiting=2, prompts=1))
        assert await kept.tools("s") == {"x": ("changed", "x"), "y": ("new", None)}
        shown = {each["name"]: each["description"] for each in (await kept.here.ask("server.tools", name="s"))["tools"]}
        assert shown["x"] == "changed", "whoever is to approve reads what the server says now"
        await until(lambda: _told(kept, {(identity, ("prompts",)), (identity, ("tools",))}))
        assert {actor for actor, _, _ in audited(kept, "upstreams:server:refresh")} == {"system:control"}
        kept.told.clear()
        await kept.here.ask("server.approve", name="s", tools=["y"])
        assert kept.told == [(identity, ("tools",))]
        assert await kept.tools("s") == {"x": ("changed", "x"), "y": ("approved", "y")}
        manifest = kept.here.watched.publisher._current
        assert manifest is not None
        assert len(manifest.prompts[identity]) == 1


async def _known(kept: Keeping, identity: str) -> bool:
    return identity in kept.keepers._kept


async def _told(kept: Keeping, wanted: set[tuple[str, tuple[str, ...]]]) -> bool:
    return wanted <= set(kept.told)


async def _is(kept: Keeping, name: str, **wanted: object) -> bool:
    row = await kept.row(name)
    return {key: row[key] for key in wanted} == wanted


async def test_many_hints_make_one_listing_and_one_more(tmp_path: Path) -> None:
    async with offering(tool("x")) as server, keeping(tmp_path) as kept:
        identity = str((await kept.here.ask("server.add", name="s", url=server.url))["id"])
        await until(lambda: _known(kept, identity))
        before = len(server.named("tools/list"))
        for _ in range(500):
            kept.keepers.hinted(ListsHint(identity, ("tools",)))
            kept.keepers.hinted(ListsHint("ups_unknown", ("tools",)))
            kept.keepers.hinted(ListsHint(identity, ("nonsense",)))
        await until(lambda: _asked(server, before + 1))
        for _ in range(500):
            kept.keepers.hinted(ListsHint(identity, ("tools",)))
        await until(lambda: _asked(server, before + 2))
        await kept.here.ask("server.list")
        assert len(server.named("tools/list")) == before + 2


async def _asked(server: Any, least: int) -> bool:
    return len(server.named("tools/list")) >= least


async def test_a_server_that_goes_away_is_marked_once_and_the_mark_goes_with_it(tmp_path: Path) -> None:
    """Its lists stay the last good ones meanwhile."""
    async with offering(tool("x")) as server, keeping(tmp_path, QUICK) as kept:
        await kept.here.ask("server.add", name="s", url=server.url)
        server.down = True
        await until(lambda: _is(kept, "s", stale="upstream_down"))
        assert await kept.tools("s") == {"x": ("approved", "x")}
        assert len(audited(kept, "upstreams:server:stale")) == 1
        asked = len(server.asked)
        await until(lambda: _more(server, asked + 2))
        assert len(audited(kept, "upstreams:server:stale")) == 1
        server.lists["tools"] = []
        server.down = False
        await until(lambda: _is(kept, "s", stale=None, tools=0))
        assert await kept.tools("s") == {"x": ("gone", "x")}
        server.lists["tools"] = [tool("x")]
        await kept.here.ask("server.refresh", name="s")
        assert await kept.tools("s") == {"x": ("approved", "x")}


async def _more(server: Any, least: int) -> bool:
    return len(server.asked) >= least


async def test_a_restart_with_other_tools_is_noticed_without_a_word(tmp_path: Path) -> None:
    """A server that was away may have become another: it is listed when it is back."""
    async with offering(tool("x")) as server, keeping(tmp_path, QUICK) as kept:
        await kept.here.ask("server.add", name="s", url=server.url)
        server.down = True
        await until(lambda: _is(kept, "s", stale="upstream_down"))
        server.lists["tools"] = [tool("x", "bad"), tool("y")]
        server.down = False
        await until(lambda: _is(kept, "s", stale=None, awaiting=2))
        assert await kept.tools("s") == {"x": ("changed", "x"), "y": ("new", None)}


async def test_slow_and_dead_servers_hold_no_other_up(tmp_path: Path) -> None:
    """However many hang: the others are listed meanwhile."""
    async with offering(tool("x")) as slow, offering(tool("y")) as quick, keeping(tmp_path, QUICK) as kept:
        for number in range(10):
            await kept.here.ask("server.add", name=f"slow{number}", url=slow.url)
        identity = str((await kept.here.ask("server.add", name="quick", url=quick.url))["id"])
        slow.hangs = True
        await until(lambda: _known(kept, identity))
        for other in list(kept.keepers._kept):
            kept.keepers.hinted(ListsHint(other, ("tools",)))
        await slow.hanging.wait()
        quick.lists["prompts"] = [{"name": "p"}]
        kept.keepers.hinted(ListsHint(identity, ("prompts",)))
        await until(lambda: _is(kept, "quick", prompts=1), 1.9)
        await until(lambda: _is(kept, "slow0", stale="upstream_timeout"), 20)


async def test_a_server_that_may_change_is_approved_at_once_and_the_log_says_what(tmp_path: Path) -> None:
    """The lax mode: each use of it stands in the audit log, in the platform's own name."""
    async with offering(tool("x")) as server, keeping(tmp_path) as kept:
        identity = str((await kept.here.ask("server.add", name="s", url=server.url, accept_changes=True))["id"])
        await until(lambda: _known(kept, identity))
        server.lists["tools"] = [tool("x", "other"), tool("y")]
        kept.keepers.hinted(ListsHint(identity, ("tools",)))
        await until(lambda: _is(kept, "s", tools=2, awaiting=0))
        ((actor, outcome, params),) = audited(kept, "upstreams:tool:approve")
        assert (actor, outcome) == ("system:control", "ok")
        assert msgspec.json.decode(params or "") == {"name": "s", "tools": ["x", "y"], "seen": None}
        server.lists["tools"] = [tool("x", "other"), tool("y"), tool("z")]
        answer = await kept.here.ask("server.refresh", name="s")
        assert answer["accepted"] == ["z"]
        assert (await kept.tools("s"))["z"] == ("approved", "z")
        assert len(audited(kept, "upstreams:tool:approve")) == 2


async def test_a_server_that_is_gone_is_looked_after_no_more(tmp_path: Path) -> None:
    async with offering(tool("x")) as server, keeping(tmp_path) as kept:
        identity = str((await kept.here.ask("server.add", name="s", url=server.url))["id"])
        await until(lambda: _known(kept, identity))
        task = kept.keepers._kept[identity][1]
        await kept.here.ask("server.remove", name="s")
        await asyncio.wait([task], timeout=5)
        assert task.cancelled()
        assert kept.told[-1] == (identity, ("prompts", "resources", "tools"))


async def test_the_lists_of_one_server_are_asked_for_as_a_client_that_can_all(tmp_path: Path) -> None:
    """The snapshot holds what any client could use; a server that agents share is told of no capability."""
    async with offering(tool("x"), page=2) as server, keeping(tmp_path) as kept:
        server.lists["resources"] = [{"uri": f"x://{number}", "name": "n"} for number in range(5)]
        added = await kept.here.ask("server.add", name="s", url=server.url)
        assert added["resource_count"] == 5
        opened = server.named("initialize")
        assert len(opened) == 1
        assert set(opened[0]["params"]["capabilities"]) == {"elicitation", "sampling", "roots"}
        await kept.here.ask("server.add", name="shared", url=server.url, shared=True)
        assert server.named("initialize")[-1]["params"]["capabilities"] == {}


async def test_only_what_a_server_says_it_has_is_asked_for_and_what_it_cannot_list_is_said(tmp_path: Path) -> None:
    async with offering(tool("x"), capabilities={}) as server, keeping(tmp_path) as kept:
        await kept.here.ask("server.add", name="s", url=server.url)
        assert {body["method"] for body in server.asked if "list" in body.get("method", "")} == {"tools/list"}
        server.capabilities = {"tools": {}, "prompts": {}, "resources": {}}
        server.refuses = {"prompts/list", "resources/templates/list"}
        server.lists["resources"] = [{"uri": "x://1", "name": "n"}]
        server.instructions = 7
        answer = await kept.here.ask("server.refresh", name="s")
        assert answer["problems"] == {"prompts": "upstream_refused"}
        assert (await kept.row("s"))["problems"] == {"prompts": "upstream_refused"}
        assert answer["resource_count"] == 1


async def test_nothing_is_written_while_nothing_changes(tmp_path: Path) -> None:
    async with offering(tool("x")) as server, keeping(tmp_path) as kept:
        identity = str((await kept.here.ask("server.add", name="s", url=server.url))["id"])
        await until(lambda: _known(kept, identity))
        revision = kept.here.watched.publisher.revision
        before = len(server.named("tools/list"))
        kept.keepers.hinted(ListsHint(identity, ("tools",)))
        await until(lambda: _asked(server, before + 1))
        await until(lambda: _told(kept, {(identity, ("tools",))}))
        assert kept.here.watched.publisher.revision == revision
        assert audited(kept, "upstreams:server:refresh") == []


async def test_control_listens_where_a_server_announces_changes(tmp_path: Path) -> None:
    """Nobody has to call the server for that."""
    declared = {"tools": {"listChanged": True}, "prompts": {}}
    async with offering(tool("x"), capabilities=declared) as server, keeping(tmp_path) as kept:
        identity = str((await kept.here.ask("server.add", name="s", url=server.url))["id"])
        await until(lambda: _known(kept, identity))
        await until(lambda: _heard(server))
        server.lists["tools"] = [tool("x"), tool("y")]
        await server.announce("tools")
        await until(lambda: _is(kept, "s", awaiting=1))


async def _heard(server: Any) -> bool:
    return bool(server.open_ears)
