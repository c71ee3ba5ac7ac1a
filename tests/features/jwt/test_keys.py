"""Which keys of an issuer are taken: only public ones, only strong ones, each only for what fits it."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from mcp_platform.base.errors import Fault
from mcp_platform.features.jwt import keys
from mcp_platform.features.jwt.check import FITS, RECOMMENDED
from mcp_platform.features.jwt.errors import ISSUER_KEY_WEAK, ISSUER_KEYS_INVALID
from tests.features.jwt.provider import Signer, b64, number, rsa_key
from tests.features.jwt.weak import is_prime, roca_modulus, rsa_jwk

ALL = tuple(FITS)


def document(*given: dict[str, Any]) -> bytes:
    return json.dumps({"keys": list(given)}).encode()


def weak(given: dict[str, Any], algorithms: tuple[str, ...] = ALL) -> str:
    """Why a key is left out as weak; the strict reader refuses it outright."""
    found = keys.read(document(given), algorithms)
    assert found.keys == ()
    with pytest.raises(Fault) as refused:
        keys.read_strictly(document(given), algorithms)
    assert refused.value.kind is ISSUER_KEY_WEAK
    return found.weak[0]


@pytest.mark.parametrize("algorithm", ALL)
def test_a_sound_key_is_taken_for_what_fits_it(algorithm: str) -> None:
    found = keys.read(document(Signer.make(algorithm).jwk()), ALL)
    assert (found.weak, found.skipped) == ((), ())
    assert set(found.keys[0].algorithms) == {name for name in ALL if FITS[name] == FITS[algorithm]}


def test_a_key_that_names_its_algorithm_is_taken_for_no_other() -> None:
    (key,) = keys.read(document(Signer.make("PS256").jwk(alg="PS256")), ALL).keys
    assert key.algorithms == ("PS256",)


def test_only_allowed_algorithms_are_bound_to_a_key() -> None:
    found = keys.read(document(Signer.make("ES512").jwk(), Signer.make("ES256", "k2").jwk()), RECOMMENDED)
    assert [key.algorithms for key in found.keys] == [("ES256",)]
    assert found.skipped == ("key 1: fits no algorithm that this issuer is allowed",)


def test_nothing_is_kept_of_a_key_but_what_makes_it() -> None:
    (key,) = keys.read(document(Signer.make().jwk(x5c=["MIIB"], x5u="http://a", other="x" * 99)), ALL).keys
    assert set(json.loads(key.jwk)) == {"kty", "crv", "x"}


def test_a_modulus_with_the_fingerprint_of_roca_is_refused() -> None:
    """Real ROCA keys, made by the published construction; the fingerprint must also not see what is not there."""
    modulus = roca_modulus()
    assert keys.is_roca(modulus)
    assert "ROCA" in weak(rsa_jwk(modulus))
    assert not any(keys.is_roca(rsa_key(2048, which).public_key().public_numbers().n) for which in range(3))


@pytest.mark.parametrize("bits", [512, 1024, 2047])
def test_a_short_modulus_is_refused(bits: int) -> None:
    assert "fewer than 2048" in weak(rsa_jwk((1 << bits - 1) | 1))


def test_a_modulus_that_makes_verifying_slow_is_refused() -> None:
    assert "more than 8192" in weak(rsa_jwk((1 << 8192) | 1))


@pytest.mark.parametrize("exponent", [0, 1, 2, 3, 17, 65536, 65538, (1 << 64) + 1])
def test_a_bad_exponent_is_refused(exponent: int) -> None:
    modulus = rsa_key().public_key().public_numbers().n
    jwk = {**rsa_jwk(modulus), "e": b64(exponent.to_bytes(9).lstrip(b"\0") or b"\0")}
    assert "exponent" in weak(jwk)


def test_a_modulus_with_a_small_factor_is_refused() -> None:
    assert "small factor" in weak(rsa_jwk(rsa_key().public_key().public_numbers().n * 3))
    assert "small factor" in weak(rsa_jwk(rsa_key().public_key().public_numbers().n - 1))


def test_primes_that_are_near_each_other_are_refused() -> None:
    """CVE-2022-26320: Fermat's method factors such a modulus at once."""
    first = rsa_key().private_numbers().p
    second = first + 2
    while not is_prime(second):
        second += 2
    assert "near" in weak(rsa_jwk(first * second))


def test_a_point_that_is_not_on_its_curve_is_refused() -> None:
    jwk = Signer.make("ES256").jwk()
    assert "point" in weak({**jwk, "y": b64(bytes(31) + b"\1")})
    assert "point" in weak({**jwk, "x": b64(bytes(32)), "y": b64(bytes(32))})


def test_a_coordinate_of_another_length_is_refused() -> None:
    jwk = Signer.make("ES256").jwk()
    assert "length" in weak({**jwk, "x": b64(bytes(31))})
    assert "length" in weak({**Signer.make("EdDSA").jwk(), "x": b64(bytes(33))})


LOW_ORDER = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
]


@pytest.mark.parametrize("point", LOW_ORDER)
def test_an_edwards_point_of_low_order_is_refused(point: str) -> None:
    """Under such a key a signature of zeros verifies for many messages; the last two are spelled beyond the field."""
    assert "low order" in weak({"kty": "OKP", "crv": "Ed25519", "kid": "e", "x": b64(bytes.fromhex(point))})


@pytest.mark.parametrize(
    "given",
    [
        b"",
        b"[]",
        b"{}",
        b'{"keys":{}}',
        b'{"keys":["a"]}',
        b'{"keys":[],"keys":[]}',
        b"\xff",
        b'{"keys":[' + b"[" * 200 + b"]" * 200 + b"]}",
        json.dumps({"keys": [{"kty": "RSA"}] * 65}).encode(),
        b" " * (256 * 1024 + 1),
    ],
)
def test_what_is_no_key_set_is_refused(given: bytes) -> None:
    with pytest.raises(Fault) as refused:
        keys.read(given, ALL)
    assert refused.value.kind is ISSUER_KEYS_INVALID


@pytest.mark.parametrize("members", [{"d": "AQ"}, {"p": "AQ"}, {"kty": "oct", "k": "AQ"}])
def test_a_set_that_gives_a_secret_away_is_refused_whole(members: dict[str, Any]) -> None:
    with pytest.raises(Fault) as refused:
        keys.read(document(Signer.make().jwk(**members)), ALL)
    assert refused.value.kind is ISSUER_KEYS_INVALID


def test_two_keys_that_a_token_cannot_tell_apart_are_refused() -> None:
    with pytest.raises(Fault) as refused:
        keys.read(document(Signer.make("ES256", "same").jwk(), Signer.make("ES256", "same").jwk()), ALL)
    assert refused.value.kind is ISSUER_KEYS_INVALID


@pytest.mark.parametrize(
    "members",
    [
        {"use": "enc"},
        {"use": []},
        {"key_ops": ["encrypt"]},
        {"key_ops": 5},
        {"kid": 1},
        {"kid": ""},
        {"kid": "x" * 257},
        {"alg": "HS256"},
    ],
)
def test_a_key_for_something_else_is_left_out(members: dict[str, Any]) -> None:
    found = keys.read(document(Signer.make("RS256").jwk(**members)), ALL)
    assert (found.keys, len(found.skipped), found.weak) == ((), 1, ())


@pytest.mark.parametrize("crv", ["secp256k1", "P-192", "Ed448", "X25519"])
def test_other_curves_are_left_out(crv: str) -> None:
    kty = "OKP" if crv in ("Ed448", "X25519") else "EC"
    assert keys.read(document({"kty": kty, "crv": crv, "x": "AA", "y": "AA"}), ALL).keys == ()


@pytest.mark.parametrize("spelling", ["AQAB=", "AQAB ", "AQ+/", "AQAC\n", 65537, None, ["AQAB"]])
def test_only_the_one_spelling_of_base64url_is_read(spelling: object) -> None:
    assert "`e`" in weak({**Signer.make("RS256").jwk(), "e": spelling})


def test_a_weak_key_among_sound_ones_is_left_out_of_a_rotation() -> None:
    found = keys.read(document(rsa_jwk((1 << 1023) | 1), Signer.make().jwk()), ALL)
    assert [key.kid for key in found.keys] == ["k1"]
    assert len(found.weak) == 1


def test_an_elliptic_key_of_another_curve_does_not_pass_for_this_one() -> None:
    other = ec.generate_private_key(ec.SECP384R1()).public_key().public_numbers()
    jwk = {"kty": "EC", "crv": "P-256", "x": number(other.x, 48), "y": number(other.y, 48)}
    assert "length" in weak(jwk)
