"""A client's address is what a trusted proxy says of it, and never what a stranger says."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_platform.net.peer import TrustedProxies, counted_as

PROXIES = TrustedProxies(["10.0.0.0/8", "2001:db8:f::/48"], "x-forwarded-for")
RFC_7239 = TrustedProxies(["10.0.0.0/8"], "forwarded")


def through(value: str, peer: str = "10.0.0.1") -> str:
    return PROXIES.client(peer, {"x-forwarded-for": value})


def test_by_default_nobody_is_believed() -> None:
    nobody = TrustedProxies([], "x-forwarded-for")
    assert nobody.client("10.0.0.1", {"x-forwarded-for": "192.0.2.9"}) == "10.0.0.1"


def test_a_stranger_is_not_believed() -> None:
    assert through("192.0.2.9", peer="192.0.2.1") == "192.0.2.1"
    assert PROXIES.client("", {"x-forwarded-for": "192.0.2.9"}) == ""


@pytest.mark.parametrize(
    ("value", "client"),
    [
        ("192.0.2.9", "192.0.2.9"),
        ("203.0.113.1, 192.0.2.9", "192.0.2.9"),
        ("203.0.113.1,192.0.2.9, 10.1.1.1 ,10.2.2.2", "192.0.2.9"),
        ("garbage, 192.0.2.9", "192.0.2.9"),
        ("127.0.0.1, 192.0.2.9", "192.0.2.9"),
        ("192.0.2.9:51000", "192.0.2.9"),
        ("[2001:db8::9]:51000", "2001:db8::9"),
        ("[2001:db8::9]", "2001:db8::9"),
        ("2001:DB8:0::9", "2001:db8::9"),
        ("::ffff:192.0.2.9", "192.0.2.9"),
        ("2001:db8:f::1", "2001:db8:f::1"),
        ("10.1.1.1", "10.1.1.1"),
    ],
)
def test_the_right_most_address_that_is_no_proxy_counts(value: str, client: str) -> None:
    assert through(value) == client


@pytest.mark.parametrize(
    "value",
    ["", ",", "unknown", "192.0.2", "192.0.2.9.1", "0192.0.2.9", "192.0.2.9,", "1.2.3.4, unknown, 10.1.1.1",
     "fe80::1%eth0", "192.0.2.9 192.0.2.8", "http://192.0.2.9", "[192.0.2.9", "192.0.2.9:", "٣.2.1.1",
     "192.0.2.9/32", ", ".join(["10.1.1.1"] * 40), "x" * 8000],
)  # fmt: skip
def test_what_is_not_understood_is_the_peers_own(value: str) -> None:
    assert through(value) == "10.0.0.1"


@given(st.text(st.characters(min_codepoint=9, max_codepoint=255), max_size=80))
def test_nothing_written_into_the_header_breaks_or_moves_an_honest_client(text: str) -> None:
    """What a proxy appends stands at the right; whatever the client wrote before it changes nothing."""
    assert through(f"{text}, 192.0.2.9") == "192.0.2.9"
    assert ipaddress.ip_address(through(text))
    assert ipaddress.ip_address(RFC_7239.client("10.0.0.1", {"forwarded": text}))
    assert RFC_7239.client("10.0.0.1", {"forwarded": f"{text}, for=192.0.2.9"}) == "192.0.2.9"


@pytest.mark.parametrize(
    ("value", "client"),
    [
        ("for=192.0.2.9", "192.0.2.9"),
        ("for=192.0.2.9;proto=https;by=10.0.0.1", "192.0.2.9"),
        ('proto=https;For="[2001:db8::9]:4711"', "2001:db8::9"),
        ('for="192.0.2.9:80", for=10.1.1.1', "192.0.2.9"),
        ('for="_hidden", for=192.0.2.9', "192.0.2.9"),
        ("for=unknown", "10.0.0.1"),
        ("for=_hidden", "10.0.0.1"),
        ("proto=https", "10.0.0.1"),
        ("for=192.0.2.9;for=192.0.2.8", "10.0.0.1"),
        ('for="192.0.2.9', "10.0.0.1"),
        ("for = 192.0.2.9", "10.0.0.1"),
    ],
)
def test_forwarded_is_read_as_rfc_7239_writes_it(value: str, client: str) -> None:
    assert RFC_7239.client("10.0.0.1", {"forwarded": value}) == client


def test_only_the_header_that_the_proxies_write_is_read() -> None:
    """A proxy that writes one passes the other on as the client sent it."""
    assert RFC_7239.client("10.0.0.1", {"x-forwarded-for": "192.0.2.9"}) == "10.0.0.1"
    assert PROXIES.client("10.0.0.1", {"forwarded": "for=192.0.2.9"}) == "10.0.0.1"


def test_a_customer_is_an_ipv4_address_or_an_ipv6_64() -> None:
    assert counted_as("2001:db8:1:2::1") == counted_as("2001:db8:1:2:ffff::9") != counted_as("2001:db8:1:3::1")
    assert counted_as("::ffff:192.0.2.1") == counted_as("192.0.2.1")
    assert counted_as("") is None
