"""Pages of other origins against both surfaces: who may call, what they may read, and what a browser may remember."""

import http.client
from collections.abc import Iterator
from typing import Any

import pytest

from tests.journeys.platform import Answer, Platform, modern_request, running_platform

APP = "https://app.example.com"
CONFIG = """
[http]
max_body_bytes = 4096
"""
ORIGINS = 'allowed_origins = ["https://app.example.com", "http://local.test:3000"]'


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform that two origins may call."""
    made = Platform.make(tmp_path_factory.mktemp("shared"), config=CONFIG)
    settings = made.data / "mcp-platform.toml"
    settings.write_text(settings.read_text().replace("[gateway]", f"[gateway]\n{ORIGINS}", 1))
    try:
        yield made.start()
    finally:
        if made.process is not None:
            made.stop()


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform as it comes: no origin may call."""
    with running_platform(tmp_path_factory.mktemp("closed")) as running:
        yield running


def call(platform: Platform, origin: str | None = None, *, key: str | None = None, **more: str) -> Answer:
    """A good request of an agent, from a page."""
    body, headers = modern_request("tools/list", {}, key or platform.api_key)
    if origin is not None:
        headers["Origin"] = origin
    return platform.request("POST", "/mcp", body, {**headers, **more})


def preflight(platform: Platform, origin: str, **more: str) -> Answer:
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    asked["Access-Control-Request-Headers"] = "authorization,content-type,mcp-protocol-version"
    return platform.request("OPTIONS", "/mcp", None, {**asked, **{k.replace("_", "-"): v for k, v in more.items()}})


def varies(answer: Answer) -> set[str]:
    return {each.strip().lower() for each in answer.headers.get("vary", "").split(",")}


def says_nothing(answer: Answer) -> bool:
    return not any(name.startswith("access-control-") for name in answer.headers)


@pytest.mark.parametrize("origin", [APP, "http://local.test:3000"])
def test_an_allowed_origin_calls_and_reads(shared: Platform, origin: str) -> None:
    answer = call(shared, origin)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == origin
    exposed = {each.strip().lower() for each in answer.headers["access-control-expose-headers"].split(",")}
    assert {"mcp-session-id", "www-authenticate", "retry-after", "ratelimit", "ratelimit-policy"} <= exposed
    assert "origin" in varies(answer)


HOSTILE = [
    "null",
    "NULL",
    "",
    "https://app.example.com.evil.example",
    "https://evilapp.example.com",
    "https://evil-app.example.com",
    "https://app.example.comevil",
    "https://app.example.co",
    "https://example.com",
    "https://sub.app.example.com",
    "https://app.example.com.",
    "https://app.example.com:443",
    "https://app.example.com:8443",
    "https://app.example.com/",
    "https://app.example.com/path",
    "https://app.example.com?x",
    "https://user@app.example.com",
    "https://app.example.com@evil.example",
    "http://app.example.com",
    "HTTPS://app.example.com",
    "https://APP.example.com",
    "wss://app.example.com",
    "//app.example.com",
    "app.example.com",
    "https://app.example.com https://evil.example",
    "https://evil.example, https://app.example.com",
    "https://app.example.com,https://app.example.com",
    "https://app.example.com\thttps://evil.example",
    "https://\u0430pp.example.com".encode().decode("latin-1"),
    "https://xn--pp-7kc.example.com",
    "https://app\u3002example.com".encode().decode("latin-1"),
    "http://local.test",
    "http://local.test:03000",
    "http://local.test:30000",
    "http://127.0.0.1",
    "http://localhost:3000",
    "file://",
    "chrome-extension://abcdefghijklmnop",
    "*",
    "https://*.example.com",
    "undefined",
]


@pytest.mark.parametrize("origin", HOSTILE)
@pytest.mark.parametrize("how", [call, preflight])
def test_any_other_origin_is_refused_and_may_read_nothing(shared: Platform, origin: str, how: Any) -> None:
    answer = how(shared, origin)
    assert answer.status in (400, 403)
    assert says_nothing(answer)
    assert "origin" in varies(answer)


def test_two_origin_headers_are_refused(shared: Platform) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", shared.ports["gateway"], timeout=10)
    connection.putrequest("POST", "/mcp")
    for origin in (APP, "https://evil.example"):
        connection.putheader("Origin", origin)
    connection.putheader("Content-Length", "0")
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 400
    assert answer.getheader("access-control-allow-origin") is None
    connection.close()


@pytest.mark.parametrize("origin", [APP, "null", "https://evil.example"])
def test_no_origin_may_call_unless_the_operator_says_so(closed: Platform, origin: str) -> None:
    for answer in (call(closed, origin), preflight(closed, origin)):
        assert answer.status == 403
        assert says_nothing(answer)
    assert call(closed).status == 200
    assert "vary" not in call(closed).headers


def test_a_preflight_names_what_may_be_sent_and_for_how_long_that_is_known(shared: Platform) -> None:
    answer = preflight(shared, APP, Access_Control_Request_Headers="authorization,mcp-param-city,x-evil")
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == APP
    assert {each.strip() for each in answer.headers["access-control-allow-methods"].split(",")} == {
        "GET",
        "POST",
        "DELETE",
        "OPTIONS",
    }
    allowed = {each.strip().lower() for each in answer.headers["access-control-allow-headers"].split(",")}
    assert {"authorization", "content-type", "mcp-protocol-version", "mcp-session-id", "mcp-param-city"} <= allowed
    assert "x-evil" not in allowed
    assert answer.headers["access-control-max-age"] == "600"
    line = b"OPTIONS /mcp HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nOrigin: %b\r\nConnection: close\r\n\r\n"
    whole = raw(shared, line % (shared.ports["gateway"], APP.encode()))
    assert whole.count(b"Vary: Origin\r\n") == whole.count(b"Vary: Access-Control-Request-Headers\r\n") == 1


@pytest.mark.parametrize(
    "asked",
    [
        "mcp-param-" + "a" * 65,
        "mcp-param-a b",
        "mcp-param-*",
        "*",
        "mcp-param-a;mcp-param-b",
        ",".join(f"mcp-param-{i}" for i in range(200)),
    ],
)
def test_a_preflight_echoes_no_nonsense_and_no_endless_list(shared: Platform, asked: str) -> None:
    answer = preflight(shared, APP, Access_Control_Request_Headers=asked)
    allowed = [each.strip().lower() for each in answer.headers["access-control-allow-headers"].split(",")]
    assert len(allowed) <= 48
    assert not {"*", "mcp-param-*", "mcp-param-a b"} & set(allowed)
    assert all(len(each) <= 80 for each in allowed)


@pytest.mark.parametrize("header", ["Access_Control_Request_Private_Network", "Access_Control_Request_Local_Network"])
def test_a_public_page_may_not_reach_into_a_private_network(shared: Platform, header: str) -> None:
    answer = preflight(shared, APP, **{header: "true"})
    assert answer.status == 403
    assert "access-control-allow-private-network" not in answer.headers
    assert "access-control-allow-local-network" not in answer.headers


def refusals(platform: Platform) -> list[tuple[int, Answer]]:
    """A page gets each of these, and must be able to read what was wrong."""
    body, headers = modern_request("tools/list", {}, platform.api_key)
    headers["Origin"] = APP
    without = {name: value for name, value in headers.items() if name != "Authorization"}
    ask = platform.request
    return [
        (401, ask("POST", "/mcp", body, without)),
        (401, ask("POST", "/mcp", body, {**headers, "Authorization": "Bearer mcpp_wrong"})),
        (404, ask("POST", "/nothing", body, headers)),
        (405, ask("GET", "/mcp", None, headers)),
        (406, ask("POST", "/mcp", body, {**headers, "Accept": "text/html"})),
        (413, ask("POST", "/mcp", b"x" * 5000, headers)),
        (415, ask("POST", "/mcp", body, {**headers, "Content-Type": "text/plain"})),
        (400, ask("POST", "/mcp", b"{", headers)),
        (417, ask("POST", "/mcp", body, {**headers, "Expect": "more"})),
    ]


def test_a_page_can_read_each_refusal(shared: Platform) -> None:
    for status, answer in refusals(shared):
        assert answer.status == status
        if status != 417:  # refused with the head itself, before an Origin in it counts
            assert answer.headers["access-control-allow-origin"] == APP, status
        assert "origin" in varies(answer), status
        assert "access-control-allow-credentials" not in answer.headers


def test_credentials_are_never_allowed_and_nothing_is_a_wildcard(shared: Platform) -> None:
    for answer in (call(shared, APP), preflight(shared, APP), *(answer for _, answer in refusals(shared))):
        assert "access-control-allow-credentials" not in answer.headers
        assert "*" not in [value for name, value in answer.headers.items() if name.startswith("access-control-")]


def test_every_answer_varies_by_origin_whatever_was_sent(shared: Platform) -> None:
    for path in ("/mcp", "/readyz", "/healthz", "/nothing"):
        for method in ("GET", "POST", "DELETE", "OPTIONS", "PUT", "HEAD"):
            assert "origin" in varies(shared.request(method, path)), (method, path)
    for broken in (b"GET /mcp HTTP/1.1\r\n\r\n", b"NONSENSE\r\n\r\n", b"GET / HTTP/9.9\r\nHost: x\r\n\r\n"):
        assert b"vary: origin" in raw(shared, broken).lower()


def raw(platform: Platform, sent: bytes) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", platform.ports["gateway"], timeout=10)
    connection.connect()
    assert connection.sock is not None
    connection.sock.sendall(sent)
    got = b""
    while part := connection.sock.recv(65536):
        got += part
    connection.close()
    return got


# The console: no page but its own, as browsers tell by Fetch Metadata.


def console(platform: Platform, path: str, method: str = "GET", **headers: str) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", platform.ports["console"], timeout=10)
    try:
        connection.request(method, path, None, {k.replace("_", "-"): v for k, v in headers.items()})
        answer = connection.getresponse()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    finally:
        connection.close()


OPENED = {"Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
FRAMED = {"Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "iframe"}
FETCHED = {"Sec_Fetch_Mode": "no-cors", "Sec_Fetch_Dest": "empty"}


@pytest.mark.parametrize(
    ("path", "site", "how", "status"),
    [
        ("/", "none", OPENED, 200),
        ("/", "same-origin", FETCHED, 200),
        ("/", "cross-site", OPENED, 200),
        ("/", "same-site", OPENED, 200),
        ("/", "cross-site", FRAMED, 403),
        ("/", "same-site", FRAMED, 403),
        ("/", "cross-site", FETCHED, 403),
        ("/", "cross-site", {}, 403),
        ("/", "nonsense", {}, 403),
        ("/readyz", "cross-site", OPENED, 403),
        ("/readyz", "none", OPENED, 200),
        ("/api/v1/openapi.json", "cross-site", OPENED, 403),
        ("/api/v1/keys", "same-site", FETCHED, 403),
    ],
)
def test_the_console_answers_pages_of_its_own_alone(
    closed: Platform, path: str, site: str, how: dict[str, str], status: int
) -> None:
    answer = console(closed, path, Sec_Fetch_Site=site, **how)
    assert answer.status == status
    assert "sec-fetch-site" in varies(answer)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_a_form_of_another_site_changes_nothing(closed: Platform, method: str) -> None:
    assert console(closed, "/", method, Sec_Fetch_Site="cross-site", **OPENED).status == 403


@pytest.mark.parametrize("origin", ["null", "https://evil.example", "http://127.0.0.1", "https://127.0.0.1:{port}"])
def test_the_console_knows_its_own_origin_and_no_other(closed: Platform, origin: str) -> None:
    port = closed.ports["console"]
    assert console(closed, "/", Origin=origin.format(port=port)).status == 403
    answer = console(closed, "/", Origin=f"http://127.0.0.1:{port}")
    assert answer.status == 200
    assert says_nothing(answer)


@pytest.mark.parametrize("surface", ["gateway", "console"])
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.", "127.0.0.1", "[::1]:1", ""])
def test_a_foreign_host_is_refused_on_both_surfaces(closed: Platform, surface: str, host: str) -> None:
    """DNS rebinding: a page of evil.example whose name suddenly means 127.0.0.1."""
    connection = http.client.HTTPConnection("127.0.0.1", closed.ports[surface], timeout=10)
    connection.request("GET", "/readyz", headers={"Host": host})
    assert connection.getresponse().status in (400, 403)
    connection.close()
