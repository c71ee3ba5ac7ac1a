"""Whom an upstream's certificate must come from, which keys it may have, and who we are to it; and what was wrong when
a connection failed for one of these. There is no way to say that nothing shall be verified.
"""

import base64
import binascii
import hashlib
import os
import re
import ssl

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from mcp_platform.base.errors import Fault, define
from mcp_platform.net import tls
from mcp_platform.net.upstream_errors import UPSTREAM_DOWN

TRUST_INVALID = define(
    "upstream_trust_invalid",
    http=422,
    jsonrpc=-32602,
    text="The certificates or pins for this MCP server cannot be used.",
    whose="caller",
)
MAX_PEM_CHARACTERS = 1 << 18
"""256 KiB: all that a company's own authorities need, a hundred of them."""
MAX_PINS = 8
"""The key in use, the next one, and those of some replicas."""

_PIN = re.compile(r"sha256//([A-Za-z0-9+/]{43}=)")
_NAME_IT = " (--ca-file; for an issuer --authority)"
_REASONS = {
    2: ("unknown_authority", "comes from an authority that is not trusted"),
    7: ("bad_signature", "is not signed by the authority that it names"),
    9: ("not_yet_valid", "is not valid yet; look at both clocks"),
    10: ("expired", "has expired"),
    18: ("self_signed", f"is signed by itself alone; where that is meant, name it{_NAME_IT}"),
    19: ("self_signed", f"leads to an authority that is not trusted; where that is meant, name it{_NAME_IT}"),
    20: ("unknown_authority", f"comes from an authority that is not trusted; where it is yours, name it{_NAME_IT}"),
    21: ("unknown_authority", "comes without the certificates that lead to an authority"),
    24: ("bad_authority", "comes from a certificate that may not issue others"),
    26: ("wrong_purpose", "is not one for a server"),
    47: ("bad_authority", "comes from an authority that may not vouch for this name"),
    62: ("wrong_host", "is for another name"),
    64: ("wrong_host", "is for another address"),
}
"""By OpenSSL's verification result (x509_vfy.h)."""


class Trust(msgspec.Struct, frozen=True, forbid_unknown_fields=True, cache_hash=True):
    """What stands in place of "an authority of this system, any key, and we are nobody"."""

    authority: str | None = None
    """PEM certificates; nobody else vouches."""
    pins: tuple[str, ...] = ()
    """`sha256//BASE64` of the public keys (SubjectPublicKeyInfo) that the certificate may have, as curl writes them;
    beside verification, never instead of it."""
    certificate: str | None = None
    """PEM: who we are, and the chain above."""
    key: str | None = None
    """PEM, without a passphrase. Rests sealed only."""

    def __repr__(self) -> str:
        return "<trust>"


def check_trust(trust: Trust) -> None:
    """Raises Fault(upstream_trust_invalid) where a connection could never be made with it."""
    texts = [text for text in (trust.authority, trust.certificate, trust.key) if text is not None]
    if any(len(text) > MAX_PEM_CHARACTERS or not text.isascii() for text in texts):
        raise Fault(TRUST_INVALID, "A file of certificates or a key is PEM: ASCII, and at most 256 KiB.")
    if len(trust.pins) > MAX_PINS or not all(_PIN.fullmatch(pin) for pin in trust.pins):
        raise Fault(TRUST_INVALID, "At most 8 pins, each `sha256//` and the base64 of 32 bytes.")
    if (trust.certificate is None) != (trust.key is None):
        raise Fault(TRUST_INVALID, "A client certificate and its key go together: give both or neither.")
    context_of(trust)


def context_of(trust: Trust) -> ssl.SSLContext:
    """Raises Fault(upstream_trust_invalid)."""
    try:
        context = tls.for_upstream(trust.authority)
    except (ssl.SSLError, ValueError):
        raise Fault(TRUST_INVALID, "The authority is not a file of PEM certificates.") from None
    if trust.certificate is not None and trust.key is not None:
        try:
            _present(context, f"{trust.certificate}\n{trust.key}\n".encode())
        except (OSError, ValueError):
            text = "The client certificate and its key are no pair of PEM texts without a passphrase."
            raise Fault(TRUST_INVALID, text) from None
    return context


def check_pins(trust: Trust, certificate: bytes | None, address: str) -> None:
    """`certificate`: what the upstream at `address` has shown, DER. Raises Fault(upstream_down)."""
    if not trust.pins:
        return
    shown = b""
    if certificate is not None:
        public = x509.load_der_x509_certificate(certificate).public_key()
        info = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        shown = hashlib.sha256(info).digest()
    if not any(_digest(pin) == shown for pin in trust.pins):
        raise _refused(address, "wrong_key", "has a key that is none of those pinned for it")


def tls_fault(error: ssl.SSLError, address: str) -> Fault:
    """What a failed handshake with `address` says to the operator; `reason` in its data is for programs."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _refused(address, *_REASONS.get(error.verify_code, ("refused", "cannot be verified")))
    name = re.sub(r"[^a-z0-9_]", "", str(error.reason or "failed").lower())[:64]
    text = f"No TLS connection came about with {address}: it speaks none, or none of version 1.2."
    return Fault(UPSTREAM_DOWN, text, {"stage": "tls", "reason": name, "address": address})


def _refused(address: str, reason: str, says: str) -> Fault:
    text = f"The certificate of {address} {says}."
    return Fault(UPSTREAM_DOWN, text, {"stage": "tls", "reason": reason, "address": address})


def _digest(pin: str) -> bytes:
    found = _PIN.fullmatch(pin)
    try:
        return base64.b64decode(found[1], validate=True) if found is not None else b"\0"
    except binascii.Error:
        return b"\0"


def _present(context: ssl.SSLContext, pem: bytes) -> None:
    """Python's ssl reads keys from files only: this one is nowhere but in memory."""
    handle = os.memfd_create("client-certificate", os.MFD_CLOEXEC)
    try:
        os.write(handle, pem)
        context.load_cert_chain(f"/proc/self/fd/{handle}", password=lambda: "")
    finally:
        os.close(handle)
