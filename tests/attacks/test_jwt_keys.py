"""Where an issuer's keys come from: weak keys, hostile key sets, hostile servers and networks, at the operator's door
of a real platform."""

import json
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.attacks.test_jwt import SERVER, without_limits
from tests.features.jwt.provider import Provider, Signer, b64, claims, publishing
from tests.features.jwt.weak import roca_modulus, rsa_jwk
from tests.journeys.platform import Platform, running_platform

URL = "https://keys.example.test"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with running_platform(tmp_path_factory.mktemp("keys"), workers=1) as running:
        without_limits(running)
        running.cli("server", "add", "streaming", "--", sys.executable, str(SERVER))
        yield running


@pytest.fixture
def provider() -> Iterator[Provider]:
    with publishing(Signer.make()) as made:
        yield made


def refusal(platform: Platform, *arguments: str) -> dict[str, Any]:
    """The error of a command that is refused."""
    done = platform.run(*arguments, "--json")
    assert done.returncode != 0, done.stdout
    error: dict[str, Any] = json.loads(done.stdout)["error"]
    return error


def refused_from(platform: Platform, url: str, *options: str) -> dict[str, Any]:
    """Why an issuer whose keys are at `url` is not added; nothing of it stays."""
    error = refusal(platform, "issuer", "add", "refused", URL, "--jwks-url", url, *options)
    assert all(row["name"] != "refused" for row in platform.cli("issuer", "list")["issuers"])
    return error


def test_weak_keys_are_refused_with_the_reason(platform: Platform, provider: Provider) -> None:
    sound = Signer.make("RS256").jwk()
    for weak, why in (
        (rsa_jwk(roca_modulus()), "ROCA"),
        (rsa_jwk((1 << 1023) | 1), "2048"),
        ({**sound, "e": b64(b"\1")}, "exponent"),
        ({**sound, "e": b64((65536).to_bytes(3))}, "exponent"),
        ({**Signer.make("ES256").jwk(), "y": b64(bytes(31) + b"\1")}, "point"),
        ({"kty": "OKP", "crv": "Ed25519", "x": b64(bytes(32))}, "low order"),
    ):
        provider.keys = [Signer.make().jwk(), weak]
        error = refused_from(platform, provider.url)
        assert error["code"] == "issuer_key_weak"
        assert why in error["text"]


def test_a_weak_key_that_is_published_later_is_never_trusted(platform: Platform, tmp_path: Path) -> None:
    """It is left out, the others stay, and a token under it is refused."""
    strong, weak = Signer.make("RS256", "strong"), Signer.make("RS256", "weak", which=1)
    with publishing(strong) as provider:
        platform.cli("issuer", "add", "later", URL, "--jwks-url", provider.url, "--default-role", "member")
        try:
            audience = platform.mcp_url
            provider.keys = [strong.jwk(), {**weak.jwk(), "e": b64(b"\3")}]
            for signer, status in ((weak, 401), (strong, 200)):
                token = signer.token(claims(audience, iss=URL))
                assert platform.rpc("tools/list", key=token).status == status
            assert provider.hits >= 2
            assert "issuer_keys_weak" in platform.log()
        finally:
            platform.cli("issuer", "remove", "later")


@pytest.mark.parametrize(
    "document",
    [b"", b"<html>", b"[]", b'{"keys":[]}', b'{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}', b'{"keys":[],"keys":[]}'],
)
def test_what_is_no_key_set_is_refused(platform: Platform, provider: Provider, document: bytes) -> None:
    provider.document = document
    assert refused_from(platform, provider.url)["code"] == "issuer_keys_invalid"


def test_a_key_set_without_end_is_refused(platform: Platform, provider: Provider) -> None:
    provider.document = b" " * (300 * 1024)
    assert refused_from(platform, provider.url)["code"] == "issuer_keys_unreachable"


@pytest.mark.parametrize("status", [204, 301, 302, 307, 401, 404, 500])
def test_only_a_plain_answer_is_one(platform: Platform, provider: Provider, status: int) -> None:
    """No redirect is followed: where keys come from is the operator's word alone."""
    with publishing(Signer.make()) as elsewhere:
        provider.status = status
        provider.headers = {"Location": elsewhere.url}
        assert refused_from(platform, provider.url)["code"] == "issuer_keys_unreachable"
        assert elsewhere.hits == 0


@pytest.mark.parametrize(
    "url",
    [
        "http://id.example.test/jwks.json",
        "http://10.0.0.1/jwks.json",
        "http://127.0.0.1.example.test/jwks.json",
        "http://0.0.0.0:1/jwks.json",
        "file:///etc/passwd",
        "ftp://127.0.0.1/jwks.json",
        "jwks.json",
    ],
)
def test_keys_come_over_tls_or_from_this_machine(platform: Platform, url: str) -> None:
    assert refused_from(platform, url)["code"] == "issuer_url_insecure"


def test_the_metadata_service_of_a_cloud_is_never_asked(platform: Platform) -> None:
    error = refused_from(platform, "https://169.254.169.254/latest/meta-data")
    assert error["code"] == "issuer_keys_unreachable"
    assert error["data"]["stage"] == "resolve"


def test_a_certificate_that_nobody_vouches_for_is_refused(platform: Platform, tmp_path: Path) -> None:
    ours, theirs = trustme.CA(), trustme.CA()
    ours.cert_pem.write_to_path(str(tmp_path / "ours.pem"))
    for authority, name in ((theirs, "127.0.0.1"), (ours, "other.example.test")):
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name).configure_cert(tls)
        with publishing(Signer.make(), tls=tls) as provider:
            for options in ((), ("--authority", str(tmp_path / "ours.pem"))):
                error = refused_from(platform, provider.url, *options)
                assert (error["code"], error["data"]["stage"]) == ("issuer_keys_unreachable", "tls")
                assert error["data"]["reason"] in ("unknown_authority", "wrong_host")
                assert error["data"]["address"] in error["text"]
                assert provider.hits == 0


def test_when_the_issuer_cannot_be_reached_its_keys_stay(platform: Platform) -> None:
    signer = Signer.make()
    with publishing(signer) as provider:
        platform.cli("issuer", "add", "away", URL, "--jwks-url", provider.url, "--default-role", "member")
    try:
        error = refusal(platform, "issuer", "refresh", "away")
        assert error["code"] == "issuer_keys_unreachable"
        token = signer.token(claims(platform.mcp_url, iss=URL))
        assert platform.rpc("tools/list", key=token).status == 200
    finally:
        platform.cli("issuer", "remove", "away")


def test_an_issuer_that_publishes_no_key_is_believed_no_more(platform: Platform) -> None:
    """An unknown key makes the platform look, and what it finds is what counts."""
    signer = Signer.make()
    with publishing(signer) as provider:
        platform.cli("issuer", "add", "empty", URL, "--jwks-url", provider.url, "--default-role", "member")
        try:
            token = signer.token(claims(platform.mcp_url, iss=URL))
            assert platform.rpc("tools/list", key=token).status == 200
            provider.keys = []
            other = Signer.make("EdDSA", "other").token(claims(platform.mcp_url, iss=URL))
            assert platform.rpc("tools/list", key=other).status == 401
            assert platform.rpc("tools/list", key=token).status == 401
        finally:
            platform.cli("issuer", "remove", "empty")


@pytest.mark.long
def test_keys_are_fetched_again_on_schedule(platform: Platform) -> None:
    """Ten seconds is the shortest; nobody asks for anything meanwhile."""
    old, new = Signer.make("EdDSA", "old"), Signer.make("EdDSA", "new")
    with publishing(old) as provider:
        options = ("--jwks-url", provider.url, "--default-role", "member", "--refresh", "10s")
        platform.cli("issuer", "add", "scheduled", URL, *options)
        try:
            token = old.token(claims(platform.mcp_url, iss=URL))
            platform.wait_for(lambda: provider.hits >= 2, "the first look", 15)
            assert platform.rpc("tools/list", key=token).status == 200
            provider.publish(new)
            platform.wait_for(lambda: platform.rpc("tools/list", key=token).status == 401, "the rotation", 30)
        finally:
            platform.cli("issuer", "remove", "scheduled")


def test_keys_from_a_file_are_replaced_from_a_file(platform: Platform, tmp_path: Path) -> None:
    old, new = Signer.make("ES384", None), Signer.make("ES384", None)
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"keys": [old.jwk()]}))
    platform.cli("issuer", "add", "filed", URL, "--jwks-file", str(path), "--default-role", "member")
    try:
        tokens = [signer.token(claims(platform.mcp_url, iss=URL)) for signer in (old, new)]
        assert [platform.rpc("tools/list", key=token).status for token in tokens] == [200, 401]
        path.write_text(json.dumps({"keys": [new.jwk()]}))
        platform.cli("issuer", "refresh", "filed", "--jwks-file", str(path))
        assert [platform.rpc("tools/list", key=token).status for token in tokens] == [401, 200]
    finally:
        platform.cli("issuer", "remove", "filed")


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--algorithm", "none"), "invalid_input"),
        (("--algorithm", "HS256"), "invalid_input"),
        (("--algorithm", "ES256K"), "invalid_input"),
        (("--refresh", "5s"), "invalid_input"),
        (("--max-life", "60d"), "invalid_input"),
        (("--default-role", "nobody-made-it"), "not_found"),
        (("--role", "staff=member"), "invalid_input"),
    ],
)
def test_a_careless_policy_is_refused(
    platform: Platform, provider: Provider, options: tuple[str, ...], code: str
) -> None:
    assert refused_from(platform, provider.url, *options)["code"] == code


def test_a_short_shared_secret_is_refused_and_never_shown(platform: Platform, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("too-short-to-be-one")
    done = platform.run("issuer", "add", "short", URL, "--secret-file", str(tmp_path / "secret"), "--json")
    assert json.loads(done.stdout)["error"]["code"] == "invalid_input"
    assert "too-short" not in done.stdout + done.stderr + platform.log()


def test_two_issuers_never_have_one_name_or_url(platform: Platform, provider: Provider) -> None:
    platform.cli("issuer", "add", "first", URL, "--jwks-url", provider.url)
    try:
        for name, url in (("first", "https://other.example.test"), ("second", URL)):
            error = refusal(platform, "issuer", "add", name, url, "--jwks-url", provider.url)
            assert error["code"] == "issuer_exists"
    finally:
        platform.cli("issuer", "remove", "first")
