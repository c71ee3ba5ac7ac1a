"""Virtual servers over REST: made, shown, changed with the state that is meant, and removed."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.control.rest import API, Rest, rest
from tests.features.virtualservers.test_actions import filled

pytestmark = pytest.mark.anyio
ALL = f"{API}/virtual-servers"
ONE = f"{ALL}/v"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Rest]:
    async with rest(tmp_path) as here:
        await filled(here.world)
        yield here


async def test_one_is_made_shown_changed_and_removed(api: Rest) -> None:
    made = await api.ask("POST", ALL, {"name": "v", "servers": ["wiki"], "title": "V"})
    assert made.status == 201, made
    assert (made.json()["added"], made.json()["path"]) == (2, "/mcp/v")
    listed = (await api.ask("GET", ALL)).json()
    assert [row["name"] for row in listed["items"]] == ["v"]
    assert {"tokens", "tokens_with_search", "tokens_without_search"} <= set(listed["items"][0])
    shown = await api.ask("GET", ONE)
    assert [item["own"] for item in shown.json()["items"]] == ["log", "read"]
    tag = {"If-Match": shown.headers["etag"]}
    changed = await api.ask("PUT", ONE, {"title": "W", "tool_search": True}, headers=tag)
    assert (changed.status, changed.json()["title"], changed.json()["tool_search"]) == (200, "W", True)
    assert (await api.ask("PUT", ONE, {"title": "X"}, headers=tag)).status == 412
    assert (await api.ask("DELETE", ONE)).status == 428
    tag = {"If-Match": (await api.ask("GET", ONE)).headers["etag"]}
    more = {"items": [{"server": "git", "own": "commit", "exposed": "save", "description": "Keeps the work."}]}
    added = await api.ask("POST", f"{ONE}/items", more, headers=tag)
    assert (added.status, added.json()["added"], added.json()["item_count"]) == (200, 1, 3)
    tag = {"If-Match": (await api.ask("GET", ONE)).headers["etag"]}
    dropped = await api.ask("POST", f"{ONE}/items/drop", {"items": [{"server": "git", "own": "commit"}]}, headers=tag)
    assert (dropped.status, dropped.json()["item_count"]) == (200, 2)
    tag = {"If-Match": (await api.ask("GET", ONE)).headers["etag"]}
    assert (await api.ask("DELETE", ONE, headers=tag)).status == 200
    assert (await api.ask("GET", ONE)).status == 404


async def test_an_item_that_goes_missing_is_another_state(api: Rest) -> None:
    """Whoever changes what they saw learns that it is not so any more."""
    await api.ask("POST", ALL, {"name": "v", "servers": ["wiki"]})
    before = (await api.ask("GET", ONE)).headers["etag"]
    await api.world.ask("server.remove", name="wiki")
    assert (await api.ask("DELETE", ONE, headers={"If-Match": before})).status == 412


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"name": "v"}, 409, "virtual_exists"),
        ({"name": "sse"}, 422, "virtual_invalid"),
        ({"name": "w", "servers": ["svn"]}, 404, "server_unknown"),
        ({"name": "w", "items": [{"server": "git", "own": "push"}]}, 404, "item_not_there"),
        ({"name": "w", "items": [{"server": "git", "own": "log", "exposed": "call_tool"}]}, 409, "item_name_taken"),
        ({"name": "w", "items": [{"server": "git", "own": "log", "kind": "things"}]}, 422, "invalid_input"),
        ({"name": "w", "secret": 1}, 422, "invalid_input"),
    ],
)
async def test_what_is_not_right_is_refused(api: Rest, body: dict[str, object], status: int, code: str) -> None:
    await api.ask("POST", ALL, {"name": "v"})
    refused = await api.ask("POST", ALL, body)
    assert (refused.status, refused.code) == (status, code)


async def test_reading_and_changing_need_their_permissions(api: Rest) -> None:
    made = await api.world.ask("token.create", agent="reader", permissions=["virtual:server:read"], for_s=600)
    token = str(made["token"])
    assert (await api.ask("GET", ALL, token=token)).status == 200
    assert (await api.ask("POST", ALL, {"name": "v"}, token=token)).code == "forbidden"
