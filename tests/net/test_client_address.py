"""Which URLs and addresses may be an upstream's."""

import ipaddress

import pytest

from mcp_platform.base.errors import Fault
from mcp_platform.net import client_head
from mcp_platform.net.client import HttpClient
from mcp_platform.net.client_address import ADDRESS_REFUSED, URL_INVALID, is_never_allowed, parse_url
from mcp_platform.net.client_head import HEADER_INVALID

NEVER = [
    "169.254.169.254",
    "169.254.0.1",
    "fe80::1",
    "224.0.0.1",
    "ff02::1",
    "0.0.0.0",
    "::",
    "255.255.255.255",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "100.100.100.200",
    "fd00:ec2::254",
]


@pytest.mark.parametrize("address", NEVER)
def test_link_local_multicast_unspecified_and_metadata_are_never_connected_to(address: str) -> None:
    assert is_never_allowed(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.0.0.1", "192.168.1.1", "fd12::1", "93.184.216.34"])
def test_an_operators_own_addresses_are_theirs_to_name(address: str) -> None:
    assert not is_never_allowed(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["169.254.169.254", "[fe80::1]", "[::ffff:169.254.169.254]", "0.0.0.0"])
async def test_a_refused_address_is_not_connected_to(address: str) -> None:
    http = HttpClient()
    with pytest.raises(Fault) as caught:
        await http.open(parse_url(f"http://{address}:9/"))
    assert caught.value.kind is ADDRESS_REFUSED
    shown = str(ipaddress.ip_address(address.strip("[]")))
    assert caught.value.data == {"stage": "resolve", "host": shown, "address": shown}


async def test_a_narrower_rule_can_refuse_loopback() -> None:
    http = HttpClient(allowed=lambda address: not address.is_loopback)
    with pytest.raises(Fault) as caught:
        await http.open(parse_url("http://localhost:9/"))
    assert caught.value.kind is ADDRESS_REFUSED


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/",
        "http://",
        "http://user:secret@example.com/",
        "http://example.com/#x",
        "http://example.com/a b",
        "http://example.com/\r\nx: y",
        "http://exa\u00e4mple.com/",
        "http://example.com:99999/",
        "http://[fe80::1%25eth0]/",
        "http://a/" + "x" * 2048,
        "file:///etc/passwd",
    ],
)
def test_what_is_no_plain_http_url_is_refused(url: str) -> None:
    with pytest.raises(Fault) as caught:
        parse_url(url)
    assert caught.value.kind is URL_INVALID


@pytest.mark.parametrize(
    ("url", "authority", "path"),
    [
        ("http://example.com", "example.com", "/"),
        ("https://example.com:443/mcp?x=1", "example.com", "/mcp?x=1"),
        ("http://example.com:8000/mcp", "example.com:8000", "/mcp"),
        ("http://[::1]:8000/", "[::1]:8000", "/"),
    ],
)
def test_a_url_becomes_a_host_header_and_a_target(url: str, authority: str, path: str) -> None:
    destination = parse_url(url)
    assert (destination.origin.authority, destination.path) == (authority, path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-a", "one\r\nx-b: two"),
        ("x-a", "one\ntwo"),
        ("x-a", "nul\0"),
        ("x-a", "caf\u00e9"),
        ("x-a", " leading"),
        ("x a", "space in the name"),
        ("x-a\r\nx-b", "line in the name"),
        ("", "no name"),
        ("host", "elsewhere"),
        ("Content-Length", "12345"),
        ("transfer-encoding", "chunked"),
        ("connection", "close"),
    ],
)
def test_a_header_that_could_change_the_framing_is_refused_before_sending(name: str, value: str) -> None:
    with pytest.raises(Fault) as caught:
        client_head.line(name, value)
    assert caught.value.kind is HEADER_INVALID
    assert value not in caught.value.text
