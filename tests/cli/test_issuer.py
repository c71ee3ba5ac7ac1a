"""`issuer` says what it did, warns of what is unwise, and works with and without a running platform; `doctor` looks at
issuers too."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.features.jwt.provider import ISSUER, Provider, Signer, claims, publishing
from tests.journeys.platform import Platform, running_platform


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with running_platform(tmp_path_factory.mktemp("issuer"), workers=1) as running:
        yield running


@pytest.fixture
def provider(platform: Platform) -> Iterator[Provider]:
    """A provider, and no issuer is left behind."""
    with publishing(Signer.make()) as made:
        yield made
    for row in platform.cli("issuer", "list")["issuers"]:
        platform.cli("issuer", "remove", row["name"])


def said(platform: Platform, *arguments: str) -> str:
    """What a command that goes well prints for people."""
    done = platform.run(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_life_of_an_issuer_reads_well(platform: Platform, provider: Provider) -> None:
    added = said(platform, "issuer", "add", "corp", ISSUER, "--jwks-url", provider.url)
    assert f"Trusts issuer corp ({ISSUER}) with 1 key." in added
    assert "they may call nothing" in added
    assert "k1" in said(platform, "issuer", "list")
    assert "has 1 usable key" in said(platform, "issuer", "test", "corp")
    provider.publish(Signer.make("ES256", "k2"))
    differs = said(platform, "issuer", "test", "corp")
    assert "New: k2" in differs
    assert "Gone: k1" in differs
    assert "has 1 key" in said(platform, "issuer", "refresh", "corp")
    assert "is principal ana" in said(platform, "issuer", "link", "corp", "alice", "--principal", "ana")
    assert "Refuses the token t1" in said(platform, "issuer", "revoke", "corp", "--jti", "t1")
    (row,) = platform.cli("issuer", "list")["issuers"]
    assert (row["links"], row["revoked"]) == ({"alice": "ana"}, 1)
    assert "no stored principal" in said(platform, "issuer", "link", "corp", "alice", "--remove")
    assert "Removed issuer corp" in said(platform, "issuer", "remove", "corp")
    assert "No issuers" in said(platform, "issuer", "list")


def test_plain_tokens_are_warned_of(platform: Platform, provider: Provider) -> None:
    options = ("--jwks-url", provider.url, "--type", "at+jwt", "--type", "JWT")
    assert "Warning: --type JWT" in said(platform, "issuer", "add", "corp", ISSUER, *options)


@pytest.mark.parametrize(
    "arguments",
    [
        ("add", "corp", ISSUER),
        ("add", "corp", ISSUER, "--jwks-url", "https://a.example", "--jwks-file", "keys.json"),
        ("add", "corp", ISSUER, "--jwks-url", "https://a.example", "--role", "member"),
        ("link", "corp", "alice"),
        ("link", "corp", "alice", "--principal", "ana", "--remove"),
        ("revoke", "corp"),
        ("revoke", "corp", "--jti", "a", "--sub", "b"),
    ],
)
def test_a_command_that_says_too_much_or_too_little_is_refused(platform: Platform, arguments: tuple[str, ...]) -> None:
    assert platform.run("issuer", *arguments).returncode == 2


@pytest.mark.parametrize("command", [("remove",), ("test",), ("refresh",), ("revoke", "--jti", "a")])
def test_an_issuer_that_is_not_there_is_said_to_be_so(platform: Platform, command: tuple[str, ...]) -> None:
    name, *options = command
    done = platform.run("issuer", name, "nobody", *options, "--json")
    assert json.loads(done.stdout)["error"]["code"] == "issuer_unknown"


def test_a_linked_subject_has_the_roles_of_its_principal_and_is_shut_out_with_it(
    platform: Platform, provider: Provider
) -> None:
    signer = Signer.make()
    provider.publish(signer)
    platform.cli("issuer", "add", "corp", ISSUER, "--jwks-url", provider.url)
    platform.cli("issuer", "link", "corp", "alice", "--principal", "linked")
    token = signer.token(claims(platform.mcp_url))
    assert platform.rpc("tools/list", key=token).status == 200
    platform.cli("principal", "disable", "linked")
    assert platform.rpc("tools/list", key=token).status == 401
    assert platform.rpc("tools/list", key=signer.token(claims(platform.mcp_url, sub="bob"))).status == 200
    platform.cli("principal", "enable", "linked")
    assert platform.rpc("tools/list", key=token).status == 200


def doctor(platform: Platform) -> dict[str, Any]:
    """Level and words of each finding about issuers."""
    report = json.loads(platform.run("doctor", "--json").stdout)
    return {f["level"]: f["says"] for f in report["findings"] if f["check"].startswith("issuer.")}


def test_doctor_says_how_issuers_are(platform: Platform, provider: Provider) -> None:
    platform.cli("issuer", "add", "corp", ISSUER, "--jwks-url", provider.url)
    assert set(doctor(platform)) == {"warning", "ok"}
    assert "no role" in doctor(platform)["warning"]
    provider.status = 500
    assert "could not be fetched" in doctor(platform)["fault"]
    provider.status = 200
    provider.keys = [{**Signer.make("RS256").jwk(), "e": "Aw"}]
    assert "can be broken" in doctor(platform)["fault"]


def test_an_issuer_can_be_added_before_the_platform_is_started(tmp_path: Path) -> None:
    signer = Signer.make()
    made = Platform.make(tmp_path, workers=1)
    with publishing(signer) as provider:
        made.cli("issuer", "add", "corp", ISSUER, "--jwks-url", provider.url, "--default-role", "member")
        made.start()
        try:
            assert made.rpc("tools/list", key=signer.token(claims(made.mcp_url))).status == 200
        finally:
            made.stop()


def test_what_an_issuer_is_trusted_with_stands_in_the_audit_log_and_no_secret_does(
    platform: Platform, tmp_path: Path
) -> None:
    secret = "shared-secret-of-forty-characters-exactly"
    (tmp_path / "secret").write_text(secret)
    platform.cli("issuer", "add", "corp", ISSUER, "--secret-file", str(tmp_path / "secret"))
    platform.cli("issuer", "remove", "corp")
    for path in platform.data.rglob("*"):
        assert not path.is_file() or secret.encode() not in path.read_bytes(), path
    assert secret not in platform.log()
    assert b"jwt:issuer:add" in b"".join(path.read_bytes() for path in platform.data.glob("platform.db*"))
