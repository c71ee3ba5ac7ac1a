"""Snapshots on disk: `manifest`, `shards/<hash>` and the highest revision each worker has seen.

Nothing here is precious: control can make it all again from SQL. So nothing waits for the disk, and a reader trusts
only what has the right hash under the right signature.
"""

import os
from pathlib import Path

from mcp_platform.base.folder import make_private


class Shelf:
    """The folder of one platform's snapshots."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._shards = folder / "shards"

    def prepare(self) -> None:
        """Make the folders."""
        make_private(self._folder)
        make_private(self._shards)

    def read_manifest(self) -> bytes | None:
        """The signed manifest, or None where there is none yet."""
        try:
            return (self._folder / "manifest").read_bytes()
        except FileNotFoundError:
            return None

    def write_manifest(self, signed: bytes) -> None:
        self._replace(self._folder / "manifest", signed)

    def read_shard(self, address: bytes) -> bytes | None:
        """A shard's bytes, unchecked, or None where it is not there."""
        try:
            return (self._shards / address.hex()).read_bytes()
        except FileNotFoundError:
            return None

    def has(self, addresses: set[bytes]) -> bool:
        """Whether every one of these shards is there."""
        there = {entry.name for entry in os.scandir(self._shards)}
        return all(address.hex() in there for address in addresses)

    def write_shard(self, address: bytes, content: bytes) -> None:
        """Put a shard on the shelf. One that is there already has the same content, unless a power cut damaged it:
        then its size is wrong or its reader asks for it again after a full build."""
        path = self._shards / address.hex()
        try:
            if path.stat().st_size == len(content):
                return
        except FileNotFoundError:
            pass
        self._replace(path, content)

    def drop_all_but(self, addresses: set[bytes]) -> None:
        """Remove shards that no manifest in use names."""
        keep = {address.hex() for address in addresses}
        for entry in os.scandir(self._shards):
            if entry.name not in keep:
                os.unlink(entry.path)

    def seen(self) -> int:
        """The highest revision that any worker of this folder ever answered by."""
        highest = 0
        for path in self._folder.glob("seen-*"):
            text = path.read_bytes()[:20].strip()
            highest = max(highest, int(text) if text.isdigit() else 0)
        return highest

    def saw(self, slot: int, revision: int) -> None:
        """Remember that worker `slot` answers by `revision`."""
        handle = os.open(self._folder / f"seen-{slot}", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.pwrite(handle, b"%020d" % revision, 0)
        finally:
            os.close(handle)

    @staticmethod
    def _replace(path: Path, content: bytes) -> None:
        aside = path.with_name(f".{path.name}.{os.getpid()}")
        handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        aside.rename(path)
