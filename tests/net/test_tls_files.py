"""Which certificate files a listener takes, and what it says of the others."""

import datetime
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

from mcp_platform.base import clock
from mcp_platform.base.errors import Fault
from mcp_platform.net import tls_development
from mcp_platform.net.tls_errors import TLS_PAIR_UNUSABLE
from mcp_platform.net.tls_files import Certificate, Pair, load
from tests.attacks.certificates import DAY, Authority


def write(folder: Path, key: CertificateIssuerPrivateKeyTypes, *, passphrase: bytes | None = None) -> Pair:
    """A certificate that `key` signed for itself, and the key."""
    name = x509.Name([])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
    )
    digest = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    pem = certificate.sign(key, digest).public_bytes(serialization.Encoding.PEM)
    wrapped = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    pair = Pair(folder / "cert.pem", folder / "key.pem")
    pair.certificate.write_bytes(pem)
    pair.key.touch(0o600)
    pair.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, wrapped))
    return pair


def refused(pair: Pair) -> str:
    with pytest.raises(Fault) as caught:
        load(pair, "1.3")
    assert caught.value.kind is TLS_PAIR_UNUSABLE
    return caught.value.text


def test_strong_keys_of_each_kind_are_taken(tmp_path: Path) -> None:
    load(write(tmp_path, rsa.generate_private_key(65537, 2048)), "1.2")
    load(write(tmp_path, ed25519.Ed25519PrivateKey.generate()), "1.3")
    load(Pair(*Authority().issue().write(tmp_path)), "1.3")


def test_a_short_rsa_key_is_refused(tmp_path: Path) -> None:
    assert "2048 bits" in refused(write(tmp_path, rsa.generate_private_key(65537, 1024)))  # noqa: S505  # the point


def test_a_passphrase_is_refused_and_asked_for_at_no_terminal(tmp_path: Path) -> None:
    pair = write(tmp_path, ed25519.Ed25519PrivateKey.generate(), passphrase=b"x")
    program = (
        "from pathlib import Path\nfrom mcp_platform.net.tls_files import Pair, load\n"
        f"try: load(Pair(Path({str(pair.certificate)!r}), Path({str(pair.key)!r})), '1.3')\n"
        "except Exception as error: print(error.text)"
    )
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-c", program], stdin=theirs, capture_output=True, text=True, timeout=20, check=False
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert "without a passphrase" in done.stdout, done.stderr


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    pair = write(tmp_path, ed25519.Ed25519PrivateKey.generate())
    pair.key.chmod(mode)
    assert "chmod 600" in refused(pair)


def test_what_is_missing_or_no_pem_is_named(tmp_path: Path) -> None:
    pair = write(tmp_path, ed25519.Ed25519PrivateKey.generate())
    assert "key.pem" in refused(Pair(pair.certificate, tmp_path / "nothing" / "key.pem"))
    assert "nothing.pem" in refused(Pair(tmp_path / "nothing.pem", pair.key))
    assert "no PEM" in refused(Pair(pair.key, pair.key))
    pair.key.write_text("nonsense")
    assert "PEM" in refused(pair)


def test_the_settings_name_both_files_or_none() -> None:
    assert Pair.of(None, None) is None
    assert Pair.of("~/c.pem", "/k.pem") == Pair(Path.home() / "c.pem", Path("/k.pem"))


def test_the_end_of_a_certificate_is_told_once_a_day(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pair = Pair(*Authority().issue(ends=10 * DAY).write(tmp_path))
    certificate = Certificate(pair, "1.3", "gateway")
    for now in (0.0, 1.5, 3600.0, 86_399.0):
        certificate.follow(now)
    assert [record.message for record in caplog.records] == ["tls_certificate_expires_soon"]
    certificate.follow(86_401.0)
    assert len(caplog.records) == 2


def test_the_development_authority_vouches_for_this_machine_alone(tmp_path: Path) -> None:
    files = tls_development.make(tmp_path / "tls", clock.now())
    authority = x509.load_pem_x509_certificate(files.authority.read_bytes())
    constraints = authority.extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical
    assert constraints.value.permitted_subtrees is not None
    permitted = {str(each.value) for each in constraints.value.permitted_subtrees}
    assert permitted == {"localhost", "127.0.0.1/32", "::1/128"}
    for path in (files.authority_key, files.key):
        assert path.stat().st_mode & 0o777 == 0o600
    before = files.certificate.read_bytes()
    again = tls_development.make(tmp_path / "tls", clock.now())
    assert again.authority.read_bytes() == authority.public_bytes(serialization.Encoding.PEM)
    assert again.certificate.read_bytes() != before
    tls_development.make(tmp_path / "tls", clock.now() + 300 * 86_400)
    assert files.authority.read_bytes() != authority.public_bytes(serialization.Encoding.PEM)


def test_a_development_certificate_is_known_by_its_authority(tmp_path: Path) -> None:
    """Its listeners must not say HSTS, which browsers would keep for `localhost`."""
    files = tls_development.make(tmp_path / "tls", clock.now())
    assert Certificate(Pair(files.certificate, files.key), "1.3", "gateway").is_development
    assert not Certificate(write(tmp_path, rsa.generate_private_key(65537, 2048)), "1.3", "gateway").is_development
