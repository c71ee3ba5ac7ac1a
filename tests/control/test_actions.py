"""What each action does, over a real database."""

from pathlib import Path

import pytest
from sqlalchemy import select, update

from mcp_platform.base.errors import CONFLICT, INVALID, NOT_FOUND, ErrorKind, Fault
from mcp_platform.features.apikeys.check import mac, parse, verify
from mcp_platform.features.apikeys.tables import keys
from mcp_platform.features.identity.errors import PRINCIPAL_UNKNOWN
from mcp_platform.features.rbac import tables as rbac
from mcp_platform.features.rbac.errors import ROLE_BUILT_IN, ROLE_IN_USE
from mcp_platform.features.upstreams import tables as upstreams
from mcp_platform.features.upstreams.errors import SERVER_EXISTS, SERVER_INVALID, SERVER_UNKNOWN
from mcp_platform.features.vault.errors import VAULT_UNSEAL_FAILED
from mcp_platform.net.upstream_errors import UPSTREAM_DOWN
from tests.control.worlds import ECHO, World, world

pytestmark = pytest.mark.anyio
ALL = (1 << 32) - 1


async def refused(here: World, kind: ErrorKind, action: str, **params: object) -> None:
    with pytest.raises(Fault) as caught:
        await here.ask(action, **params)
    assert caught.value.kind is kind


async def test_a_new_key_works_and_a_revoked_one_is_gone(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        made = await here.ask("key.create", principal="ana", agent="bot 1", scopes=["git/*"], expires_in_s=60)
        key = str(made["api_key"])
        assert parse(key) == made["id"]
        with here.store.unit(1.0) as unit:
            row = next(row for row in keys(unit, 0, ALL) if row.id == made["id"])
        assert verify(row, mac(here.ring.mac_key, key), 1.0) is None
        assert (row.agent, row.scopes, row.not_after) == ("bot 1", ("git/*",), made["not_after"])
        assert (await here.ask("key.revoke", id=made["id"]))["changed"] is True
        assert (await here.ask("key.revoke", id=made["id"]))["changed"] is False
        with here.store.unit(1.0) as unit:
            assert made["id"] not in {row.id for row in keys(unit, 0, ALL)}
        listed = await here.ask("key.list", principal="ana")
        assert [(row["id"], row["state"]) for row in listed["keys"]] == [(made["id"], "revoked")]
        assert key not in str(listed)
        await refused(here, NOT_FOUND, "key.revoke", id="000000000000")


async def test_the_first_key_belongs_to_a_member(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        with here.store.unit(1.0) as unit:
            (row,) = keys(unit, 0, ALL)
            (owner,) = rbac.principals(unit)
            assert [role.name for role in rbac.roles(unit)] == ["member"]
        assert verify(row, mac(here.ring.mac_key, here.first.api_key), 1.0) is None
        assert (owner.name, owner.kind, owner.roles, owner.id) == ("owner", "person", ("member",), row.principal)


async def test_a_key_list_is_given_in_parts(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        assert (await here.ask("key.list"))["more"] is False
        assert (await here.ask("key.list", offset=1))["keys"] == []


async def test_a_role_is_made_granted_revoked_and_deleted(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        await here.ask("role.create", name="reader", rules=["git/*", "*/search"])
        await refused(here, CONFLICT, "role.create", name="reader", rules=["git/*"])
        assert (await here.ask("role.grant", name="reader", principal="owner"))["changed"] is True
        assert here.watched.touched[-1].principals
        assert (await here.ask("role.grant", name="reader", principal="owner"))["changed"] is False
        await refused(here, ROLE_IN_USE, "role.delete", name="reader")
        roles = {role["name"]: role for role in (await here.ask("role.list"))["roles"]}
        assert roles["reader"]["holders"] == ["owner"]
        assert roles["member"]["built_in"] is True
        await here.ask("role.revoke", name="reader", principal="owner")
        await here.ask("role.delete", name="reader")
        await refused(here, NOT_FOUND, "role.delete", name="reader")
        await refused(here, ROLE_BUILT_IN, "role.delete", name="member")
        await refused(here, PRINCIPAL_UNKNOWN, "role.grant", name="member", principal="nobody")
        await refused(here, NOT_FOUND, "role.grant", name="nothing", principal="owner")
        for rules in ([], ["git"], ["git/com*"], ["git/*"] * 1001):
            await refused(here, INVALID, "role.create", name="bad", rules=rules)


async def test_a_principal_is_disabled_and_enabled(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        await here.ask("principal.disable", name="owner")
        with here.store.unit(1.0) as unit:
            assert [row.disabled for row in rbac.principals(unit)] == [True]
        await here.ask("principal.enable", name="owner")
        listed = (await here.ask("principal.list"))["principals"]
        assert [row["disabled"] for row in listed] == [False]
        await refused(here, PRINCIPAL_UNKNOWN, "principal.disable", name="nobody")


async def test_a_server_is_looked_at_added_and_its_secrets_sealed(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        made = await here.ask("server.add", name="git", command=["git-mcp", "--x"], env={"T": "s"}, cwd="/srv")
        assert [(tool["name"], tool["exposed"]) for tool in made["tools"]] == [("echo", "echo")]
        assert made["isolation"] == "none"
        assert made["warnings"]
        assert here.reach.asked[0].argv == ("git-mcp", "--x")
        assert here.watched.touched[-1].upstreams == {made["id"]}
        with here.store.unit(1.0) as unit:
            (row,) = upstreams.upstreams(unit, here.settings.upstreams)
            (tool,) = upstreams.tools(unit, row.id)
            access = upstreams.open_access(unit, here.ring.data_key, row.id)
        assert access == upstreams.Access(argv=["git-mcp", "--x"], env={"T": "s"}, cwd="/srv")
        assert (row.transport, row.interactive, row.has_credentials, row.version) == ("stdio", True, False, 1)
        assert row.call_timeout_s == here.settings.upstreams.call_timeout_s
        assert (tool.definition, tool.input_schema) == (ECHO, b'{"type":"object"}')
        listed = (await here.ask("server.list"))["servers"]
        assert "--x" not in str(listed)
        assert [(each["name"], each["tools"]) for each in listed] == [("git", 1)]


async def test_a_swapped_secret_is_refused(tmp_path: Path) -> None:
    """Who can write the database cannot hand one server's credentials to another."""
    async with world(tmp_path) as here:
        one = (await here.ask("server.add", name="one", url="http://a/", headers={"X": "1"}))["id"]
        two = (await here.ask("server.add", name="two", url="http://b/", headers={"X": "2"}))["id"]
        table = upstreams.UPSTREAMS
        with here.store.unit(1.0) as unit:
            sealed = unit.connection.execute(select(table.c.access).where(table.c.id == one)).scalar_one()
            unit.connection.execute(update(table).where(table.c.id == two).values(access=sealed))
        with here.store.unit(1.0) as unit, pytest.raises(Fault) as caught:
            upstreams.open_access(unit, here.ring.data_key, str(two))
        assert caught.value.kind is VAULT_UNSEAL_FAILED


async def test_names_stay_with_the_tool_that_had_them_first(tmp_path: Path) -> None:
    async with world(tmp_path) as here:

        async def add(name: str) -> list[str]:
            made = await here.ask("server.add", name=name, url="http://a/")
            return [tool["exposed"] for tool in made["tools"]]

        assert await add("one") == ["echo"]
        assert await add("two") == ["two.echo"]
        await here.ask("server.remove", name="one")
        assert await add("three") == ["three.echo"]
        assert await add("one") == ["echo"]
        await here.ask("server.remove", name="two")
        assert await add("two") == ["two.echo"]


async def test_a_removed_server_leaves_its_names_and_nothing_else(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        made = await here.ask("server.add", name="git", url="http://a/", headers={"X": "canary-header"})
        await here.ask("server.remove", name="git")
        with here.store.unit(1.0) as unit:
            assert upstreams.upstreams(unit, here.settings.upstreams) == []
            assert unit.connection.execute(select(upstreams.UPSTREAM_TOOLS)).all() == []
            assert upstreams.taken_names(unit) == {"echo": ("git", "echo")}
            assert upstreams.open_access(unit, here.ring.data_key, str(made["id"])) is None
        await refused(here, SERVER_UNKNOWN, "server.remove", name="git")


async def test_tools_that_cannot_be_shown_are_told_with_the_reason(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        here.reach.tools["git"] = (
            ECHO,
            b'{"name":"has space","inputSchema":{}}',
            b'{"name":"no schema"}',
            b'{"name":"broken","inputSchema":{"type":"objekt"}}',
            b'{"name":"twice","inputSchema":{}}',
            b'{"name":"twice","inputSchema":{"type":"object"}}',
            b'{"title":"nameless"}',
        )
        made = await here.ask("server.add", name="git", url="http://a/")
        assert [tool["name"] for tool in made["tools"]] == ["echo"]
        assert {tool["name"] for tool in made["skipped"]} == {"has space", "no schema", "broken", "twice"}
        assert all(tool["skipped"] for tool in made["skipped"])
        assert made["unreadable_count"] == 1
        listed = (await here.ask("server.tools", name="git"))["tools"]
        assert len(listed) == 5


async def test_a_server_that_cannot_be_reached_is_not_added(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        here.reach.fails = Fault(UPSTREAM_DOWN, data={"stage": "connect"})
        await refused(here, UPSTREAM_DOWN, "server.add", name="git", url="http://a/")
        assert (await here.ask("server.list"))["servers"] == []


async def test_a_bad_or_taken_server_is_refused_before_anybody_is_asked(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        await here.ask("server.add", name="git", url="http://a/")
        here.reach.asked.clear()
        await refused(here, SERVER_EXISTS, "server.add", name="git", url="http://b/")
        await refused(here, SERVER_INVALID, "server.add", name="nothing")
        await refused(here, SERVER_INVALID, "server.add", name="both", url="http://b/", command=["x"])
        await refused(here, INVALID, "server.add", name="slow", url="http://b/", call_timeout_s=0)
        await refused(here, SERVER_UNKNOWN, "server.test", name="nobody")
        assert here.reach.asked == []


async def test_a_test_says_what_changed_and_changes_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        here.reach.tools["git"] = (ECHO, b'{"name":"old","inputSchema":{}}')
        await here.ask("server.add", name="git", command=["x"], env={"T": "s"})
        revision = here.watched.revisions[-1]
        here.reach.tools["git"] = (ECHO.replace(b"again", b"never"), b'{"name":"new","inputSchema":{}}')
        said = await here.ask("server.test", name="git")
        assert (said["new"], said["gone"], said["changed"], said["tool_count"]) == (["new"], ["old"], ["echo"], 2)
        assert here.reach.asked[-1].env == {"T": "s"}
        assert here.watched.revisions[-1] == revision


async def test_status_counts_what_there_is(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        await here.ask("server.add", name="git", url="http://a/")
        said = await here.ask("status")
        assert said["platform_id"] == here.ring.platform_id
        assert (said["keys"], said["principals"], said["servers"], said["tools"]) == (1, 1, 1, 1)
        assert (await here.ask("audit.verify"))["intact"] is True
