"""The platform's key ring: sealed files in DATA/keys, opened with a key-encryption key that lies outside the folder.

Whoever has the folder or its backup alone can open nothing; the key-encryption key alone opens nothing either.
"""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from mcp_platform.base import ids
from mcp_platform.base.errors import Fault
from mcp_platform.base.folder import DataFolder, make_private, write_private
from mcp_platform.base.key_file import is_ours_alone
from mcp_platform.features.vault.check import KEY_BYTES, seal, unseal
from mcp_platform.features.vault.errors import KEK_UNUSABLE, KEYS_EXIST, KEYS_MISSING
from mcp_platform.features.vault.model import Platform, read_platform

WORKER_SECRET_BYTES = 64
"""Bytes: 32 for the MAC of API keys, 32 to seal ids."""


def kek_path(platform_id: str, kek_file: str | None) -> Path:
    """Where the key-encryption key lies: the setting's file, or one named after the platform in the user's home.

    Raises Fault(kek_unusable) where there is no home.
    """
    if kek_file is not None:
        return Path(kek_file).expanduser()
    try:
        return Path("~/.config/mcp-platform").expanduser() / f"{platform_id}.kek"
    except RuntimeError as error:
        raise Fault(KEK_UNUSABLE, "You have no home folder for the key-encryption key; set vault.kek_file.") from error


@dataclass(frozen=True, slots=True, repr=False)
class KeyRing:
    """Every key of one platform, in plaintext: only in memory, only in the processes that need it."""

    platform_id: str
    worker_secret: bytes
    data_key: bytes
    snapshot_private: Ed25519PrivateKey
    snapshot_public: Ed25519PublicKey

    @property
    def mac_key(self) -> bytes:
        """For the MACs of API keys."""
        return self.worker_secret[:32]

    @classmethod
    def create(cls, data: DataFolder, kek_file: str | None, now: float) -> "KeyRing":
        """Make all keys and write them sealed. An existing `kek_file` is used as it is.

        Raises Fault(keys_exist | kek_unusable).
        """
        if data.keys.exists():
            raise Fault(KEYS_EXIST)
        platform_id = ids.new_id("plt")
        ring = cls(
            platform_id=platform_id,
            worker_secret=os.urandom(WORKER_SECRET_BYTES),
            data_key=os.urandom(KEY_BYTES),
            snapshot_private=(private := Ed25519PrivateKey.generate()),
            snapshot_public=private.public_key(),
        )
        make_private(data.keys)
        about = Platform(platform_id=platform_id, created_at=now)
        write_private(data.keys / "platform.json", msgspec.json.encode(about))
        kek = _make_kek(kek_path(platform_id, kek_file))
        raw_private = private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        sealed = {"snapshot": raw_private, "worker": ring.worker_secret, "data": ring.data_key}
        for name, plaintext in sealed.items():
            write_private(data.keys / f"{name}.sealed", seal(kek, plaintext, purpose(platform_id, name)))
        public = ring.snapshot_public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        write_private(data.keys / "snapshot.pub", public)
        return ring

    @classmethod
    def open(cls, data: DataFolder, kek_file: str | None) -> "KeyRing":
        """Raises Fault(keys_missing | kek_unusable | vault_unseal_failed)."""
        platform_id = read_platform(data).platform_id
        kek = read_kek(kek_path(platform_id, kek_file))
        opened: dict[str, bytes] = {}
        for name in ("snapshot", "worker", "data"):
            try:
                sealed = (data.keys / f"{name}.sealed").read_bytes()
            except OSError as error:
                raise Fault(KEYS_MISSING) from error
            opened[name] = unseal(kek, sealed, purpose(platform_id, name))
        private = Ed25519PrivateKey.from_private_bytes(opened["snapshot"])
        return cls(
            platform_id=platform_id,
            worker_secret=opened["worker"],
            data_key=opened["data"],
            snapshot_private=private,
            snapshot_public=private.public_key(),
        )


def purpose(platform_id: str, name: str) -> bytes:
    """The AAD of a sealed key file."""
    return f"mcp-platform key\x00{platform_id}\x00{name}".encode()


def _make_kek(path: Path) -> bytes:
    kek = os.urandom(KEY_BYTES)
    try:
        if path.exists():
            return read_kek(path)
        if not path.parent.exists():
            make_private(path.parent)
        write_private(path, kek)
    except OSError as error:
        raise Fault(
            KEK_UNUSABLE,
            f"Cannot make the key-encryption key in {path.parent} ({error.strerror}); set vault.kek_file.",
        ) from error
    return kek


def read_kek(path: Path) -> bytes:
    """The key-encryption key. Raises Fault(kek_unusable), which says what is wrong with it."""
    try:
        with path.open("rb") as stream:
            found = os.fstat(stream.fileno())
            kek = stream.read(KEY_BYTES + 1)
    except FileNotFoundError as error:
        raise _unusable(path, "is missing; restore it, or name it with vault.kek_file") from error
    except OSError as error:
        raise _unusable(path, f"cannot be read ({error.strerror}); see vault.kek_file") from error
    if not is_ours_alone(path, stat.S_IMODE(found.st_mode), found.st_uid, os.geteuid()):
        raise _unusable(path, f"is not yours alone; run: chmod 600 {path}")
    if len(kek) != KEY_BYTES:
        raise _unusable(path, f"does not have {KEY_BYTES} bytes; restore it, or name it with vault.kek_file")
    return kek


def _unusable(path: Path, why: str) -> Fault:
    return Fault(KEK_UNUSABLE, f"The key-encryption key {path} {why}.")
