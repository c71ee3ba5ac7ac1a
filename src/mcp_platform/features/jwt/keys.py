"""An issuer's key set (RFC 7517), read by control before any of it reaches a worker: only public keys, and no weak one.

What is kept of a key is rebuilt from its checked members, so nothing else that stood in the document comes along.
"""

import base64
import binascii
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from joserfc.errors import JoseError

from mcp_platform.base.errors import Fault
from mcp_platform.features.jwt.check import FITS, MAX_KID_CHARACTERS, load
from mcp_platform.features.jwt.errors import ISSUER_KEY_WEAK, ISSUER_KEYS_INVALID
from mcp_platform.features.jwt.model import IssuerKey
from mcp_platform.wire import json_text

MAX_DOCUMENT_BYTES = 256 * 1024
"""Bytes of a key set. One of 20 RSA keys with certificates has about 60 KiB."""
MAX_KEYS = 64
"""Keys of one issuer: those in use, and those before and after them."""
MIN_RSA_BITS = 2048
"""NIST SP 800-57 part 1, 112 bits of security; RFC 7518 §3.3 demands the same."""
MAX_RSA_BITS = 8192
"""Verifying takes time that grows with the square: 4 × that of 4096 bits."""
MIN_EXPONENT = 65537
"""FIPS 186-5 §5.4 (e): greater than 2^16."""
_SIZES = {"Ed25519": 32, "P-256": 32, "P-384": 48, "P-521": 66}
"""Bytes of a coordinate; RFC 7518 §6.2.1.2 has them at full length."""
_FERMAT_STEPS = 64
"""Steps of Fermat's method: primes chosen too near each other fall in the first (CVE-2022-26320)."""
_P25519 = 2**255 - 19
_LOW_ORDER = frozenset(
    {
        0,
        1,
        _P25519 - 1,
        2707385501144840649318225287225658788936804267575313519463743609750303402022,
        _P25519 - 2707385501144840649318225287225658788936804267575313519463743609750303402022,
    }
)
"""y of the Edwards points of order 1, 2, 4 and 8: under such a key anything can be made to verify."""


class Weak(Exception):
    """Why a key must not be used. Never says a value."""


class Useless(Exception):
    """Why a key is none of ours: it is for something else."""


@dataclass(frozen=True, slots=True)
class KeySet:
    """What a document held."""

    keys: tuple[IssuerKey, ...]
    weak: tuple[str, ...]
    """`key 2: …`, for those left out because they can be broken."""
    skipped: tuple[str, ...]
    """`key 1: …`, for those that are meant for something else."""


def read(document: bytes, algorithms: tuple[str, ...]) -> KeySet:
    """The usable keys of a key set, each bound to those of `algorithms` that fit it. Raises
    Fault(issuer_keys_invalid)."""
    keys: list[IssuerKey] = []
    weak: list[str] = []
    skipped: list[str] = []
    for number, given in enumerate(_listed(document), start=1):
        try:
            keys.append(_key(given, algorithms))
        except Weak as why:
            weak.append(f"key {number}: {why}")
        except Useless as why:
            skipped.append(f"key {number}: {why}")
    _refuse_ambiguous(keys)
    return KeySet(tuple(keys), tuple(weak), tuple(skipped))


def read_strictly(document: bytes, algorithms: tuple[str, ...]) -> KeySet:
    """The same for a set that an operator gives or adds: a weak key in it, or none that can be used, is an error.
    Raises Fault(issuer_keys_invalid, issuer_key_weak)."""
    found = read(document, algorithms)
    if found.weak:
        raise Fault(ISSUER_KEY_WEAK, f"The key set holds a key that can be broken ({found.weak[0]}).")
    if not found.keys:
        why = f" ({found.skipped[0]})" if found.skipped else ""
        raise Fault(ISSUER_KEYS_INVALID, f"The key set holds no key that can be used here{why}.")
    return found


def _listed(document: bytes) -> list[dict[str, Any]]:
    if len(document) > MAX_DOCUMENT_BYTES:
        raise Fault(ISSUER_KEYS_INVALID, "The key set is larger than 256 KiB.")
    try:
        value = json_text.decode(document)
    except Fault as fault:
        raise Fault(ISSUER_KEYS_INVALID, f"The key set is not JSON that can be read ({fault.kind.code}).") from None
    given = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        raise Fault(ISSUER_KEYS_INVALID, "A key set is an object with `keys`, a list of objects.")
    if len(given) > MAX_KEYS:
        raise Fault(ISSUER_KEYS_INVALID, "The key set holds more than 64 keys.")
    if any(name in key for key in given for name in ("d", "p", "q", "k")):
        # Whoever serves this gives away what makes tokens: it must be replaced, not used.
        raise Fault(ISSUER_KEYS_INVALID, "The key set holds a private or shared key; nobody may trust it any more.")
    return given


def _refuse_ambiguous(keys: list[IssuerKey]) -> None:
    seen: set[tuple[str | None, str]] = set()
    for key in keys:
        for algorithm in key.algorithms:
            if key.kid is not None and (key.kid, algorithm) in seen:
                raise Fault(ISSUER_KEYS_INVALID, "Two keys of the key set have the same `kid` and fit the same `alg`.")
            seen.add((key.kid, algorithm))


def _key(given: Mapping[str, Any], algorithms: tuple[str, ...]) -> IssuerKey:
    """Raises Weak or Useless."""
    operations = given.get("key_ops", ["verify"])
    if given.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        raise Useless("is not for signatures")
    kid = given.get("kid")
    if kid is not None and (not isinstance(kid, str) or not 0 < len(kid) <= MAX_KID_CHARACTERS):
        raise Useless("has a `kid` that is not a short text")
    kind, curve = given.get("kty"), given.get("crv", "")
    own = given.get("alg")
    fitting = tuple(name for name in algorithms if FITS.get(name) == (kind, curve) and own in (None, name))
    if not fitting:
        raise Useless("fits no algorithm that this issuer is allowed")
    members = _rsa(given) if kind == "RSA" else _point(given, str(curve))
    jwk = msgspec.json.encode({"kty": kind, **members})
    try:
        load(jwk)
    except (JoseError, ValueError, KeyError):
        raise Weak("is not a point of its curve, or not a key at all") from None
    return IssuerKey(kid=kid, algorithms=fitting, jwk=jwk)


def _rsa(given: Mapping[str, Any]) -> dict[str, str]:
    modulus, exponent = int.from_bytes(_octets(given, "n")), int.from_bytes(_octets(given, "e"))
    problem = rsa_problem(modulus, exponent)
    if problem is not None:
        raise Weak(problem)
    return {"n": given["n"], "e": given["e"]}


def rsa_problem(modulus: int, exponent: int) -> str | None:
    """What is wrong with an RSA key, or None."""
    bits = modulus.bit_length()
    if bits < MIN_RSA_BITS:
        return "is an RSA key of fewer than 2048 bits"
    if bits > MAX_RSA_BITS:
        return "is an RSA key of more than 8192 bits"
    if exponent < MIN_EXPONENT or exponent % 2 == 0 or exponent.bit_length() > 64:
        return "has an RSA exponent that is even, below 65537 or above 64 bits"
    if math.gcd(modulus, _SMALL_PRIMES) != 1:
        return "has an RSA modulus with a small factor"
    if is_roca(modulus):
        return "has an RSA modulus of the kind that can be factored (ROCA, CVE-2017-15361)"
    if _has_near_factors(modulus):
        return "has an RSA modulus whose two primes are too near each other"
    return None


def is_roca(modulus: int) -> bool:
    """The public fingerprint of ROCA (Nemec and others, 2017, §5.1): modulo each small prime, the modulus lies in the
    group that 65537 generates. A sound modulus passes by chance once in 2^27."""
    return all(modulus % prime in group for prime, group in _ROCA)


def _has_near_factors(modulus: int) -> bool:
    root = math.isqrt(modulus - 1) + 1
    for middle in range(root, root + _FERMAT_STEPS):
        square = middle * middle - modulus
        if math.isqrt(square) ** 2 == square:
            return True
    return False


def _point(given: Mapping[str, Any], curve: str) -> dict[str, str]:
    names = ("x",) if curve == "Ed25519" else ("x", "y")
    found = {name: _octets(given, name) for name in names}
    if any(len(octets) != _SIZES[curve] for octets in found.values()):
        raise Weak("has a coordinate of the wrong length")
    if curve == "Ed25519":
        y = int.from_bytes(found["x"], "little") & ((1 << 255) - 1)
        if y >= _P25519 or y in _LOW_ORDER:
            raise Weak("is a point of low order, or not written as the standard says")
    return {"crv": curve, **{name: given[name] for name in names}}


def _octets(given: Mapping[str, Any], name: str) -> bytes:
    """base64url as RFC 7515 §2 has it, in its one spelling."""
    text = given.get(name)
    if not isinstance(text, str) or len(text) > MAX_RSA_BITS:
        raise Weak(f"has no `{name}`")
    try:
        octets = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raise Weak(f"has a `{name}` that is not base64url") from None
    if base64.urlsafe_b64encode(octets).rstrip(b"=").decode() != text:
        raise Weak(f"has a `{name}` that is not base64url")
    return octets


def _primes(below: int) -> Iterator[int]:
    for number in range(3, below, 2):
        if all(number % divisor for divisor in range(3, math.isqrt(number) + 1, 2)):
            yield number


def _generated(prime: int) -> frozenset[int]:
    """The residues that powers of 65537 leave modulo `prime`."""
    residues = {1}
    power = 65537 % prime
    while power not in residues:
        residues.add(power)
        power = power * 65537 % prime
    return frozenset(residues)


_SMALL_PRIMES = 2 * math.prod(_primes(2000))
_ROCA = tuple((prime, _generated(prime)) for prime in _primes(168))
"""The 38 odd primes up to 167, whose product every ROCA modulus of 512 bits and more was made with."""
