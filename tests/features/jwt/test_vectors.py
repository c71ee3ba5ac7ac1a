"""Public vectors for signatures, through the parts of our verifier that come before the claims: its form, its header
rules, its key rules, and joserfc's verification with the algorithm that the key is for.
"""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import OctKey

from mcp_platform.features.jwt import check, keys
from mcp_platform.features.jwt.check import FITS, SHARED, Refused

FOLDER = Path(__file__).with_name("vectors")
RFC = json.loads((FOLDER / "rfc.json").read_text())["vectors"]
WYCHEPROOF = json.loads((FOLDER / "wycheproof.json").read_text())
STRICTER = {
    **dict.fromkeys(("259", "264", "268", "272", "320", "325"), "an empty payload is no claims"),
    **dict.fromkeys(("346", "350"), "the key says PS256, the token PS384"),
    **dict.fromkeys(("347", "351"), "the key says ES521, which is no algorithm"),
    **dict.fromkeys(("372", "373"), "`?` is no character of base64url"),
}
"""Case → why we refuse what is called valid."""


def accepts(jws: str, key: dict[str, Any], algorithm: str) -> bool:
    """Whether a token with this signature would come as far as its claims."""
    if not check.has_form(jws):
        return False
    signed, _, signature = jws.rpartition(".")
    head, _, payload = signed.partition(".")
    try:
        header = check._object(head, "header")
        check._decoded(payload)
        octets = check._decoded(signature)
    except Refused:
        return False
    if not check._REFUSED_HEADERS.isdisjoint(header) or header.get("alg") != algorithm:
        return False
    if algorithm == SHARED:
        usable: Any = OctKey.import_key(base64.urlsafe_b64decode(key["k"] + "=="))
    else:
        found = keys.read(json.dumps({"keys": [key]}).encode(), (algorithm,)).keys
        if not found:
            return False
        usable = check.load(found[0].jwk)
    return check._is_signed(algorithm, signed.encode(), octets, usable)


@pytest.mark.parametrize("vector", RFC, ids=lambda vector: vector["id"])
def test_the_examples_of_the_standards_verify(vector: dict[str, Any]) -> None:
    assert accepts(vector["jws"], vector["key"], vector["algorithm"])


@pytest.mark.parametrize("vector", RFC, ids=lambda vector: vector["id"])
def test_the_examples_do_not_verify_when_one_bit_is_changed(vector: dict[str, Any]) -> None:
    head, payload, signature = vector["jws"].split(".")
    octets = bytearray(base64.urlsafe_b64decode(signature + "=="))
    octets[5] ^= 1
    changed = base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
    assert not accepts(f"{head}.{payload}.{changed}", vector["key"], vector["algorithm"])


def algorithms_for(key: dict[str, Any]) -> list[str]:
    """The verifier is pinned to what the key is for."""
    if key["kty"] == "oct":
        return [SHARED]
    own = key.get("alg")
    fitting = [name for name, fits in FITS.items() if fits == (key["kty"], key.get("crv", ""))]
    return [name for name in fitting if own in (None, name)]


def test_wycheproof_finds_no_false_accept() -> None:
    """https://github.com/C2SP/wycheproof; all cases in one test, because each takes microseconds."""
    wrong = []
    for case, comment, number, jws, result in WYCHEPROOF["cases"]:
        key = WYCHEPROOF["keys"][number]
        accepted = any(accepts(jws, key, algorithm) for algorithm in algorithms_for(key))
        if accepted and result == "invalid":
            wrong.append(f"{case} accepted: {comment}")
        if not accepted and result == "valid" and case.removeprefix("signature-") not in STRICTER:
            wrong.append(f"{case} refused: {comment}")
    assert wrong == []
    assert len(WYCHEPROOF["cases"]) > 390
