"""The REST API: what each kind of route answers, how lists turn, how states guard changes, and what is audited."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select

from mcp_platform.control.registry import ACTIONS
from mcp_platform.control.rest.openapi import document
from mcp_platform.control.rest.table import ROUTES, UNROUTED
from mcp_platform.features.audit.tables import AUDIT_LOG
from mcp_platform.features.tokens.check import generate
from tests.control.rest import API, Rest, rest

pytestmark = pytest.mark.anyio


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Rest]:
    async with rest(tmp_path) as here:
        yield here


def rows(api: Rest, tag: str) -> list[tuple[str, str, str | None, str | None, str | None]]:
    """Actor, outcome, error, agent and address of every row with a tag."""
    columns = (AUDIT_LOG.c.actor, AUDIT_LOG.c.outcome, AUDIT_LOG.c.error, AUDIT_LOG.c.agent, AUDIT_LOG.c.address)
    with api.world.store.unit(1.0) as unit:
        found = unit.connection.execute(select(*columns).where(AUDIT_LOG.c.tag == tag).order_by(AUDIT_LOG.c.seq))
        return [tuple(row) for row in found]


def test_every_action_has_a_route_or_a_reason_and_every_route_an_action() -> None:
    routed = {route.action.name for route in ROUTES}
    assert routed | set(UNROUTED) == set(ACTIONS)
    assert routed & set(UNROUTED) == set()
    assert all(re.fullmatch(r"[A-Z].{20,}\.", reason) for reason in UNROUTED.values())
    assert all(route.action is ACTIONS[route.action.name] for route in ROUTES)


def test_what_may_be_sent_is_what_the_action_takes() -> None:
    for route in ROUTES:
        takes = set(route.action.params.__struct_fields__)
        path = {route.names.get(name, name) for name in re.findall(r"{(\w+)}", route.path)}
        query = {route.names.get(name, name) for name in (route.query.__struct_fields__ if route.query else ())}
        body = set(route.body.__struct_fields__) if route.body else set()
        assert path | query | body <= takes, route.path
        assert not path & body, route.path
        assert route.body is None or route.method in ("POST", "PUT")
        assert route.body is None or (route.body.__struct_config__.forbid_unknown_fields and route.example is not None)
        assert route.one is None or route.absent is not None


def test_no_two_routes_are_the_same() -> None:
    places = [(route.method, re.sub(r"{\w+}", "{}", route.path)) for route in ROUTES]
    assert len(places) == len(set(places))


async def test_a_key_is_made_read_and_revoked(api: Rest) -> None:
    made = await api.ask("POST", f"{API}/keys", {"principal": "ci", "scopes": ["git/*"], "expires_in_s": 60})
    assert made.status == 201
    key = made.json()
    assert key["api_key"].startswith(f"mcpp_{key['id']}")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", key["not_after"])
    shown = await api.ask("GET", f"{API}/keys/{key['id']}")
    assert (shown.status, shown.json()["state"]) == (200, "active")
    assert key["api_key"] not in shown.body.decode()
    gone = await api.ask("DELETE", f"{API}/keys/{key['id']}", headers={"If-Match": shown.headers["etag"]})
    assert (gone.status, gone.json()["changed"]) == (200, True)
    assert (await api.ask("GET", f"{API}/keys/{key['id']}")).json()["state"] == "revoked"
    assert (await api.ask("GET", f"{API}/keys/000000000000")).code == "not_found"


async def test_a_slip_in_a_pattern_is_warned_of_and_refused_where_it_is_asked_for(api: Rest) -> None:
    for method, path, body in (
        ("POST", "/roles", {"name": "reader", "rules": ["gti/git_log"]}),
        ("POST", "/keys", {"principal": "ci", "scopes": ["gti/git_log"]}),
        ("PUT", "/limits/slow", {"count": 5, "period_s": 60, "tool": "gti/git_log"}),
    ):
        refused = await api.ask(method, f"{API}{path}", {**body, "strict": True})
        assert (refused.status, refused.code) == (422, "names_unknown")
        made = await api.ask(method, f"{API}{path}", body)
        assert made.status in (200, 201), made.body
        assert made.json()["warnings"] == refused.json()["data"]["warnings"]
        assert made.json()["warnings"] == [
            "gti/git_log: there is no server of this name; it takes effect when there is one."
        ]
        assert (
            "`names_unknown`"
            in document()["paths"][f"{API}{path.replace('slow', '{name}')}"][method.lower()]["responses"]["422"][
                "description"
            ]
        )


async def test_a_number_without_a_fraction_is_whole_however_it_is_written(api: Rest) -> None:
    """JSON Schema 2020-12 §6.1.1 calls 5.0 an integer, and so do languages that know one kind of number."""
    for written in (b"5", b"5.0", b"0.5e1"):
        sent = b'{"count": %b, "period_s": 60}' % written
        answer = await api.ask("PUT", f"{API}/limits/slow", raw=sent, headers={"If-Match": "*"})
        assert (answer.status, answer.json().get("count")) == (200, 5), answer.body
    for wrong in (b"5.5", b"1e400", b"1e300", b'"5"', b"true"):
        sent = b'{"count": %b, "period_s": 60}' % wrong
        assert (await api.ask("PUT", f"{API}/limits/slow", raw=sent, headers={"If-Match": "*"})).status in (400, 422)


async def test_lists_turn_without_gap_or_repeat(api: Rest) -> None:
    names = sorted([f"p{number}" for number in range(7)])
    for name in names:
        assert (await api.ask("POST", f"{API}/keys", {"principal": name})).status == 201
    for path, field in (("/principals", "name"), ("/keys", "principal")):
        seen, cursor, pages = [], "", 0
        while cursor is not None:
            page = (await api.ask("GET", f"{API}{path}?limit=3{cursor and f'&cursor={cursor}'}")).json()
            assert len(page["items"]) <= 3
            seen += [item[field] for item in page["items"]]
            cursor, pages = page["next"], pages + 1
        assert (sorted(seen), pages) == (["owner", *names], 3)


async def test_a_cursor_is_good_for_one_question_of_one_token(api: Rest) -> None:
    for name in ("a", "b", "c"):
        await api.ask("POST", f"{API}/keys", {"principal": name})
    cursor = (await api.ask("GET", f"{API}/keys?limit=1")).json()["next"]
    assert (await api.ask("GET", f"{API}/keys?limit=2&cursor={cursor}")).status == 200
    other = await api.mint("keys:key:read")
    for answer in (
        await api.ask("GET", f"{API}/keys?limit=1&cursor={cursor}", token=other),
        await api.ask("GET", f"{API}/keys?limit=1&principal=a&cursor={cursor}"),
        await api.ask("GET", f"{API}/principals?limit=1&cursor={cursor}"),
        await api.ask("GET", f"{API}/keys?cursor={cursor[:-2]}"),
        await api.ask("GET", f"{API}/keys?cursor=%C3%A9"),
        await api.ask("GET", f"{API}/keys?cursor="),
    ):
        assert (answer.status, answer.code) == (400, "cursor_invalid")


WRONG_QUERIES = (
    *("limit=0", "limit=201", "limit=-1", "limit=1.0", "limit=true", "limit=%31%00", "limit=", "limit=1&limit=2"),
    *("offset=1", "principal=a&principal=b", "principal=a%20b", "principal", "=", "&", "principal=%ff", "after=x"),
)


async def test_a_query_that_is_not_of_the_form_is_refused(api: Rest) -> None:
    for query in WRONG_QUERIES:
        answer = await api.ask("GET", f"{API}/keys?{query}")
        assert (answer.status, answer.code) == (422, "invalid_input"), query


async def test_what_is_known_already_is_not_sent_again(api: Rest) -> None:
    for path in ("/roles", "/roles/member"):
        first = await api.ask("GET", f"{API}{path}")
        tag = first.headers["etag"]
        for sent in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            again = await api.ask("GET", f"{API}{path}", headers={"If-None-Match": sent})
            assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
        assert (await api.ask("GET", f"{API}{path}", headers={"If-None-Match": '"other"'})).status == 200
        for sent in (tag.strip('"'), f"{tag};{tag}", f"{tag},", f"*, {tag}"):
            assert (await api.ask("GET", f"{API}{path}", headers={"If-None-Match": sent})).code == "state_malformed"
    await api.ask("POST", f"{API}/roles", {"name": "new", "rules": ["*/*"]})
    assert (await api.ask("GET", f"{API}/roles", headers={"If-None-Match": tag})).status == 200


async def test_a_change_says_which_state_it_means(api: Rest) -> None:
    await api.ask("POST", f"{API}/roles", {"name": "r", "rules": ["*/*"]})
    path = f"{API}/roles/r"
    tag = (await api.ask("GET", path)).headers["etag"]
    assert (await api.ask("DELETE", path)).code == "state_unsaid"
    assert (await api.ask("DELETE", path, headers={"If-None-Match": '"x"'})).code == "state_unsaid"
    malformed = await api.ask("DELETE", path, headers={"If-Match": tag.strip('"')})
    assert malformed.code == "state_malformed"
    for stale in ("", '"x"', f"W/{tag}", f'"{tag[1:-2]}"'):
        answer = await api.ask("DELETE", path, headers={"If-Match": stale})
        assert (answer.status, answer.code) == (412, "state_changed")
    assert (await api.ask("PUT", f"{path}/holders/owner")).json()["changed"] is True
    assert (await api.ask("DELETE", path, headers={"If-Match": tag})).code == "state_changed"
    tag = (await api.ask("GET", path)).headers["etag"]
    assert (await api.ask("DELETE", path, headers={"If-Match": tag})).code == "role_in_use"
    await api.ask("DELETE", f"{path}/holders/owner")
    assert (await api.ask("DELETE", path, headers={"If-Match": "*"})).status == 200
    assert (await api.ask("DELETE", path, headers={"If-Match": "*"})).code == "not_found"
    assert (await api.ask("DELETE", path)).code == "state_unsaid"


async def test_putting_something_new_needs_no_state_and_putting_it_again_does(api: Rest) -> None:
    path, body = f"{API}/limits/new", {"count": 5, "period_s": 60}
    assert (await api.ask("PUT", path, body, headers={"If-Match": '"x"'})).code == "state_changed"
    assert (await api.ask("PUT", path, body, headers={"If-None-Match": "*"})).status == 200
    assert (await api.ask("PUT", path, body, headers={"If-None-Match": "*"})).code == "state_changed"
    assert (await api.ask("PUT", path, body)).code == "state_unsaid"
    assert (await api.ask("PUT", path, body, headers={"If-Match": "*"})).json()["replaced"] is True


async def test_of_64_who_revoke_one_token_at_once_exactly_one_does_it(api: Rest) -> None:
    victim = (await api.world.ask("token.create"))["id"]
    path = f"{API}/tokens/{victim}"
    tag = (await api.ask("GET", path)).headers["etag"]
    answers = await asyncio.gather(*(api.ask("DELETE", path, headers={"If-Match": tag}) for _ in range(64)))
    assert sorted(answer.status for answer in answers) == [200, *[412] * 63]
    victim = (await api.world.ask("token.create"))["id"]
    path = f"{API}/tokens/{victim}"
    answers = await asyncio.gather(*(api.ask("DELETE", path, headers={"If-Match": "*"}) for _ in range(64)))
    assert [answer.status for answer in answers] == [200] * 64
    assert sum(answer.json()["changed"] for answer in answers) == 1


async def test_a_token_that_revokes_itself_is_good_for_nothing_more(api: Rest) -> None:
    token = await api.mint("tokens:token:revoke", "keys:key:read")
    itself = token[5:17]
    assert (await api.ask("GET", f"{API}/keys", token=token)).status == 200
    assert (await api.ask("DELETE", f"{API}/tokens/{itself}", token=token, headers={"If-Match": "*"})).status == 200
    assert (await api.ask("GET", f"{API}/keys", token=token)).code == "admin_token_invalid"


async def test_a_revocation_stops_a_change_that_waits_for_the_world_outside(api: Rest) -> None:
    """The token was good when the request came; it is not when the change would be made."""
    token = await api.mint("upstreams:server:change")
    api.world.reach.waits = asyncio.Event()
    body = {"name": "slow", "url": "http://127.0.0.1:1/mcp"}
    adding = asyncio.ensure_future(api.ask("POST", f"{API}/servers", body, token=token))
    await asyncio.wait_for(api.world.reach.began.wait(), 5)
    await api.ask("DELETE", f"{API}/tokens/{token[5:17]}", headers={"If-Match": "*"})
    api.world.reach.waits.set()
    assert (await adding).code == "admin_token_invalid"
    assert (await api.ask("GET", f"{API}/servers")).json()["items"] == []


async def test_every_request_leaves_a_row_with_actor_agent_and_address(api: Rest) -> None:
    made = await api.world.ask("token.create", permissions=["keys:key:read", "keys:key:create"], agent="ci/bot 1")
    token, actor = str(made["token"]), f"token:{made['id']}"
    await api.ask("GET", f"{API}/keys", token=token)
    await api.ask("POST", f"{API}/keys", {"principal": "x"}, token=token)
    await api.ask("POST", f"{API}/keys", {"principal": "x y"}, token=token)
    await api.ask("POST", f"{API}/keys", raw=b"{", token=token)
    await api.ask("GET", f"{API}/keys?cursor=x", token=token)
    await api.ask("GET", f"{API}/roles", token=token)
    place = ("ci/bot 1", "127.0.0.1")
    assert rows(api, "keys:key:list") == [(actor, "ok", None, *place), (actor, "refused", "cursor_invalid", *place)]
    assert [row for row in rows(api, "keys:key:create") if row[0] == actor] == [
        (actor, "ok", None, *place),
        (actor, "refused", "invalid_input", *place),
        (actor, "refused", "json_invalid", *place),
    ]
    assert rows(api, "rbac:role:list") == [(actor, "refused", "forbidden", *place)]
    assert (await api.ask("GET", f"{API}/audit/verification")).json()["intact"] is True


async def test_failed_tries_are_audited_one_by_one_and_then_in_sum(api: Rest) -> None:
    """A flood fills no log, and locks nobody out."""
    answers = [await api.ask("GET", f"{API}/keys", token=generate()) for _ in range(30)]
    assert [answer.status for answer in answers] == [401] * 20 + [429] * 10
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
    assert answers[-1].code == "admin_token_flood"
    assert (await api.ask("GET", f"{API}/keys")).status == 200
    assert api.door.tries.total == 30
    await api.door.close()
    found = rows(api, "tokens:token:refuse")
    assert [row[2] for row in found] == ["admin_token_invalid"] * 20 + ["admin_token_flood"]
    assert {(row[0], row[4]) for row in found} == {("anonymous", "127.0.0.1")}


async def test_methods_of_a_resource_are_told(api: Rest) -> None:
    head, got = await api.ask("HEAD", f"{API}/roles"), await api.ask("GET", f"{API}/roles")
    assert (head.status, head.body, head.headers["etag"]) == (200, b"", got.headers["etag"])
    assert head.headers["content-length"] == str(len(got.body))
    for method in ("PUT", "PATCH", "DELETE"):
        answer = await api.ask(method, f"{API}/roles")
        assert (answer.status, answer.code) == (405, "api_method")
        assert answer.headers["allow"] == "GET, HEAD, POST, OPTIONS"
    asked = await api.ask("OPTIONS", f"{API}/roles/member")
    assert (asked.status, asked.body, asked.headers["allow"]) == (204, b"", "DELETE, GET, HEAD, OPTIONS")
    for path in ("", "/", "/nothing", "/roles/", "/roles/a/b", "/docs", "/openapi", "/redoc"):
        for method in ("GET", "POST", "OPTIONS"):
            assert (await api.ask(method, f"{API}{path}")).code == "api_unknown"


async def test_a_restart_of_the_door_leaves_no_task_behind(tmp_path: Path) -> None:
    async with rest(tmp_path) as api:
        assert (await api.ask("GET", f"{API}/status")).status == 200
    left = [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith(("rest-", "asgi-"))]
    assert left == []
