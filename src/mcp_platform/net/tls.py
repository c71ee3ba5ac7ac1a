"""TLS contexts: Mozilla's profiles for our listeners, and strict verification towards upstreams.

Whatever is asked of an upstream has its certificate and name verified: there is no switch, and no context without.
"""

import ssl
from pathlib import Path
from typing import Literal

Minimum = Literal["1.3", "1.2"]
HANDSHAKE = 0x16
"""The first byte of every TLS connection: a record of the handshake protocol (RFC 8446 §5.1)."""

_VERSIONS = {"1.3": ssl.TLSVersion.TLSv1_3, "1.2": ssl.TLSVersion.TLSv1_2}
_CIPHERS_OF_1_2 = ":".join(
    (
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-CHACHA20-POLY1305",
    )
)
"""Mozilla's intermediate profile (guidelines 5.7) less DHE: forward secrecy and AEAD, all of them. The three suites of
TLS 1.3 are OpenSSL's defaults and all that there are."""


def for_listener(certificate: Path, key: Path, minimum: str) -> ssl.SSLContext:
    """What a listener speaks. Raises OSError (ssl.SSLError among them) where the pair cannot be used.

    Mozilla's modern profile; its intermediate one where `minimum` is 1.2. No session tickets: their keys would live as
    long as the context and undo forward secrecy, and each worker has its own. What resumption saves (0.3 ms) is paid
    once for a connection that is kept alive.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[minimum]
    context.set_ciphers(_CIPHERS_OF_1_2)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET
    context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE  # all are good: the client knows what its hardware does fast
    context.num_tickets = 0
    # Mozilla's modern profile knows X25519, P-256 and P-384. Python before 3.15 can name one group or leave all of
    # OpenSSL's, and P-256 is the one that every client of TLS 1.3 has (RFC 8446 §9.1); those that guess another first
    # are asked again, which costs them a round trip once for a connection.
    if hasattr(context, "set_groups"):
        context.set_groups("X25519:P-256:P-384")
    else:
        context.set_ecdh_curve("prime256v1")
    context.set_alpn_protocols(["http/1.1"])
    # Never ask at a terminal: a key that needs a passphrase is refused, as any other that cannot be read.
    context.load_cert_chain(certificate, key, password=_no_passphrase)
    return context


def for_upstream(authority: str | None = None) -> ssl.SSLContext:
    """What we speak to an upstream: its certificate must be good, for its name, and lead to `authority` (PEM) and to
    nobody else, or without one to an authority of this system. Raises ssl.SSLError or ValueError where `authority` is
    no PEM certificate.

    Not ssl.create_default_context: that one writes session keys where SSLKEYLOGFILE says.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS_OF_1_2)
    context.set_alpn_protocols(["http/1.1"])
    if authority is None:
        context.load_default_certs()
    else:
        context.load_verify_locations(cadata=authority)
    return context


def for_own_readiness() -> ssl.SSLContext:
    """For a question to our own listener that holds no secret, and only for that. It verifies nothing: an expired
    certificate must not keep a platform from being ready, and ours names the outside, not the address that we ask."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _no_passphrase() -> str:
    raise ssl.SSLError("the key has a passphrase")
