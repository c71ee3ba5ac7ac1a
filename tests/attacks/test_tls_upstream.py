"""Certificates that an upstream must not get away with, and what the operator is told of each."""

import base64
import hashlib
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from mcp_platform.base.errors import Fault
from mcp_platform.net.client import HttpClient
from mcp_platform.net.client_address import Destination, Origin
from mcp_platform.net.client_head import head
from mcp_platform.net.client_trust import TRUST_INVALID, Trust, check_trust
from mcp_platform.net.upstream_errors import UPSTREAM_DOWN
from tests.attacks.certificates import ADDRESS, BAD, Authority, Made
from tests.net.raw_upstream import Upstream, always, answer, upstream

pytestmark = pytest.mark.anyio
OK = answer(b'{"ok":true}')


@asynccontextmanager
async def serving(context: ssl.SSLContext) -> AsyncIterator[tuple[Upstream, HttpClient]]:
    client = HttpClient()
    try:
        async with upstream(always(OK), tls=context) as server:
            yield server, client
    finally:
        await client.close()


async def post(client: HttpClient, server: Upstream, trust: Trust | None) -> bytes:
    destination = Destination(Origin("https", ADDRESS, server.port, trust), "/mcp")
    exchange = await client.open(destination)
    try:
        exchange.send(head("POST", destination, {"authorization": "Bearer secret"}), b"{}")
        await exchange.head()
        return await exchange.read(1000)
    finally:
        exchange.close()


def pin_of(certificate: str) -> str:
    public = x509.load_pem_x509_certificate(certificate.encode()).public_key()
    info = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return f"sha256//{base64.b64encode(hashlib.sha256(info).digest()).decode()}"


@pytest.mark.parametrize("reason", BAD)
async def test_a_bad_certificate_is_refused_with_its_reason_before_a_byte_is_sent(reason: str) -> None:
    made = BAD[reason]()
    async with serving(made.context()) as (server, client):
        with pytest.raises(Fault) as caught:
            await post(client, server, Trust(authority=made.authority))
        assert caught.value.kind is UPSTREAM_DOWN
        address = f"127.0.0.1:{server.port}"
        assert caught.value.data == {"stage": "tls", "reason": reason, "address": address}
        assert server.requests == []


async def test_a_good_certificate_of_a_private_authority_is_taken_for_that_upstream_alone() -> None:
    made = Authority().issue()
    async with serving(made.context()) as (server, client):
        assert await post(client, server, Trust(authority=made.authority)) == b'{"ok":true}'
        with pytest.raises(Fault) as caught:
            await post(client, server, None)
        assert caught.value.data["stage"] == "tls"
        assert len(server.requests) == 1


async def test_a_private_authority_stands_in_place_of_the_systems_not_beside() -> None:
    context = Trust(authority=Authority().pem)
    made = Authority().issue()
    async with serving(made.context()) as (server, client):
        with pytest.raises(Fault):
            await post(client, server, context)


async def test_a_pinned_key_is_needed_beside_a_good_certificate() -> None:
    authority = Authority()
    made, other = authority.issue(), authority.issue()
    async with serving(made.context()) as (server, client):
        good = Trust(authority=authority.pem, pins=(pin_of(other.certificate), pin_of(made.certificate)))
        assert await post(client, server, good) == b'{"ok":true}'
        with pytest.raises(Fault) as caught:
            await post(client, server, Trust(authority=authority.pem, pins=(pin_of(other.certificate),)))
        address = f"127.0.0.1:{server.port}"
        assert caught.value.data == {"stage": "tls", "reason": "wrong_key", "address": address}
        assert len(server.requests) == 1


async def test_a_pin_saves_no_certificate_that_is_bad() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    made = BAD["self_signed"]()
    pinned = Trust(authority=Authority().issue(key=key).authority, pins=(pin_of(made.certificate),))
    async with serving(made.context()) as (server, client):
        with pytest.raises(Fault) as caught:
            await post(client, server, pinned)
        assert caught.value.data["reason"] == "self_signed"


async def test_a_client_certificate_is_shown_where_one_is_given() -> None:
    authority = Authority()
    context = asking(authority.issue(), authority)
    us = authority.issue("platform", purpose=ExtendedKeyUsageOID.CLIENT_AUTH)
    async with serving(context) as (server, client):
        known = Trust(authority=authority.pem, certificate=us.certificate, key=us.key)
        assert await post(client, server, known) == b'{"ok":true}'
        with pytest.raises(Fault):
            await post(client, server, Trust(authority=authority.pem))
        assert len(server.requests) == 1


def asking(made: Made, authority: Authority) -> ssl.SSLContext:
    context = made.context()
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=authority.pem)
    return context


@pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1"])
async def test_versions_before_1_2_are_not_spoken(version: str) -> None:
    made = Authority().issue()
    context = made.context()
    with pytest.warns(DeprecationWarning, match="TLSv1 is deprecated"):
        context.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="is deprecated"):
        context.maximum_version = ssl.TLSVersion[version]
    context.set_ciphers("ALL:@SECLEVEL=0")
    async with serving(context) as (server, client):
        with pytest.raises(Fault) as caught:
            await post(client, server, Trust(authority=made.authority))
        assert caught.value.data["stage"] == "tls"


async def test_session_keys_are_written_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """SSLKEYLOGFILE makes ssl.create_default_context give every session away."""
    made = Authority().issue()
    with tempfile.NamedTemporaryFile() as log:
        monkeypatch.setenv("SSLKEYLOGFILE", log.name)
        async with serving(made.context()) as (server, client):
            assert await post(client, server, Trust(authority=made.authority)) == b'{"ok":true}'
        assert log.read() == b""


GOOD = Authority().issue()


@pytest.mark.parametrize(
    "trust",
    [
        Trust(authority="no PEM"),
        Trust(authority=""),
        Trust(authority="\u0430"),
        Trust(authority="\x00"),
        Trust(certificate="\x00", key="\U0001f511"),
        Trust(authority="x" * (1 << 19)),
        Trust(pins=("sha256//short",)),
        Trust(pins=("md5//" + "A" * 43 + "=",)),
        Trust(pins=("sha256//" + "A" * 43 + "=",) * 9),
        Trust(certificate=GOOD.certificate),
        Trust(key=GOOD.key),
        Trust(certificate=GOOD.certificate, key=Authority().issue().key),
    ],
)
def test_trust_that_could_never_work_is_refused_when_it_is_given(trust: Trust) -> None:
    with pytest.raises(Fault) as caught:
        check_trust(trust)
    assert caught.value.kind is TRUST_INVALID


def test_no_trust_shows_a_key() -> None:
    assert "PRIVATE" not in repr(Trust(key="PRIVATE"))
