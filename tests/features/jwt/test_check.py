"""Whose a token is and whether it is good: every check by itself, with the reason that only the log sees."""

import base64
import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_platform.features.jwt import keys
from mcp_platform.features.jwt.check import RECOMMENDED, Issuers, Refused, resource_of
from mcp_platform.features.jwt.model import IssuerRow, principal_id
from tests.features.jwt.hostile import N_P256, Hostile
from tests.features.jwt.provider import ISSUER, Signer, b64, claims, hs256

AUDIENCE = "http://gw/mcp"
ED, RS, ES = Signer.make("EdDSA", "k1"), Signer.make("RS256", "k2"), Signer.make("ES256", "k3")
SECRET = b"s" * 32


def row(*signers: Signer, **others: Any) -> IssuerRow:
    document = json.dumps({"keys": [signer.jwk() for signer in signers]}).encode()
    usual: dict[str, Any] = {
        "id": "iss_1",
        "name": "corp",
        "url": ISSUER,
        "audiences": (),
        "types": ("at+jwt",),
        "keys": keys.read(document, (*RECOMMENDED, "ES512")).keys,
        "renewable": True,
        "secret": None,
        "leeway_s": 30.0,
        "max_life_s": 86400.0,
        "roles_claim": None,
        "role_map": {},
        "default_roles": (),
        "links": {},
        "revoked_tokens": {},
        "revoked_subjects": {},
    }
    return IssuerRow(**{**usual, **others})


def issuers(*rows: IssuerRow) -> Issuers:
    return Issuers(rows, AUDIENCE, lambda _row: SECRET)


def why_not(token: str, *rows: IssuerRow, now: float | None = None) -> str | None:
    """The reason of a refusal; None where the token is taken."""
    try:
        issuers(*rows).verify(token, time.time() if now is None else now)
    except Refused as refused:
        return refused.why
    return None


def test_no_hostile_token_is_taken() -> None:
    known = row(ED, RS, ES)
    made = Hostile(ED, RS, ES, AUDIENCE).all()
    assert [name for name, token in made.items() if why_not(token, known) is None] == []
    assert len(made) > 150


@pytest.mark.parametrize("algorithm", [*RECOMMENDED, "ES512"])
def test_a_good_token_is_taken_and_read(algorithm: str) -> None:
    signer = Signer.make(algorithm)
    said = claims(AUDIENCE)
    issuer, token = issuers(row(signer)).verify(signer.token(said), time.time())
    assert (issuer.name, token.subject, token.client, token.id) == ("corp", "alice", "desk", said["jti"])
    assert (token.issued, token.expires) == (said["iat"], said["exp"])


def test_a_shared_secret_verifies_hs256_and_nothing_else() -> None:
    shared = row(secret=b"sealed", keys=())
    head = {"alg": "HS256", "typ": "at+jwt"}
    assert why_not(hs256(SECRET, head, claims(AUDIENCE)), shared) is None
    assert why_not(hs256(b"x" * 32, head, claims(AUDIENCE)), shared) == "signature"
    assert why_not(hs256(SECRET, {**head, "alg": "HS512"}, claims(AUDIENCE)), shared) == "alg"
    assert why_not(ED.token(claims(AUDIENCE)), shared) == "alg"


def test_an_unknown_key_id_asks_for_newer_keys_only_where_there_can_be_some() -> None:
    token = Signer.make("EdDSA", "new").token(claims(AUDIENCE))
    for renewable, expected in ((True, "iss_1"), (False, None)):
        with pytest.raises(Refused) as refused:
            issuers(row(ED, renewable=renewable)).verify(token, time.time())
        assert (refused.value.why, refused.value.renew) == ("kid unknown", expected)


def test_without_a_key_id_only_one_key_may_fit() -> None:
    token = ED.token(claims(AUDIENCE), {"kid": None})
    assert why_not(token, row(ED, RS)) is None
    assert why_not(token, row(ED, Signer.make("EdDSA", "other"))) == "no kid"


def test_a_key_for_one_algorithm_verifies_no_other() -> None:
    """One RSA key could verify both paddings: the key says which."""
    document = json.dumps({"keys": [RS.jwk(alg="PS256")]}).encode()
    pinned = row(keys=keys.read(document, RECOMMENDED).keys)
    pss = Signer("PS256", RS.kid, RS.private)
    assert why_not(pss.token(claims(AUDIENCE)), pinned) is None
    assert why_not(RS.token(claims(AUDIENCE)), pinned) == "alg of the key"


def test_issuers_never_lend_each_other_keys() -> None:
    other = row(RS, id="iss_2", url="https://other.example")
    assert why_not(RS.token(claims(AUDIENCE)), row(ED, renewable=False), other) == "kid unknown"
    assert why_not(RS.token(claims(AUDIENCE, iss="https://other.example")), row(ED), other) is None


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"])
def test_a_type_is_a_media_type_whose_case_means_nothing(typ: str) -> None:
    assert why_not(ED.token(claims(AUDIENCE), {"typ": typ}), row(ED)) is None


def test_plain_tokens_are_taken_only_where_the_issuer_is_allowed_them() -> None:
    token = ED.token(claims(AUDIENCE), {"typ": "JWT"})
    assert why_not(token, row(ED)) == "typ"
    assert why_not(token, row(ED, types=("at+jwt", "jwt"))) is None


@pytest.mark.parametrize("aud", [AUDIENCE, [AUDIENCE], ["https://elsewhere.example", AUDIENCE]])
def test_one_audience_of_ours_is_enough(aud: object) -> None:
    assert why_not(ED.token(claims(AUDIENCE, aud=aud)), row(ED)) is None


@pytest.mark.parametrize(
    ("aud", "only"),
    [
        (AUDIENCE, None),
        ([f"{AUDIENCE}/one", AUDIENCE], None),
        (f"{AUDIENCE}/one", {"one"}),
        ([f"{AUDIENCE}/one", "https://elsewhere.example", f"{AUDIENCE}/two"], {"one", "two"}),
    ],
)
def test_a_token_for_a_virtual_server_is_for_nothing_else(aud: object, only: set[str] | None) -> None:
    """RFC 8707. One for `/mcp` opens what is behind it, too: a virtual server offers nothing that `/mcp` does not."""
    _, token = issuers(row(ED)).verify(ED.token(claims(AUDIENCE, aud=aud)), time.time())
    assert token.only == only
    assert (token.is_for("one"), token.is_for("")) == (True, only is None)


@pytest.mark.parametrize(
    "aud",
    [
        f"{AUDIENCE}x/one",
        f"{AUDIENCE}s",
        "http://gw",
        "http://gw/mcq/one",
        "http://gw/",
        f"{AUDIENCE}/",
        f"{AUDIENCE}/a/b",
    ],
)
def test_an_audience_that_only_looks_like_ours_is_none(aud: str) -> None:
    assert why_not(ED.token(claims(AUDIENCE, aud=aud)), row(ED)) == "aud"


def test_an_issuer_with_audiences_of_its_own_takes_only_those() -> None:
    own = row(ED, audiences=("api://one",))
    assert why_not(ED.token(claims("api://one")), own) is None
    assert why_not(ED.token(claims(AUDIENCE)), own) == "aud"
    assert why_not(ED.token(claims(AUDIENCE, aud=f"{AUDIENCE}/one")), own) == "aud"


def test_clocks_may_differ_by_the_leeway_but_an_end_is_an_end() -> None:
    now = time.time()
    for name in ("nbf", "iat"):
        assert why_not(ED.token(claims(AUDIENCE, **{name: now + 29})), row(ED), now=now) is None
        assert why_not(ED.token(claims(AUDIENCE, **{name: now + 31})), row(ED), now=now) == name
    token = ED.token(claims(AUDIENCE, exp=now + 10))
    assert why_not(token, row(ED), now=now + 9.9) is None
    assert why_not(token, row(ED), now=now + 10) == "exp"


def test_a_revoked_token_is_refused_by_its_id() -> None:
    token = ED.token(claims(AUDIENCE, jti="t1"))
    assert why_not(token, row(ED, revoked_tokens={"t1": 1e12})) == "revoked by jti"
    assert why_not(token, row(ED, revoked_tokens={"t2": 1e12})) is None


def test_a_revoked_subject_needs_a_newer_token() -> None:
    now = time.time()
    revoked = row(ED, revoked_subjects={"alice": now - 5})
    assert why_not(ED.token(claims(AUDIENCE, iat=now - 60)), revoked) == "revoked by sub"
    assert why_not(ED.token(claims(AUDIENCE, iat=None)), revoked) == "revoked by sub"
    assert why_not(ED.token(claims(AUDIENCE, iat=now)), revoked) is None
    assert why_not(ED.token(claims(AUDIENCE, iat=now - 60, sub="bob")), revoked) is None


def test_a_verified_token_is_no_longer_good_when_its_key_expiry_or_subject_is_gone() -> None:
    known = issuers(row(ED))
    issuer, token = known.verify(ED.token(claims(AUDIENCE)), time.time())
    known.admit(token, issuer, time.time())
    for changed, now, why in (
        (row(RS), time.time(), "key removed"),
        (issuer, token.expires, "expired"),
        (row(ED, revoked_subjects={"alice": 1e12}), time.time(), "revoked by sub"),
    ):
        with pytest.raises(Refused) as refused:
            known.admit(token, changed, now)
        assert refused.value.why == why


def test_a_changed_elliptic_signature_is_the_same_token() -> None:
    """(r, n - s) verifies too, in every library: so nothing hangs on the text of a token, only on what it says."""
    signed, _, signature = ES.token(claims(AUDIENCE, jti="t1")).rpartition(".")
    octets = base64.urlsafe_b64decode(signature + "==")
    flipped = octets[:32] + (N_P256 - int.from_bytes(octets[32:])).to_bytes(32)
    assert why_not(f"{signed}.{b64(flipped)}", row(ES)) is None
    assert why_not(f"{signed}.{b64(flipped)}", row(ES, revoked_tokens={"t1": 1e12})) == "revoked by jti"


@pytest.mark.parametrize(
    ("path", "said", "roles"),
    [
        ("groups", {"groups": ["staff", "guests"]}, ("member", "reader")),
        ("groups", {"groups": "staff ops"}, ("member", "reader")),
        ("groups", {"groups": ["nobody"]}, ("reader",)),
        ("groups", {}, ("reader",)),
        ("realm.roles", {"realm": {"roles": ["staff"]}}, ("member", "reader")),
        ("realm.roles", {"realm": ["roles"]}, ("reader",)),
        ("https://a.example/roles", {"https://a.example/roles": ["staff"]}, ("member", "reader")),
        ("groups", {"groups": ["Staff", "staff ", "st\u0430ff"]}, ("reader",)),
    ],
)
def test_roles_are_what_the_map_makes_of_the_claim(path: str, said: dict[str, Any], roles: tuple[str, ...]) -> None:
    mapped = row(ED, roles_claim=path, role_map={"staff": ("member",)}, default_roles=("reader",))
    _, token = issuers(mapped).verify(ED.token(claims(AUDIENCE, **said)), time.time())
    assert token.roles == roles


def test_without_a_map_claims_give_no_role() -> None:
    """Deny by default: what a token says of itself means nothing here."""
    said = {"roles": ["member"], "groups": ["member"], "scope": "member admin", "realm_access": {"roles": ["member"]}}
    _, token = issuers(row(ED)).verify(ED.token(claims(AUDIENCE, **said)), time.time())
    assert token.roles == ()


@pytest.mark.parametrize(
    ("said", "client", "actor"),
    [
        ({"client_id": "desk"}, "desk", None),
        ({"client_id": None, "azp": "web"}, "web", None),
        ({"client_id": "web", "azp": "web"}, "web", None),
        ({"act": {"sub": "robot", "act": {"sub": "before"}}}, "desk", "robot"),
    ],
)
def test_the_agent_is_who_was_given_the_token_or_acts_by_it(
    said: dict[str, Any], client: str, actor: str | None
) -> None:
    _, token = issuers(row(ED)).verify(ED.token(claims(AUDIENCE, **said)), time.time())
    assert (token.client, token.actor) == (client, actor)


def test_principals_of_different_issuers_and_subjects_never_meet() -> None:
    made = {principal_id(url, sub) for url in ("https://a", "https://ab", "https://b") for sub in ("bc", "c", "")}
    assert len(made) == 9
    assert all(len(each) == 32 for each in made)


@pytest.mark.parametrize(
    ("public_url", "host", "resource"),
    [
        (None, "127.0.0.1", "http://127.0.0.1:8080/mcp"),
        (None, "::1", "http://[::1]:8080/mcp"),
        ("https://mcp.example.com", "0.0.0.0", "https://mcp.example.com/mcp"),
        ("https://mcp.example.com/", "0.0.0.0", "https://mcp.example.com/mcp"),
    ],
)
def test_the_audience_is_the_url_of_our_endpoint(public_url: str | None, host: str, resource: str) -> None:
    assert resource_of(public_url, host, 8080) == resource


TOKEN = ED.token(claims(AUDIENCE, exp=4e9, iat=3.9999e9))


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(TOKEN) - 1), st.sampled_from("AZaz09-_.=+/ \n\0\u00e9"))
def test_no_single_changed_character_is_taken(at: int, character: str) -> None:
    changed = TOKEN[:at] + character + TOKEN[at + 1 :]
    assert changed == TOKEN or why_not(changed, row(ED), now=3.99995e9) is not None


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200) | st.from_regex(r"[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*", fullmatch=True))
def test_no_text_makes_the_verifier_fail(text: str) -> None:
    assert why_not(text, row(ED)) is not None


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["alg", "typ", "kid", "crit", "jwk"]),
        st.recursive(
            st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
            lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
            max_leaves=4,
        ),
    ),
    st.dictionaries(
        st.sampled_from(["iss", "aud", "exp", "sub", "act", "jti", "nbf"]),
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats(allow_nan=False, allow_infinity=False)
            | st.text(max_size=5),
            lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
            max_leaves=4,
        ),
    ),
)
def test_no_kind_of_value_makes_the_verifier_fail(head: dict[str, Any], said: dict[str, Any]) -> None:
    """Signed by the issuer itself, over a good token: an issuer's mistake must not be a failure of ours."""
    whole = {"alg": "EdDSA", "typ": "at+jwt", "kid": "k1", **head}
    payload = {**claims(AUDIENCE), **said}
    try:
        text = ED.raw(json.dumps(whole).encode(), json.dumps(payload).encode())
    except UnicodeEncodeError:
        return
    why_not(text, row(ED))
