"""A certificate authority for one developer's machine: it can vouch for loopback names only, whoever has its key.

Never for others to trust: production wants a certificate that clients know already.
"""

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mcp_platform.base.folder import make_private, write_private

NAMES = ("localhost",)
ADDRESSES = ("127.0.0.1", "::1")
AUTHORITY_DAYS = 365
LEAF_DAYS = 90
"""The most that Mozilla's modern profile takes. Made anew with the same command; clients trust the authority."""
AUTHORITY_NAME = "MCP Platform development CA (this machine only)"
_EARLIER = datetime.timedelta(minutes=5)
"""Clocks of containers and virtual machines differ a little."""


@dataclass(frozen=True, slots=True)
class DevelopmentFiles:
    """Where everything of it stands."""

    folder: Path

    @property
    def authority(self) -> Path:
        """What clients are told to trust."""
        return self.folder / "ca.pem"

    @property
    def authority_key(self) -> Path:
        return self.folder / "ca-key.pem"

    @property
    def certificate(self) -> Path:
        return self.folder / "server.pem"

    @property
    def key(self) -> Path:
        return self.folder / "server-key.pem"


def make(folder: Path, now: float) -> DevelopmentFiles:
    """Make a certificate for loopback names under `folder`, and an authority unless one is there that is still good
    for as long. The key is written before the certificate, so that a server which follows the files finds a pair."""
    make_private(folder)
    files = DevelopmentFiles(folder)
    at = datetime.datetime.fromtimestamp(now, datetime.UTC)
    authority, authority_key = _kept(files, at) or _new_authority(files, at)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    public = key.public_key()
    leaf = (
        _begin(subject, authority.subject, public, at, LEAF_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(_names()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    write_private(files.key, _pem_key(key))
    write_private(files.certificate, leaf.public_bytes(serialization.Encoding.PEM))
    return files


def is_development(certificate: x509.Certificate) -> bool:
    """Whether such an authority has signed it."""
    return any(name.value == AUTHORITY_NAME for name in certificate.issuer.get_attributes_for_oid(NameOID.COMMON_NAME))


def _names() -> list[x509.GeneralName]:
    addresses = [x509.IPAddress(ipaddress.ip_address(address)) for address in ADDRESSES]
    return [*(x509.DNSName(name) for name in NAMES), *addresses]


def _kept(files: DevelopmentFiles, at: datetime.datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None:
    try:
        authority = x509.load_pem_x509_certificate(files.authority.read_bytes())
        key = serialization.load_pem_private_key(files.authority_key.read_bytes(), None)
    except (OSError, ValueError, TypeError):
        return None
    lasts = authority.not_valid_after_utc >= at + datetime.timedelta(days=LEAF_DAYS)
    ours = isinstance(key, ec.EllipticCurvePrivateKey) and key.public_key() == authority.public_key()
    return (authority, key) if lasts and ours and isinstance(key, ec.EllipticCurvePrivateKey) else None


def _new_authority(
    files: DevelopmentFiles, at: datetime.datetime
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, AUTHORITY_NAME)])
    permitted: list[x509.GeneralName] = [
        *(x509.DNSName(host) for host in NAMES),
        *(x509.IPAddress(ipaddress.ip_network(address)) for address in ADDRESSES),
    ]
    authority = (
        _begin(name, name, key.public_key(), at, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.NameConstraints(permitted, None), critical=True)
        .sign(key, hashes.SHA256())
    )
    write_private(files.authority_key, _pem_key(key))
    write_private(files.authority, authority.public_bytes(serialization.Encoding.PEM))
    return authority, key


def _begin(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, at: datetime.datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - _EARLIER)
        .not_valid_after(at - _EARLIER + datetime.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    """A server's certificate signs handshakes, an authority's certificates."""
    return x509.KeyUsage(
        digital_signature=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=not signs,
        crl_sign=not signs,
        encipher_only=False,
        decipher_only=False,
    )


def _pem_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
