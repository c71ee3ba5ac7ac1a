"""The one table of security headers: what each surface says on every answer, errors and streams included.

A surface takes its bytes from check.py, which reads this table. No header line of this kind is written anywhere else.
"""

from dataclasses import dataclass

NONCE = "{nonce}"
"""Stands in a page's policy for the value that each answer makes anew."""
YEAR_S = 31_536_000
"""A year: the least that ASVS 5.0 V3.4.1 takes."""


@dataclass(frozen=True, slots=True)
class Header:
    """One line of the table. None: the line is not sent there."""

    name: str
    api: str | None
    """With JSON, event streams and whatever else is no page."""
    page: str | None
    """With HTML."""
    only_secure: bool = False
    """Sent only where clients come over TLS (elsewhere it means nothing, RFC 6797 §7.2) to a name that is no loopback
    one: see `is_secure`."""


_FEATURES = (
    "accelerometer",
    "camera",
    "display-capture",
    "geolocation",
    "gyroscope",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "usb",
)
"""Of the browser, that no answer of ours has a use for."""
_NO_FEATURE = ", ".join(f"{feature}=()" for feature in _FEATURES)

HEADERS = (
    Header(
        "Content-Security-Policy",
        api="default-src 'none'; frame-ancestors 'none'",
        page=f"default-src 'none'; script-src 'nonce-{NONCE}'; style-src 'nonce-{NONCE}'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'",
    ),
    Header("X-Content-Type-Options", api="nosniff", page="nosniff"),
    Header("X-Frame-Options", api=None, page="DENY"),
    Header("Referrer-Policy", api="no-referrer", page="no-referrer"),
    Header("Permissions-Policy", api=_NO_FEATURE, page=_NO_FEATURE),
    Header("Cross-Origin-Opener-Policy", api="same-origin", page="same-origin"),
    Header("Cross-Origin-Embedder-Policy", api=None, page="require-corp"),
    Header("Cross-Origin-Resource-Policy", api="same-origin", page="same-origin"),
    Header("Cache-Control", api="no-store", page="no-store"),
    Header(
        "Strict-Transport-Security",
        api=f"max-age={YEAR_S}; includeSubDomains",
        page=f"max-age={YEAR_S}; includeSubDomains",
        only_secure=True,
    ),
)
"""No line names the server or its version: nobody but an attacker has a use for that."""
