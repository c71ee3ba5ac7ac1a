"""One key for each subject (principal), outside the journal: erase it, and what the journal holds of the subject's
arguments and results can be read and recognised by nobody, while every chain stays whole.

A key is 32 random bytes in a file of its own in DATA/keys/subjects, sealed with a key that workers and control share.
"""

import asyncio
import contextlib
import hashlib
import os
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mcp_platform.base import clock
from mcp_platform.base.errors import Fault
from mcp_platform.base.folder import DataFolder, make_private, sync_folder
from mcp_platform.base.log import Log
from mcp_platform.features.vault.check import KEY_BYTES, seal, unseal
from mcp_platform.journal.errors import JOURNAL_UNAVAILABLE

log = Log(__name__)
ID_BYTES: Final = 8
KEPT: Final = 10_000
"""Keys a process keeps in memory, about 0.5 KiB each: the least recently used goes first."""
KEPT_S: Final = 60.0
"""Seconds a process trusts the key it has: an erased key is used no longer than this."""


@dataclass(frozen=True, slots=True, repr=False)
class SubjectKey:
    """A subject's key, opened."""

    id: str
    """Names this key and no later one of the same subject."""
    mac_key: bytes
    cipher: AESGCM
    _begun: "dict[bytes, hashlib.blake2b]" = field(default_factory=dict, compare=False)
    """What of a keyed hash is the same for every content, by what it is a hash of."""

    def mac(self, what: bytes, content: bytes) -> bytes:
        """Keyed BLAKE2b-256 of `content`. `what` (at most 16 bytes) keeps one kind of content apart from another."""
        begun = self._begun.get(what)
        if begun is None:
            begun = self._begun[what] = hashlib.blake2b(digest_size=32, key=self.mac_key, person=what)
        digest = begun.copy()
        digest.update(content)
        return digest.digest()


@dataclass(slots=True)
class _Kept:
    key: SubjectKey
    until: float = field(default_factory=lambda: clock.monotonic() + KEPT_S)


class SubjectKeys:
    """The keys of all subjects of one platform."""

    def __init__(self, data: DataFolder, worker_secret: bytes) -> None:
        self._folder = data.keys / "subjects"
        self._wrap = hashlib.blake2b(worker_secret, digest_size=KEY_BYTES, person=b"mcpp-subjects").digest()
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def kept(self, subject: str) -> SubjectKey | None:
        """The key, if it is in memory and was looked at lately: no waiting."""
        found = self._kept.get(subject)
        return found.key if found is not None and clock.monotonic() < found.until else None

    async def key(self, subject: str) -> SubjectKey:
        """The subject's key, made if there is none. Raises Fault(journal_unavailable)."""
        kept = self.kept(subject)
        if kept is not None:
            return kept
        try:
            key = await asyncio.to_thread(self._read_or_make, subject)
        except (OSError, Fault) as error:
            log.error("subject_key_unusable", exc=error)
            raise Fault(JOURNAL_UNAVAILABLE, retry_after_s=1) from error
        self._kept[subject] = _Kept(key)
        self._kept.move_to_end(subject)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return key

    def look_up(self, subject: str, key_id: str) -> SubjectKey | None:
        """The key that a record names, for whoever may open its content; None once it was erased. Reads the disk."""
        kept = self.kept(subject)
        if kept is None:
            try:
                kept = self._read(subject)
            except FileNotFoundError:
                return None
        return kept if kept.id == key_id else None

    def erase(self, subject: str) -> bool:
        """Destroy the subject's key. Other processes forget it within KEPT_S. False where there was none."""
        self._kept.pop(subject, None)
        path = self._path(subject)
        try:
            size = path.stat().st_size
            with path.open("r+b", buffering=0) as file:
                file.write(bytes(size))
                os.fsync(file.fileno())
            path.unlink()
        except FileNotFoundError:
            return False
        sync_folder(path.parent)
        return True

    def _path(self, subject: str) -> Path:
        name = hashlib.blake2b(subject.encode(), digest_size=16).hexdigest()
        return self._folder / name[:2] / f"{name}.key"

    def _aad(self, subject: str) -> bytes:
        return b"journal subject\x00" + subject.encode()

    def _read(self, subject: str) -> SubjectKey:
        opened = unseal(self._wrap, self._path(subject).read_bytes(), self._aad(subject))
        key = opened[ID_BYTES:]
        mac_key = hashlib.blake2b(key, digest_size=KEY_BYTES, person=b"mcpp-recognise").digest()
        cipher = hashlib.blake2b(key, digest_size=KEY_BYTES, person=b"mcpp-open").digest()
        return SubjectKey(opened[:ID_BYTES].hex(), mac_key, AESGCM(cipher))

    def _read_or_make(self, subject: str) -> SubjectKey:
        with contextlib.suppress(FileNotFoundError):
            return self._read(subject)
        path = self._path(subject)
        make_private(self._folder)
        make_private(path.parent)
        # Two calls of one worker may be here at once, each in a thread.
        aside = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
        handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(handle, seal(self._wrap, os.urandom(ID_BYTES + KEY_BYTES), self._aad(subject)))
            os.fsync(handle)
        finally:
            os.close(handle)
        # A link, not a rename: of two processes that make a key at once, one wins and both use its key.
        with contextlib.suppress(FileExistsError):
            os.link(aside, path)
        aside.unlink()
        sync_folder(path.parent)
        sync_folder(self._folder)
        return self._read(subject)
