"""Tokens at the public door of a real platform: what must not be taken is not, what is good is, and what is taken back
is gone everywhere within a second. Keys come over TLS from a real server.
"""

import json
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.features.jwt.hostile import Hostile
from tests.features.jwt.provider import ISSUER, Provider, Signer, b64, claims, hs256, publishing
from tests.gateway.door import Door
from tests.gateway.wires import LegacySession, Wire, wires_to_each_worker
from tests.journeys.platform import Answer, Platform, modern_request, running_platform

SERVER = Path(__file__).with_name("streaming_server.py")


@dataclass
class Trust:
    """A platform that trusts a provider, and that provider's keys."""

    platform: Platform
    provider: Provider
    authority: Path
    ed: Signer
    rs: Signer
    es: Signer

    @property
    def audience(self) -> str:
        return self.platform.mcp_url

    def token(self, signer: Signer | None = None, **others: Any) -> str:
        return (signer or self.ed).token(claims(self.audience, **others))

    def ask(self, token: str) -> Answer:
        return self.platform.rpc("tools/list", key=token)

    def wait_until_refused(self, token: str, timeout_s: float = 1.0) -> float:
        """Seconds until every worker refuses the token; fails after the time-out."""
        began = time.monotonic()
        for wire in wires_to_each_worker(self.platform).values():
            while wire.rpc("tools/list", {}, token).status != 401:
                assert time.monotonic() - began < timeout_s, "still taken"
        return time.monotonic() - began


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trust]:
    folder = tmp_path_factory.mktemp("jwt")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    ed, rs, es = Signer.make("EdDSA", "k1"), Signer.make("RS256", "k2"), Signer.make("ES256", "k3")
    with publishing(ed, rs, es, tls=tls) as provider, running_platform(folder) as platform:
        without_limits(platform)
        platform.cli("server", "add", "streaming", "--", sys.executable, str(SERVER))
        made = Trust(platform, provider, folder / "ca.pem", ed, rs, es)
        add(made, "corp", ISSUER, "--default-role", "member")
        yield made


def without_limits(platform: Platform) -> None:
    """These tests send more bad tokens than an address may; what is tested is that each is refused for itself."""
    for limit in ("failed-authentication", "each-principal"):
        platform.cli("limit", "remove", limit)


@pytest.fixture(autouse=True)
def _no_wire_outlives_its_test() -> Iterator[None]:
    yield
    while Wire.open_ones:
        Wire.open_ones.pop().close()


def add(trust: Trust, name: str, url: str, *options: str) -> dict[str, Any]:
    where = ("--jwks-url", trust.provider.url, "--authority", str(trust.authority))
    added: dict[str, Any] = trust.platform.cli("issuer", "add", name, url, *where, *options)
    return added


@contextmanager
def second(trust: Trust, name: str, *options: str) -> Iterator[str]:
    """Another issuer with the same keys, for tests that end its trust; gives its URL."""
    url = f"https://{name}.example.test"
    add(trust, name, url, *options)
    try:
        yield url
    finally:
        if any(row["name"] == name for row in trust.platform.cli("issuer", "list")["issuers"]):
            trust.platform.cli("issuer", "remove", name)


def test_a_token_for_one_virtual_server_opens_no_other(trust: Trust) -> None:
    """And 401 tells nobody which others there are."""
    for name in ("one", "two"):
        trust.platform.cli("virtual", "create", name, "--tool", "streaming/echo")
    paths = {"": "/mcp", "one": "/mcp/one", "two": "/mcp/two", "three": "/mcp/three"}
    opened = {"": [200, 200, 200, 404], "one": [401, 200, 401, 401], "three": [401, 401, 401, 404]}
    for name, statuses in opened.items():
        token = trust.token(aud=trust.audience + (f"/{name}" if name else ""))
        assert [trust.platform.rpc("tools/list", key=token, path=path).status for path in paths.values()] == statuses
    both = trust.token(aud=[f"{trust.audience}/one", f"{trust.audience}/two"])
    answers = [trust.platform.rpc("tools/list", key=both, path=path) for path in paths.values()]
    assert [answer.status for answer in answers] == [401, 200, 200, 401]
    assert answers[0].headers["www-authenticate"] == 'Bearer realm="mcp-platform", error="invalid_token"'
    for name in ("one", "two"):
        trust.platform.cli("virtual", "remove", name)


def test_good_tokens_are_taken_and_bad_ones_all_get_the_same_answer(trust: Trust) -> None:
    """Some 200 hostile tokens; nobody learns from the answer which check failed, and none costs a worker its life."""
    for signer in (trust.ed, trust.rs, trust.es):
        answer = trust.platform.call("echo", {"text": "hi"}, key=trust.token(signer))
        assert answer.json()["result"]["content"] == [{"type": "text", "text": "hi"}]
    wire = Wire(trust.platform)
    answers = set()
    sent = 0
    for name, token in Hostile(trust.ed, trust.rs, trust.es, trust.audience).all().items():
        if not token.isascii() or "\t" in token:
            continue
        answer = wire.rpc("tools/list", {}, token)
        assert answer.status in (401, 431), name
        if answer.status == 401:
            answers.add((answer.headers["www-authenticate"], answer.body))
        if answer.headers.get("connection") == "close":
            wire = Wire(trust.platform)
        sent += 1
    codes = {json.loads(body)["error"]["data"]["error"] for _, body in answers}
    assert codes == {"token_invalid"}
    assert {challenge for challenge, _ in answers} == {'Bearer realm="mcp-platform", error="invalid_token"'}
    assert len(answers) == 1
    assert sent > 150
    assert trust.ask(trust.token()).status == 200


def test_what_failed_stands_in_the_log_and_the_token_does_not(trust: Trust) -> None:
    marked = trust.token(aud="https://elsewhere.example", sub="a-subject-to-look-for")
    trust.platform.wait_for(lambda: is_logged(trust, marked), "the reason in the log")
    for part in (*marked.split("."), "a-subject-to-look-for"):
        assert part not in trust.platform.log()


def is_logged(trust: Trust, token: str) -> bool:
    """Lines about refusals are few in a second, so it may take another try."""
    assert trust.ask(token).status == 401
    lines = [json.loads(line) for line in trust.platform.log().splitlines() if '"token_refused"' in line]
    return any(line["why"] == "aud" for line in lines)


def test_a_token_of_64_kib_is_refused_before_it_is_read(trust: Trust) -> None:
    for size, status in ((13_000, 401), (48_000, 431)):
        answer = trust.ask(trust.token(filler="x" * size))
        assert answer.status == status


def test_a_request_without_a_credential_is_told_no_error(trust: Trust) -> None:
    body, headers = modern_request("tools/list", {}, None)
    answer = trust.platform.request("POST", "/mcp", body, headers)
    assert (answer.status, answer.headers["www-authenticate"]) == (401, 'Bearer realm="mcp-platform"')


@pytest.mark.parametrize("credential", ["junk", "mcpp_short", "a.b", "Basic YTpi", "eyJhbGciOiJub25lIn0"])
def test_what_is_neither_key_nor_token_is_refused(trust: Trust, credential: str) -> None:
    assert trust.ask(credential).status == 401


def test_a_token_in_the_query_or_in_a_cookie_counts_for_nothing(trust: Trust) -> None:
    body, headers = modern_request("tools/list", {}, None)
    token = trust.token()
    assert trust.platform.request("POST", f"/mcp?access_token={token}", body, headers).status in (400, 401, 404)
    cookie = {**headers, "Cookie": f"access_token={token}"}
    assert trust.platform.request("POST", "/mcp", body, cookie).status == 401


def test_an_issuer_with_a_shared_secret_takes_hs256_and_no_public_key_does(trust: Trust, tmp_path: Path) -> None:
    secret = b64(bytes(range(48)))
    (tmp_path / "secret").write_text(f"{secret}\n")
    url = "https://shared.example.test"
    options = ("--secret-file", str(tmp_path / "secret"), "--default-role", "member")
    trust.platform.cli("issuer", "add", "shared", url, *options)
    try:
        head = {"alg": "HS256", "typ": "at+jwt"}
        assert trust.ask(hs256(secret.encode(), head, claims(trust.audience, iss=url))).status == 200
        assert trust.ask(hs256(b"x" * 48, head, claims(trust.audience, iss=url))).status == 401
        assert trust.ask(hs256(secret.encode(), head, claims(trust.audience))).status == 401
        assert trust.ask(trust.token(iss=url)).status == 401
    finally:
        trust.platform.cli("issuer", "remove", "shared")
    kept = [path for path in trust.platform.data.rglob("*") if path.is_file()]
    assert kept
    assert [path.name for path in kept if secret.encode() in path.read_bytes()] == []


def test_the_token_never_reaches_the_server_behind_the_tool(trust: Trust) -> None:
    """RFC 8707 and MCP: a token for us is for nobody else. The tool answers with every word its server was told."""
    token = trust.token()
    answer = trust.platform.call("mirror", {"text": "hi"}, key=token)
    assert b"hi" in answer.body
    for part in token.split("."):
        assert part.encode() not in answer.body
    assert token not in trust.platform.log()


def test_a_cached_token_does_not_outlive_its_expiry(trust: Trust) -> None:
    token = trust.token(exp=time.time() + 2.0)
    wires = wires_to_each_worker(trust.platform)
    assert {wire.rpc("tools/list", {}, token).status for wire in wires.values()} == {200}
    expires = json.loads(decoded(token))["exp"]
    last_taken = 0.0
    while time.time() < expires + 0.5:
        for wire in wires.values():
            asked = time.time()
            if wire.rpc("tools/list", {}, token).status == 200:
                last_taken = asked
    assert 0 < last_taken < expires


def decoded(token: str) -> bytes:
    import base64

    return base64.urlsafe_b64decode(token.split(".")[1] + "==")


@pytest.mark.parametrize("claim", ["jti", "sub"])
def test_a_revoked_token_is_refused_everywhere_within_a_second(trust: Trust, claim: str) -> None:
    with second(trust, f"revoking-{claim}", "--default-role", "member", "--leeway", "0") as url:
        token = trust.token(iss=url, jti="to-revoke", sub="mallory")
        other = trust.token(iss=url, jti="another", sub="bob")
        assert trust.ask(token).status == trust.ask(other).status == 200
        value = {"jti": "to-revoke", "sub": "mallory"}[claim]
        trust.platform.cli("issuer", "revoke", f"revoking-{claim}", f"--{claim}", value)
        trust.wait_until_refused(token)
        assert trust.ask(other).status == 200


def begin_stream(trust: Trust, token: str) -> Any:
    """A call that streams progress; its answer, three lines read."""
    body, headers = modern_request("tools/call", {"name": "count", "arguments": {}}, token)
    message = json.loads(body)
    message["params"]["_meta"]["progressToken"] = "p"
    answer = Wire(trust.platform).send(json.dumps(message).encode(), headers)
    assert answer.getheader("content-type") == "text/event-stream"
    for _ in range(3):
        assert answer.readline()
    return answer


def end_of(answer: Any) -> dict[str, Any]:
    """The last message of a stream."""
    lines = [line for line in answer.read().decode().splitlines() if line.startswith("data: ")]
    last: dict[str, Any] = json.loads(lines[-1][6:])
    return last


ENDS: dict[str, Callable[[Door, str], object]] = {
    "issuer removed": lambda door, name: door.ask("issuer.remove", name=name),
    "token revoked": lambda door, name: door.ask("issuer.revoke", name=name, jti="streamed"),
    "subject revoked": lambda door, name: door.ask("issuer.revoke", name=name, sub="alice"),
    "principal disabled": lambda door, name: door.ask("principal.disable", name=f"linked-{name}"),
}


@pytest.mark.parametrize("how", ENDS)
def test_a_streamed_call_is_cut_when_its_token_is_taken_back(trust: Trust, how: str) -> None:
    name = how.replace(" ", "-")
    with second(trust, name, "--default-role", "member") as url:
        door = Door(trust.platform)
        door.ask("issuer.link", name=name, subject="alice", principal=f"linked-{name}")
        answer = begin_stream(trust, trust.token(iss=url, jti="streamed"))
        ENDS[how](door, name)
        answered = time.monotonic()
        assert end_of(answer)["error"]["data"]["error"] == "permission_revoked"
        took_s = time.monotonic() - answered
        assert took_s < 1.0
        print(f"{how} to the end of a stream: {took_s * 1000:.1f} ms")


def test_a_call_that_begins_while_its_issuer_is_removed_is_cut_too(tmp_path: Path) -> None:
    """With strict durability the record of the intent takes a sync of the disk: long enough that a snapshot comes in
    between the permission and the call."""
    signer = Signer.make()
    strict = '[journal]\ndurability = "strict"\n'
    with publishing(signer) as provider, running_platform(tmp_path, workers=1, config=strict) as platform:
        platform.cli("server", "add", "streaming", "--", sys.executable, str(SERVER))
        trust = Trust(platform, provider, tmp_path, signer, signer, signer)
        door = Door(platform)
        for number in range(12):
            name, url = f"round-{number}", f"https://round-{number}.example.test"
            options = ("--jwks-url", provider.url, "--default-role", "member")
            platform.cli("issuer", "add", name, url, *options)
            token = trust.token(iss=url)
            ends: list[float] = []

            def stream(token: str = token, ends: list[float] = ends) -> None:
                body, headers = modern_request("tools/call", {"name": "count", "arguments": {}}, token)
                Wire(platform).ask(body, headers)
                ends.append(time.monotonic())

            threads = [threading.Thread(target=stream) for _ in range(8)]
            for thread in threads:
                thread.start()
            door.ask("issuer.remove", name=name)
            removed = time.monotonic()
            for thread in threads:
                thread.join(20)
            assert len(ends) == len(threads)
            assert max(ends) - removed < 1.0


def test_a_streamed_call_is_cut_when_its_token_expires(trust: Trust) -> None:
    expires = time.time() + 2.0
    answer = begin_stream(trust, trust.token(exp=expires))
    assert end_of(answer)["error"]["data"]["error"] == "permission_revoked"
    assert expires - 0.1 < time.time() < expires + 3.0


def test_a_legacy_session_belongs_to_who_the_token_says(trust: Trust) -> None:
    """Another token of the same subject and client goes on with it; another subject's does not."""
    session = LegacySession(Wire(trust.platform), trust.token())
    assert session.request("tools/list", {}).status == 200
    session.headers["Authorization"] = f"Bearer {trust.token()}"
    assert session.request("tools/list", {}).status == 200
    session.headers["Authorization"] = f"Bearer {trust.token(sub='bob')}"
    assert session.request("tools/list", {}).status == 404
    session.headers["Authorization"] = f"Bearer {trust.token(client_id='other')}"
    assert session.request("tools/list", {}).status == 404


def test_without_a_role_a_token_sees_and_calls_nothing(trust: Trust) -> None:
    options = ("--roles-claim", "realm.roles", "--role", "staff=member")
    with second(trust, "mapped", *options) as url:
        staff = trust.token(iss=url, realm={"roles": ["staff"]})
        assert len(trust.platform.tools(key=staff)) == 3
        for others in ({}, {"realm": {"roles": ["member", "admin"]}}, {"roles": ["staff"]}, {"scope": "staff"}):
            token = trust.token(iss=url, **others)
            assert trust.platform.tools(key=token) == []
            refused = trust.platform.call("echo", {"text": "hi"}, key=token)
            assert refused.json()["error"]["data"]["error"] == "tool_unknown"


@pytest.mark.alone
def test_keys_rotate_under_load_without_one_refusal(trust: Trust) -> None:
    """Old and new key overlap; tokens of the new one are used the moment it is published, on every worker."""
    url = "https://rotating.example.test"
    keys = [Signer.make("ES256", f"r{number}") for number in range(4)]
    with publishing(keys[0]) as provider:
        options = ("--jwks-url", provider.url, "--default-role", "member")
        trust.platform.cli("issuer", "add", "rotating", url, *options)
        refused, done, now = list[int](), threading.Event(), [keys[0]]

        def load() -> None:
            wire = Wire(trust.platform)
            while not done.is_set():
                answer = wire.rpc("tools/list", {}, trust.token(now[0], iss=url))
                if answer.status != 200:
                    refused.append(answer.status)

        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        for old, new in pairwise(keys):
            provider.publish(old, new)
            now[0] = new
            settled = time.monotonic() + 0.7
            trust.platform.wait_for(lambda until=settled: time.monotonic() > until, "some load on the new key")  # type: ignore[misc]  # a default binds it
        done.set()
        for thread in threads:
            thread.join(10)
        assert refused == []
        assert provider.hits <= 8, "an unknown key is asked for, not each of its tokens"
        gone = trust.token(keys[0], iss=url)
        assert trust.ask(gone).status == 401
        provider.publish(keys[3])
        trust.platform.cli("issuer", "refresh", "rotating")
        trust.wait_until_refused(trust.token(keys[2], iss=url))
        assert trust.ask(trust.token(keys[3], iss=url)).status == 200
        trust.platform.cli("issuer", "remove", "rotating")


def test_tokens_that_name_keys_at_random_make_no_flood_towards_the_issuer(trust: Trust) -> None:
    before = trust.provider.hits
    forged = [Signer.make("EdDSA", f"random-{number}") for number in range(40)]
    wire = Wire(trust.platform)
    assert {wire.rpc("tools/list", {}, trust.token(signer)).status for signer in forged} == {401}
    assert trust.provider.hits - before <= 4
    assert trust.ask(trust.token()).status == 200
