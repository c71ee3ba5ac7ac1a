"""A farm of certificates: one good, and one for each way to be bad."""

import datetime
import ipaddress
import ssl
import tempfile
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = datetime.timedelta(days=1)
ADDRESS = "127.0.0.1"
_ISSUES = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


@dataclass(frozen=True)
class Made:
    """A certificate, its key and the authority that a client would trust, all PEM."""

    certificate: str
    key: str
    authority: str

    def context(self) -> ssl.SSLContext:
        """A server that shows it."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
            file.write(self.certificate + self.key)
            file.flush()
            context.load_cert_chain(file.name)
        return context

    def write(self, folder: Path) -> tuple[Path, Path]:
        """As files for a listener: the key first, as careful people do, and whole."""
        paths = folder / "server.pem", folder / "server-key.pem"
        for path, text in zip(reversed(paths), (self.key, self.certificate), strict=True):
            aside = path.with_suffix(".new")
            aside.touch(0o600)
            aside.write_text(text)
            aside.rename(path)
        return paths


class Authority:
    """Issues certificates for tests; `ca` False makes one that may not."""

    def __init__(self, *, ca: bool = True) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"authority {uuid.uuid4()}")])
        builder = _builder(self.name, self.name, self.key, ca=ca).add_extension(_ISSUES, critical=True)
        self.certificate = builder.sign(self.key, hashes.SHA256())
        self.pem = _pem(self.certificate)

    def issue(
        self,
        host: str = ADDRESS,
        *,
        begins: datetime.timedelta = -DAY,
        ends: datetime.timedelta = 30 * DAY,
        purpose: x509.ObjectIdentifier = ExtendedKeyUsageOID.SERVER_AUTH,
        key: ec.EllipticCurvePrivateKey | None = None,
    ) -> Made:
        key = key or ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name(host), self.name, key, begins=begins, ends=ends)
        builder = builder.add_extension(x509.SubjectAlternativeName([_general(host)]), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        above = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        builder = builder.add_extension(above, critical=False)
        return Made(_pem(builder.sign(self.key, hashes.SHA256())), _key(key), self.pem)


def self_signed(host: str = ADDRESS) -> Made:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(_name(host), _name(host), key)
    builder = builder.add_extension(x509.SubjectAlternativeName([_general(host)]), critical=False)
    certificate = _pem(builder.sign(key, hashes.SHA256()))
    return Made(certificate, _key(key), Authority().pem)


def of_another_authority() -> Made:
    made = Authority().issue()
    return Made(made.certificate, made.key, Authority().pem)


BAD: dict[str, Callable[[], Made]] = {
    "expired": lambda: Authority().issue(begins=-3 * DAY, ends=-DAY),
    "not_yet_valid": lambda: Authority().issue(begins=DAY, ends=3 * DAY),
    "wrong_host": lambda: Authority().issue("127.0.0.2"),
    "wrong_purpose": lambda: Authority().issue(purpose=ExtendedKeyUsageOID.CLIENT_AUTH),
    "self_signed": self_signed,
    "unknown_authority": of_another_authority,
}
"""By the reason that the platform gives."""


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    *,
    ca: bool = False,
    begins: datetime.timedelta = -DAY,
    ends: datetime.timedelta = 30 * DAY,
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(host: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])


def _general(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key(key: ec.EllipticCurvePrivateKey) -> str:
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain).decode()
