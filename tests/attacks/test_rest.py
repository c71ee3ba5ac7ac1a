"""The REST API under attack: who may, what is taken for a body, tricks with paths, fields and headers."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from mcp_platform.control.rest.openapi import kinds
from mcp_platform.control.rest.table import ROUTES
from mcp_platform.features.audit.tables import AUDIT_LOG
from mcp_platform.features.tokens.check import generate
from mcp_platform.features.tokens.tables import ADMIN_TOKENS
from mcp_platform.store.permission import Permission
from mcp_platform.store.route import Route
from tests.attacks.json_corpus import CORPUS
from tests.control.rest import API, Reply, Rest, rest

pytestmark = pytest.mark.anyio
STRICT = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Rest]:
    async with rest(tmp_path) as here:
        here.door.tries.many = 10**9
        yield here


def place(route: Route) -> str:
    return API + re.sub(r"{\w+}", "owner", route.path)


async def ask(api: Rest, route: Route, token: str | None) -> Reply:
    headers = {"If-Match": "*"} if route.guarded else {}
    body = dict(route.example or {}) if route.body else None
    return await api.ask(route.method, place(route), body, token=token, headers=headers)


def check(answer: Reply, route: Route) -> None:
    """Every answer is in the document, with the strict headers, and says nothing to other origins."""
    documented = {kind.http for kind in kinds(route)} | {route.status}
    assert answer.status in documented
    assert {name: answer.headers[name] for name in STRICT} == STRICT
    assert not [name for name in answer.headers if name.startswith("access-control-") or name == "set-cookie"]


async def test_a_route_answers_to_the_right_token_alone(api: Rest) -> None:
    """The matrix of every route and every kind of caller; none of the refused ones changes anything."""
    expired, revoked = await api.mint("all"), await api.mint("all")
    with api.world.store.unit(1.0) as unit:
        ids = [token[5:17] for token in (expired, revoked)]
        unit.connection.execute(update(ADMIN_TOKENS).where(ADMIN_TOKENS.c.id == ids[0]).values(not_after=2.0))
        unit.connection.execute(update(ADMIN_TOKENS).where(ADMIN_TOKENS.c.id == ids[1]).values(revoked_at=2.0))
    flipped = api.token[:20] + ("A" if api.token[20] != "A" else "B") + api.token[21:]
    callers = (
        (None, "admin_token_missing"),
        ("x", "admin_token_invalid"),
        (generate(), "admin_token_invalid"),
        (flipped, "admin_token_invalid"),
        (api.world.first.api_key, "admin_token_invalid"),
        (expired, "admin_token_expired"),
        (revoked, "admin_token_invalid"),
    )
    before = api.world.watched.revisions[-1]
    for route in ROUTES:
        for token, code in callers:
            answer = await ask(api, route, token)
            assert (answer.status, answer.code) == (401, code), route.path
            assert answer.headers["www-authenticate"].startswith('Bearer realm="mcp-platform"')
            check(answer, route)
    assert api.world.watched.revisions[-1] == before


async def test_a_route_needs_its_own_permission_and_no_other(api: Rest) -> None:
    tokens = {
        permission: (
            await api.mint(*(each for each in Permission if each is not permission)),
            await api.mint(permission),
        )
        for permission in {route.permission for route in ROUTES}
    }
    before = api.world.watched.revisions[-1]
    for route in ROUTES:
        refused = await ask(api, route, tokens[route.permission][0])
        assert (refused.status, refused.code) == (403, "forbidden"), route.path
        check(refused, route)
    assert api.world.watched.revisions[-1] == before
    for route in ROUTES:
        allowed = await ask(api, route, tokens[route.permission][1])
        assert allowed.status not in (401, 403) or "default_roles" in (route.example or {}), route.path
        check(allowed, route)


async def test_another_form_of_the_credential_is_none(api: Rest) -> None:
    token = api.token
    for sent in (f"Basic {token}", f"bearer{token}", "Bearer  ", f"Bearer {token} x", f"Token {token}", token):
        answer = await api.ask("GET", f"{API}/keys", token=None, headers={"Authorization": sent})
        assert answer.code == "admin_token_invalid", sent
    for sent in (f"Bearer {token},Bearer {token}", f"Bearer\t{token}"):
        answer = await api.ask("GET", f"{API}/keys", token=None, headers={"Authorization": sent})
        assert answer.code == "admin_token_invalid", sent


async def test_the_token_is_taken_from_the_header_alone(api: Rest) -> None:
    for path, headers in (
        (f"{API}/keys?access_token={api.token}", {}),
        (f"{API}/keys", {"Cookie": f"token={api.token}; __Host-session={api.token}"}),
        (f"{API}/keys", {"X-Api-Key": api.token, "Proxy-Authorization": f"Bearer {api.token}"}),
    ):
        assert (await api.ask("GET", path, token=None, headers=headers)).code == "admin_token_missing"
    twice = {"Authorization": f"Bearer {api.token}\r\nAuthorization: Bearer {api.token}"}
    assert (await api.ask("GET", f"{API}/keys", token=None, headers=twice)).code == "http_header_duplicate"


async def test_whoever_has_no_token_learns_nothing_of_what_there_is(api: Rest) -> None:
    answers = [
        await api.ask(method, f"{API}{path}", token=None)
        for method in ("GET", "POST", "PATCH", "OPTIONS")
        for path in ("/keys", "/nothing", "/openapi.json", "", "/keys/../roles")
    ]
    assert {answer.code for answer in answers} == {"admin_token_missing", "http_target_invalid"}
    large = b" " * 2_000_000
    early = await api.ask("POST", f"{API}/keys", token=None, raw=large[:10], headers={"Content-Length": "900000"})
    assert early.code == "admin_token_missing", "said before the body came"


async def test_a_page_of_another_origin_gets_nothing(api: Rest) -> None:
    for origin in ("null", "https://evil.example", "http://localhost", f"http://127.0.0.1:{api.port}.evil.example"):
        for method in ("GET", "OPTIONS", "POST"):
            answer = await api.ask(method, f"{API}/keys", headers={"Origin": origin})
            assert answer.code == "origin_refused"
            assert not [name for name in answer.headers if name.startswith("access-control-")]
    assert (await api.ask("GET", f"{API}/keys", headers={"Sec-Fetch-Site": "cross-site"})).code == "cross_site_refused"
    assert (await api.ask("GET", f"{API}/keys", headers={"Host": "evil.example"})).code == "host_refused"


FOREIGN_TYPES = (
    *("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonx", ""),
    *("application/json, text/plain", "text/plain; application/json", "application/json; charset=utf-16"),
)


async def test_a_body_that_a_form_could_send_is_not_read(api: Rest) -> None:
    """A page may send these without asking first (V3.5.2)."""
    for kind in FOREIGN_TYPES:
        answer = await api.ask("POST", f"{API}/keys", {"principal": "x"}, headers={"Content-Type": kind})
        assert (answer.status, answer.code) == (415, "api_media_type"), kind


WRONG_FIELDS: tuple[Any, ...] = (
    {"principal": "x", "admin": True},
    {"principal": "x", "id": "000000000000"},
    {"principal": "x", "created_by": "local:0"},
    {"principal": "x", "__proto__": {}},
    {"principal": "x", "expires_in_s": True},
    {"principal": "x", "expires_in_s": "60"},
    {"principal": "x", "expires_in_s": -1},
    {"principal": "x", "expires_in_s": 10**30},
    {"principal": 1},
    {"principal": ["x"]},
    {"principal": {"$ne": ""}},
    {"principal": "x\n"},
    {"principal": "x' OR '1'='1"},
    {"principal": "x", "scopes": "git/*"},
    {"principal": "x", "scopes": ["git/*"] * 101},
    {"principal": "x", "roles": [None]},
    {},
    [],
    "x",
    None,
)


async def test_a_field_that_is_not_of_the_form_is_refused_whole(api: Rest) -> None:
    for sent in WRONG_FIELDS:
        answer = await api.ask("POST", f"{API}/keys", raw=json.dumps(sent).encode())
        assert (answer.status, answer.code) == (422, "invalid_input"), sent
        for echo in ("OR '1'", "__proto__", "local:0"):
            assert echo not in answer.json()["detail"], "what was sent is not said again"
    assert [key["principal"] for key in (await api.ask("GET", f"{API}/keys")).json()["items"]] == ["owner"]


AMBIGUOUS = (
    (b'{"principal":"a","principal":"b"}', "json_duplicate_key"),
    (b'{"principal":"a","\\u0070rincipal":"b"}', "json_duplicate_key"),
    (b'{"principal":"a"}{"principal":"b"}', "json_invalid"),
    (b'{"principal":"a",}', "json_invalid"),
    (b'{"principal":NaN}', "json_invalid"),
    (b'\xef\xbb\xbf{"principal":"a"}', "json_invalid"),
    (b'{"principal":"\xff"}', "json_invalid"),
    (b'{"principal":"\xed\xa0\x80"}', "json_invalid"),
    (b"[" * 40_000, "json_too_deep"),
    (b'{"principal":' + b"[" * 200 + b"]" * 200 + b"}", "json_too_deep"),
    (b"[" + b"[]," * 60_000 + b"[]]", "json_too_complex"),
    (b'{"principal":"' + b"a" * 1_048_576 + b'"}', "http_body_too_large"),
    (b"", "json_invalid"),
)


async def test_json_that_two_readers_could_read_apart_is_refused(api: Rest) -> None:
    for raw, code in AMBIGUOUS:
        assert (await api.ask("POST", f"{API}/keys", raw=raw)).code == code, raw[:40]


async def test_no_file_of_the_corpus_gives_a_server_error(api: Rest) -> None:
    """As the whole body, and as a field of it, on every route that takes one."""
    bodies = [route for route in ROUTES if route.body is not None]
    for number, (name, raw) in enumerate(CORPUS.items()):
        route = bodies[number % len(bodies)]
        field = next(iter(route.body.__struct_fields__)) if route.body else ""
        for sent in (raw, b'{"%b":%b}' % (field.encode(), raw)):
            answer = await api.ask(route.method, place(route), raw=sent, headers={"If-Match": "*"})
            assert answer.status < 500, name
            check(answer, route)


PATHS = (
    ("/keys/", 404),
    ("//keys", 400),
    ("/keys/..", 400),
    ("/keys/%2e%2e/roles", 400),
    ("/keys%2f1", 400),
    ("/keys%5c1", 400),
    ("/KEYS", 404),
    ("/keys;a=b", 404),
    ("/keys.json", 404),
    ("/keys/%00", 400),
    ("/keys/%0a", 400),
    ("/keys/%ff", 400),
    ("/keys/%C3%A9", 404),
    ("/keys/%E2%80%AE", 404),
    ("/roles/member%20", 404),
    ("/roles/member%3F", 404),
    ("/roles/member%23", 404),
    ("/roles/%6d%65%6d%62%65%72", 200),
    ("/roles/x'--", 404),
    ("/roles/{name}", 400),
    ("/roles/" + "a" * 7000, 404),
    ("/roles/" + "a" * 9000, 414),
    ("/../api/v1/keys", 400),
    ("/keys?callback=alert", 422),
    ("/keys/__class__", 404),
)


async def test_a_path_is_what_it_is(api: Rest) -> None:
    for path, status in PATHS:
        answer = await api.ask("GET", f"{API}{path}")
        assert answer.status == status, path[:80]
        assert status == 200 or answer.code


async def test_a_body_where_none_belongs_and_a_key_for_repeating_are_refused(api: Rest) -> None:
    assert (await api.ask("GET", f"{API}/keys", raw=b"{}")).code == "api_body_unexpected"
    headers = {"If-Match": "*"}
    assert (await api.ask("DELETE", f"{API}/keys/1", raw=b"{}", headers=headers)).code == "api_body_unexpected"
    again = {"Idempotency-Key": "1"}
    assert (await api.ask("POST", f"{API}/keys", {"principal": "x"}, headers=again)).code == "api_idempotency"


async def test_methods_that_are_none_are_refused_by_name(api: Rest) -> None:
    for method, status in (("TRACE", 405), ("CONNECT", 405), ("PROPFIND", 405), ("get", 405), ("PATCH", 405)):
        answer = await api.ask(method, f"{API}/keys")
        assert answer.status == status
        assert answer.headers["allow"]
        assert answer.code
    for trick in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"):
        answer = await api.ask("GET", f"{API}/keys", headers={trick: "DELETE"})
        assert answer.status == 200


async def test_reading_changes_nothing_but_the_log(api: Rest) -> None:
    """V3.5.3: safe methods have no side effect."""
    before = api.world.watched.revisions[-1]
    for route in ROUTES:
        if route.method == "GET":
            assert (await api.ask("GET", place(route))).status in (200, 404)
            assert (await api.ask("HEAD", place(route))).status in (200, 404)
    assert api.world.watched.revisions[-1] == before


async def test_nobody_gives_or_reads_what_they_do_not_hold(api: Rest) -> None:
    """A key with a role, and an issuer with one, need the permission to grant as well."""
    maker = await api.mint("keys:key:create", "jwt:issuer:change")
    body = {"principal": "x", "roles": ["member"]}
    assert (await api.ask("POST", f"{API}/keys", body, token=maker)).code == "forbidden"
    issuer = {"name": "i", "url": "https://i.example/", "secret": "s" * 32, "default_roles": ["member"]}
    assert (await api.ask("POST", f"{API}/issuers", issuer, token=maker)).code == "forbidden"
    assert (await api.ask("POST", f"{API}/issuers", {**issuer, "default_roles": []}, token=maker)).status == 201
    listed = await api.ask("GET", f"{API}/issuers")
    assert "s" * 32 not in listed.body.decode()
    reader = await api.mint()
    assert (await api.ask("GET", f"{API}/issuers", token=reader)).status == 200
    assert (await api.ask("POST", f"{API}/keys", {"principal": "x"}, token=reader)).code == "forbidden"


async def test_every_request_with_a_token_is_in_the_log(api: Rest) -> None:
    """V16.3.2: as many rows as requests, whatever came of them."""

    def count() -> int:
        with api.world.store.unit(1.0) as unit:
            return int(unit.connection.execute(select(func.count()).select_from(AUDIT_LOG)).scalar_one())

    before = count()
    for route in ROUTES:
        await ask(api, route, None if route.method == "HEAD" else "")
    assert count() - before == len(ROUTES)
