"""The key ring: made, opened, refused."""

import os
from pathlib import Path

import pytest

from mcp_platform.base.errors import ErrorKind, Fault
from mcp_platform.base.folder import DataFolder
from mcp_platform.features.vault.errors import KEK_UNUSABLE, KEYS_EXIST, KEYS_MISSING, VAULT_UNSEAL_FAILED
from mcp_platform.features.vault.keys import KeyRing, kek_path, read_kek


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    (tmp_path / "data").mkdir(mode=0o700)
    return DataFolder(tmp_path / "data")


@pytest.fixture
def kek(tmp_path: Path) -> str:
    return str(tmp_path / "elsewhere" / "test.kek")


def refused(data: DataFolder, kek: str, kind: ErrorKind) -> None:
    with pytest.raises(Fault) as caught:
        KeyRing.open(data, kek)
    assert caught.value.kind is kind


def test_a_ring_is_opened_as_it_was_made(data: DataFolder, kek: str) -> None:
    made = KeyRing.create(data, kek, now=1.0)
    opened = KeyRing.open(data, kek)
    assert opened.platform_id == made.platform_id
    assert opened.worker_secret == made.worker_secret
    assert len(opened.worker_secret) == 64
    assert opened.mac_key == opened.worker_secret[:32]
    assert opened.data_key == made.data_key
    signature = opened.snapshot_private.sign(b"x")
    made.snapshot_public.verify(signature, b"x")
    assert (data.keys / "snapshot.pub").read_bytes() == opened.snapshot_public.public_bytes_raw()


def test_no_key_stands_in_the_data_folder_in_plaintext(data: DataFolder, kek: str) -> None:
    made = KeyRing.create(data, kek, now=1.0)
    files = b"".join(file.read_bytes() for file in data.root.rglob("*") if file.is_file())
    for secret in (made.worker_secret[:32], made.worker_secret[32:], made.data_key, Path(kek).read_bytes()):
        assert secret not in files
    assert made.snapshot_private.private_bytes_raw() not in files


def test_every_file_is_private(data: DataFolder, kek: str) -> None:
    KeyRing.create(data, kek, now=1.0)
    for path in [*data.keys.iterdir(), Path(kek)]:
        assert path.stat().st_mode & 0o777 == 0o600
    assert data.keys.stat().st_mode & 0o777 == 0o700
    assert Path(kek).parent.stat().st_mode & 0o777 == 0o700


def test_keys_are_never_overwritten(data: DataFolder, kek: str) -> None:
    KeyRing.create(data, kek, now=1.0)
    with pytest.raises(Fault) as caught:
        KeyRing.create(data, kek, now=2.0)
    assert caught.value.kind is KEYS_EXIST


def test_a_missing_file_is_named_as_such(data: DataFolder, kek: str) -> None:
    refused(data, kek, KEYS_MISSING)
    KeyRing.create(data, kek, now=1.0)
    (data.keys / "data.sealed").unlink()
    refused(data, kek, KEYS_MISSING)


def test_a_key_that_was_changed_or_swapped_does_not_open(data: DataFolder, kek: str) -> None:
    KeyRing.create(data, kek, now=1.0)
    worker, sealed = data.keys / "worker.sealed", data.keys / "data.sealed"
    before = sealed.read_bytes()
    sealed.write_bytes((data.keys / "snapshot.sealed").read_bytes())
    refused(data, kek, VAULT_UNSEAL_FAILED)
    sealed.write_bytes(before)
    worker.write_bytes(worker.read_bytes()[:-1] + b"\x00")
    refused(data, kek, VAULT_UNSEAL_FAILED)


def test_a_wrong_kek_is_refused(data: DataFolder, kek: str) -> None:
    KeyRing.create(data, kek, now=1.0)
    path = Path(kek)
    path.write_bytes(os.urandom(32))
    refused(data, kek, VAULT_UNSEAL_FAILED)
    path.write_bytes(b"short")
    refused(data, kek, KEK_UNUSABLE)
    path.write_bytes(os.urandom(33))
    refused(data, kek, KEK_UNUSABLE)
    path.unlink()
    refused(data, kek, KEK_UNUSABLE)


def test_a_kek_that_others_can_read_is_refused(data: DataFolder, kek: str) -> None:
    KeyRing.create(data, kek, now=1.0)
    Path(kek).chmod(0o640)
    refused(data, kek, KEK_UNUSABLE)


def test_what_is_wrong_with_a_kek_is_said_with_its_path(tmp_path: Path) -> None:
    path = tmp_path / "kek"
    with pytest.raises(Fault, match=f"{path} is missing;"):
        read_kek(path)
    path.write_bytes(b"short")
    path.chmod(0o644)
    with pytest.raises(Fault, match=f"{path} is not yours alone; run: chmod 600 {path}"):
        read_kek(path)
    path.chmod(0o600)
    with pytest.raises(Fault, match=f"{path} does not have 32 bytes;"):
        read_kek(path)


def test_the_default_kek_lies_in_the_users_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert kek_path("plt_x", None) == tmp_path / ".config/mcp-platform/plt_x.kek"
