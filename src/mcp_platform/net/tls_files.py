"""A listener's certificate and key as files that are replaced while we serve: noticed, judged, then taken or not.

A new pair that cannot be used changes nothing but the log. The key is read by whoever serves with it and nobody else.
"""

import os
import ssl
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from mcp_platform.base import clock
from mcp_platform.base.config import Settings
from mcp_platform.base.errors import Fault
from mcp_platform.base.key_file import is_ours_alone
from mcp_platform.base.log import Log
from mcp_platform.net import tls
from mcp_platform.net.tls_development import is_development
from mcp_platform.net.tls_errors import TLS_PAIR_UNUSABLE

LOOK_EVERY_S = 1.0
"""Seconds between two looks at the files. What is seen twice the same is whole, so a new pair serves within about 2."""
EXPIRES_SOON_S = 21 * 86_400.0
"""Seconds before the end of a certificate from when the log says so: ACME clients renew 30 days before it."""
_REMIND_S = 86_400.0
MIN_RSA_BITS = 2048
"""NIST SP 800-57: 112 bits of security. Mozilla's profiles and browsers take no less."""
MAX_FILE_BYTES = 1 << 20
"""1 MiB: a chain has some KiB."""

_log = Log(__name__)
_Seen = tuple[tuple[int, int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two files."""

    certificate: Path
    key: Path

    @classmethod
    def of(cls, certificate: str | None, key: str | None) -> "Pair | None":
        """From the settings, which name both or neither."""
        if certificate is None or key is None:
            return None
        return cls(Path(certificate).expanduser(), Path(key).expanduser())

    def seen(self) -> _Seen | None:
        """What tells one state of the files from another; None where one is missing."""
        try:
            both = (self.certificate.stat(), self.key.stat())
        except OSError:
            return None
        return tuple((each.st_dev, each.st_ino, each.st_mtime_ns, each.st_size) for each in both)


def load(pair: Pair, minimum: str) -> tuple[ssl.SSLContext, x509.Certificate]:
    """The context of `pair` and its certificate. Raises Fault(tls_pair_unusable) that says what is wrong with which
    file."""
    _require_private(pair.key)
    leaf = _leaf(pair.certificate)
    try:
        return tls.for_listener(pair.certificate, pair.key, minimum), leaf
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None)
        says = {
            "KEY_VALUES_MISMATCH": "is not the key of the certificate",
            "EE_KEY_TOO_SMALL": "is too short",
        }.get(str(reason), "cannot be read: PEM, without a passphrase, is expected")
        raise _unusable(pair.key, says) from None


def expires_at(leaf: x509.Certificate) -> float:
    """Epoch seconds."""
    return leaf.not_valid_after_utc.timestamp()


def certificate_of(settings: Settings, surface: Literal["gateway", "console"]) -> "Certificate | None":
    """What the settings name for a surface; None where it speaks no TLS. Raises Fault(tls_pair_unusable)."""
    topic = settings.gateway if surface == "gateway" else settings.console
    pair = Pair.of(topic.tls_certificate, topic.tls_key)
    return None if pair is None else Certificate(pair, settings.tls.minimum, surface)


class Certificate:
    """What one listener of one process serves with now."""

    def __init__(self, pair: Pair, minimum: str, surface: str) -> None:
        """`surface` names the listener in the log. Raises Fault(tls_pair_unusable)."""
        self._pair = pair
        self._minimum = minimum
        self._surface = surface
        self._tried = self._seen = pair.seen()
        self.context, self._leaf = load(pair, minimum)
        self._look_at = 0.0
        self._remind_at = 0.0

    @property
    def is_development(self) -> bool:
        """Whether it vouches for this machine alone."""
        return is_development(self._leaf)

    def follow(self, now: float) -> None:
        """Look at the files, when it is time. `now`: monotonic seconds. Costs two stat(2); a new pair, 1 ms."""
        if now < self._look_at:
            return
        self._look_at = now + LOOK_EVERY_S
        before, self._seen = self._seen, self._pair.seen()
        if self._seen is not None and self._seen == before and self._seen != self._tried:
            self._tried = self._seen
            self._take()
        if now >= self._remind_at:
            self._remind_at = now + _REMIND_S
            self._warn_of_end()

    def _take(self) -> None:
        try:
            context, leaf = load(self._pair, self._minimum)
            if expires_at(leaf) <= clock.now() < expires_at(self._leaf):
                raise _unusable(self._pair.certificate, "has expired")
        except Fault as fault:
            _log.error("tls_pair_refused", surface=self._surface, text=fault.text, keeps="the one before")
            return
        self.context, self._leaf = context, leaf
        ends = clock.rfc3339(expires_at(self._leaf))
        _log.info("tls_pair_taken", surface=self._surface, serial=f"{self._leaf.serial_number:x}", expires=ends)
        self._remind_at = 0.0

    def _warn_of_end(self) -> None:
        left_s = expires_at(self._leaf) - clock.now()
        if left_s < EXPIRES_SOON_S:
            says = "tls_certificate_expired" if left_s <= 0 else "tls_certificate_expires_soon"
            tell = _log.error if left_s <= 0 else _log.warning
            tell(says, surface=self._surface, expires=clock.rfc3339(expires_at(self._leaf)))


def _require_private(key: Path) -> None:
    try:
        found = key.stat()
    except OSError as error:
        raise _unusable(key, f"cannot be read ({error.strerror})") from None
    if not stat.S_ISREG(found.st_mode) or not is_ours_alone(
        key, stat.S_IMODE(found.st_mode), found.st_uid, os.geteuid()
    ):
        raise _unusable(key, f"must belong to you, with mode 0600 (chmod 600 {key})")


def _leaf(path: Path) -> x509.Certificate:
    """The first certificate of the file, checked for what browsers and Mozilla's profiles refuse."""
    try:
        with path.open("rb") as stream:
            leaf = x509.load_pem_x509_certificate(stream.read(MAX_FILE_BYTES))
    except OSError as error:
        raise _unusable(path, f"cannot be read ({error.strerror})") from None
    except ValueError:
        raise _unusable(path, "holds no PEM certificate") from None
    public = leaf.public_key()
    strong = (isinstance(public, rsa.RSAPublicKey) and public.key_size >= MIN_RSA_BITS) or isinstance(
        public, ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
    )
    if not strong:
        raise _unusable(path, f"has a weak key: ECDSA, Ed25519 or RSA of at least {MIN_RSA_BITS} bits is expected")
    return leaf


def _unusable(path: Path, says: str) -> Fault:
    return Fault(TLS_PAIR_UNUSABLE, f"The TLS file {path} {says}.", {"file": str(path)})
