"""Virtual servers through control: what is chosen, refused, left out when a server goes, and published."""

import json
from pathlib import Path
from typing import Any

import pytest

from mcp_platform.base.errors import Fault
from mcp_platform.features.virtualservers.model import DEFINITIONS
from mcp_platform.snapshot.codec import open_manifest
from mcp_platform.snapshot.model import Snapshot
from mcp_platform.snapshot.shelf import Shelf
from mcp_platform.snapshot.take import Taker
from tests.control.worlds import World, world

pytestmark = pytest.mark.anyio


def tool(name: str, **annotations: bool) -> bytes:
    return json.dumps(
        {"name": name, "description": f"Does {name}.", "inputSchema": {"type": "object"}, "annotations": annotations}
    ).encode()


GIT = (tool("log", readOnlyHint=True), tool("commit"), tool("reset", destructiveHint=True), tool("search_tools"))
WIKI = (
    tool("read", readOnlyHint=True),
    tool("log", readOnlyHint=True),
    tool("lie", readOnlyHint=True, destructiveHint=True),
)


async def filled(control: World) -> None:
    control.reach.tools.update(git=GIT, wiki=WIKI)
    for name in ("git", "wiki"):
        await control.ask("server.add", name=name, url="http://127.0.0.1:1/mcp")


async def shown(control: World, name: str) -> Any:
    return (await control.ask("virtual.show", name=name))["virtual_servers"][0]  # type: ignore[index]  # a list


async def taken(control: World) -> Snapshot:
    """What a worker makes of what is published."""
    shelf = Shelf(control.data.snapshot)
    signed = shelf.read_manifest()
    assert signed is not None
    return await Taker(shelf).take(open_manifest(signed, control.ring.snapshot_private.public_key()))


async def refused(control: World, code: str, action: str, **params: object) -> None:
    with pytest.raises(Fault) as fault:
        await control.ask(action, **params)
    assert fault.value.kind.code == code, fault.value


async def test_a_whole_server_brings_the_tools_that_only_read(tmp_path: Path) -> None:
    async with world(tmp_path) as control:
        await filled(control)
        made = await control.ask("virtual.create", name="reading", servers=["git", "wiki"])
        assert made["added_unasked"] == 3
        items = [(each["server"], each["own"], each["exposed"]) for each in (await shown(control, "reading"))["items"]]
        assert items == [("git", "log", "log"), ("wiki", "log", "wiki.log"), ("wiki", "read", "read")]


async def test_a_tool_that_changes_something_is_there_when_it_is_named(tmp_path: Path) -> None:
    async with world(tmp_path) as control:
        await filled(control)
        chosen = [
            {"server": "git", "own": "reset", "exposed": "start.over", "description": "Throws work away."},
            {"server": "git", "own": "search_tools"},
        ]
        await control.ask("virtual.create", name="bold", items=chosen, servers=["git"])
        items = {each["own"]: each for each in (await shown(control, "bold"))["items"]}
        assert {own: each["exposed"] for own, each in items.items()} == {
            "log": "log",
            "reset": "start.over",
            "search_tools": "git.search_tools",
        }
        assert (items["reset"]["description"], items["reset"]["described_here"]) == ("Throws work away.", True)
        row = (await taken(control)).virtuals["bold"]
        assert [(item.own, item.exposed) for item in row.items] == [
            ("log", "log"),
            ("reset", "start.over"),
            ("search_tools", "git.search_tools"),
        ]


async def test_what_is_not_right_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as control:
        await filled(control)
        await control.ask("virtual.create", name="v", items=[{"server": "git", "own": "log"}])
        one = {"server": "git", "own": "commit"}
        for code, action, params in (
            ("virtual_exists", "virtual.create", {"name": "v"}),
            ("virtual_invalid", "virtual.create", {"name": "sse"}),
            ("virtual_invalid", "virtual.create", {"name": "No"}),
            ("virtual_invalid", "virtual.create", {"name": "w", "roles": ["nobody-has-it"]}),
            ("server_unknown", "virtual.create", {"name": "w", "servers": ["svn"]}),
            ("item_not_there", "virtual.add", {"name": "v", "items": [{"server": "git", "own": "push"}]}),
            ("item_name_taken", "virtual.add", {"name": "v", "items": [{**one, "exposed": "log"}]}),
            ("item_name_taken", "virtual.add", {"name": "v", "items": [{**one, "exposed": "call_tool"}]}),
            ("virtual_invalid", "virtual.add", {"name": "v", "items": [{**one, "exposed": "no spaces"}]}),
            ("virtual_invalid", "virtual.add", {"name": "v", "items": [{**one, "kind": "things"}]}),
            ("virtual_invalid", "virtual.add", {"name": "v", "items": [{**one, "own": "*"}]}),
            ("virtual_invalid", "virtual.add", {"name": "v"}),
            ("item_not_there", "virtual.drop", {"name": "v", "items": [{"server": "git", "own": "log"}, one]}),
            ("virtual_unknown", "virtual.show", {"name": "w"}),
            ("virtual_unknown", "virtual.set", {"name": "w"}),
            ("virtual_unknown", "virtual.remove", {"name": "w"}),
        ):
            await refused(control, code, action, **params)
        assert [each["own"] for each in (await shown(control, "v"))["items"]] == ["log"]


async def test_two_items_can_change_names_in_one_step(tmp_path: Path) -> None:
    async with world(tmp_path) as control:
        await filled(control)
        await control.ask("virtual.create", name="v", servers=["git", "wiki"])
        swap = [
            {"server": "git", "own": "log", "exposed": "wiki.log"},
            {"server": "wiki", "own": "log", "exposed": "log"},
        ]
        await control.ask("virtual.add", name="v", items=swap)
        items = {(each["server"], each["own"]): each["exposed"] for each in (await shown(control, "v"))["items"]}
        assert (items["git", "log"], items["wiki", "log"]) == ("wiki.log", "log")


async def test_an_item_whose_server_goes_is_left_out_with_a_reason_and_comes_back(tmp_path: Path) -> None:
    async with world(tmp_path) as control:
        await filled(control)
        await control.ask("virtual.create", name="v", servers=["wiki"])
        await control.ask("server.remove", name="wiki")
        gone = await shown(control, "v")
        assert gone["missing_count"] == 2
        assert {each["missing"] for each in gone["items"]} == {"its server was removed"}
        assert gone["tokens"] == 0
        await control.ask("server.add", name="wiki", url="http://127.0.0.1:1/mcp")
        assert (await shown(control, "v"))["missing_count"] == 0


async def test_a_role_that_is_deleted_leaves_the_rest_to_nobody(tmp_path: Path) -> None:
    async with world(tmp_path) as control:
        await filled(control)
        await control.ask("role.create", name="few", rules=["*/*"])
        await control.ask("virtual.create", name="v", roles=["few"], servers=["git"])
        await control.ask("role.delete", name="few")
        assert (await taken(control)).virtuals["v"].roles == ("few",)
        assert (await shown(control, "v"))["roles_missing"] == ["few"]


async def test_what_is_switched_off_or_removed_is_not_published(tmp_path: Path) -> None:
    async with world(tmp_path) as control:
        await filled(control)
        await control.ask("virtual.create", name="v", servers=["git"])
        await control.ask("virtual.set", name="v", enabled=False)
        assert (await taken(control)).virtuals == {}
        await control.ask("virtual.set", name="v", enabled=True, title="V")
        assert (await taken(control)).virtuals["v"].title == "V"
        await control.ask("virtual.remove", name="v")
        assert (await taken(control)).virtuals == {}
        assert (await control.ask("virtual.list"))["virtual_servers"] == []


async def test_a_change_publishes_the_one_that_it_concerns(tmp_path: Path) -> None:
    async with world(tmp_path) as control:
        await filled(control)
        await control.ask("virtual.create", name="v", servers=["git"])
        await control.ask("virtual.create", name="w", servers=["wiki"])
        before = await taken(control)
        await control.ask("virtual.set", name="w", title="W")
        assert [sorted(each.virtuals) for each in control.watched.touched[-1:]] != [[]]
        after = await taken(control)
        assert after.virtuals["v"] == before.virtuals["v"]
        assert after.virtuals["w"].title == "W"


async def test_both_costs_are_told(tmp_path: Path) -> None:
    """About a quarter of the characters of what `tools/list` says."""
    async with world(tmp_path) as control:
        await filled(control)
        await control.ask("virtual.create", name="v", servers=["git", "wiki"])
        whole = await shown(control, "v")
        listed = sum(each["tokens"] for each in whole["items"])
        assert (whole["tokens"], whole["tokens_without_search"]) == (listed, listed)
        assert whole["tokens_with_search"] == -(-len(DEFINITIONS) // 4)
        await control.ask("virtual.set", name="v", tool_search=True)
        assert (await shown(control, "v"))["tokens"] == whole["tokens_with_search"]
