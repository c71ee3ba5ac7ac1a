"""Which Host and Origin headers are answered."""

import pytest

from mcp_platform.features.cors.check import HostRule, OriginRule

LOCAL = HostRule.of(None, "127.0.0.1", 8080)
PUBLIC = HostRule.of("https://mcp.example.com", "127.0.0.1", 8080, ["inside.example", "gw.example:9000"])


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080", "[::1]:8080", "LocalHost:8080"])
def test_a_loopback_listener_answers_to_every_loopback_name(host: str) -> None:
    assert LOCAL.accepts(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        " ",
        "127.0.0.1",
        "127.0.0.1:80",
        "127.0.0.1:8081",
        "127.0.0.1:08080",
        "127.0.0.1:8080 ",
        "127.0.0.1.:8080",
        "127.0.0.1:8080.evil.example",
        "127.1:8080",
        "2130706433:8080",
        "0x7f000001:8080",
        "0.0.0.0:8080",
        "[::]:8080",
        "[0:0:0:0:0:0:0:1]:8080",
        "::1:8080",
        "[::ffff:127.0.0.1]:8080",
        "localhost",
        "localhost.:8080",
        "localhost:8080@evil.example",
        "evil.example@localhost:8080",
        "evil.example:8080",
        "localhost.evil.example:8080",
        "evillocalhost:8080",
        "localhost:8080,evil.example",
        "localhost:8080/",
        "http://localhost:8080",
        "localhost\x00:8080",
    ],
)
def test_any_other_host_is_refused(host: str) -> None:
    """DNS rebinding: the MCP specification (transports, security warning) asks for it."""
    assert not LOCAL.accepts(host)


@pytest.mark.parametrize(
    "host",
    [
        "mcp.example.com",
        "MCP.example.COM",
        "mcp.example.com:443",
        "inside.example",
        "inside.example:8080",
        "gw.example:9000",
        "localhost:8080",
    ],
)
def test_public_and_allowed_hosts_are_answered(host: str) -> None:
    assert PUBLIC.accepts(host)


@pytest.mark.parametrize(
    "host",
    [
        "mcp.example.com:80",
        "mcp.example.com:8080",
        "mcp.example.com.",
        "xmcp.example.com",
        "mcp.example.com.evil.example",
        "example.com",
        "gw.example",
        "gw.example:8080",
        "inside.example:443",
    ],
)
def test_near_misses_of_them_are_refused(host: str) -> None:
    assert not PUBLIC.accepts(host)


def test_listening_everywhere_answers_only_to_names_that_are_known() -> None:
    rule = HostRule.of(None, "0.0.0.0", 8080)
    assert rule.accepts("localhost:8080")
    assert not rule.accepts("192.0.2.7:8080")
    assert not rule.accepts("0.0.0.0:8080")
    assert HostRule.of(None, "::", 8080).accepts("[::1]:8080")


def test_a_listener_on_one_address_answers_to_that_address() -> None:
    assert HostRule.of(None, "192.0.2.7", 8080).hosts == {"192.0.2.7:8080"}
    assert HostRule.of(None, "2001:DB8:0::1", 8080).hosts == {"[2001:db8::1]:8080"}
    assert HostRule.of(None, "gw.internal", 80).hosts == {"gw.internal", "gw.internal:80"}


ORIGINS = OriginRule.of(["https://app.example.com", "HTTP://Local.Test:3000", "https://explicit.example:443"])


@pytest.mark.parametrize(
    "origin", [None, "https://app.example.com", "http://local.test:3000", "https://explicit.example"]
)
def test_an_allowed_origin_or_none_is_accepted(origin: str | None) -> None:
    assert ORIGINS.accepts(origin)


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "null",
        "NULL",
        "http://app.example.com",
        "https://app.example.com:443",
        "https://app.example.com:8443",
        "https://app.example.com/",
        "https://app.example.com.",
        "https://app.example.com.evil.example",
        "https://evil-app.example.com",
        "https://xapp.example.com",
        "https://user@app.example.com",
        "https://app.example.com@evil.example",
        "https://APP.example.com",
        "https://app.example.com https://evil.example",
        "https://app.example.com, https://evil.example",
        "http://local.test",
        "http://local.test:3001",
        "file://",
        "*",
        "https://*",
    ],
)
def test_any_other_origin_is_refused(origin: str) -> None:
    """Exact: scheme, host and port, as a browser writes them (RFC 6454 §6.2)."""
    assert not ORIGINS.accepts(origin)


@pytest.mark.parametrize(
    "entry", ["*", "null", "https://*.example.com", "example.com", "https://a/b", "ftp://a", "https://a@b", ""]
)
def test_an_entry_that_is_no_origin_allows_nothing(entry: str) -> None:
    assert OriginRule.of([entry]).origins == frozenset()


def test_no_origin_is_allowed_by_default() -> None:
    assert not OriginRule.of().accepts("http://localhost:8080")
