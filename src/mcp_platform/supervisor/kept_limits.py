"""Keeps the limits' slow counters over a restart: DATA/limits, written while the platform runs and when it ends.

What is lost with the machine, or with a supervisor that is killed, is what was counted in the last SAVE_EVERY_S. The
counters are the workers'; nothing here changes them after the start.
"""

import fcntl
import hashlib
import os
import struct
import time
import zlib
from pathlib import Path

from mcp_platform.base import log
from mcp_platform.base.folder import write_private
from mcp_platform.gateway.meter import CHANGES_AT, KEY_AT, SLOW

SAVE_EVERY_S = 5.0
_HEAD = struct.Struct("<8sQQ32s32s")
"""Format, monotonic and wall-clock nanoseconds when it was written, which boot that was, the key of the hash."""
_FORMAT = b"mcpplim1"
_DIGEST_BYTES = 32
_AT, _BYTES = SLOW.first * 8, SLOW.words * 8
_MAX_BYTES = 2 * _BYTES
_PLACE = struct.Struct("=QQ")
_log = log.Log("supervisor")


class KeptLimits:
    """The counters in `memory` and the file that outlives it."""

    def __init__(self, memory: int, path: Path) -> None:
        self._memory = memory
        self._path = path
        self._saved = 0
        """Changes that the file knows."""
        self.due = time.monotonic() + SAVE_EVERY_S
        """Monotonic time of the next look."""

    def restore(self) -> None:
        """Take up what the file says. A file that is not whole says nothing: the log does."""
        try:
            with self._path.open("rb") as stream:
                content = stream.read(_MAX_BYTES)
        except FileNotFoundError:
            return
        except OSError as error:
            _log.warning("limits_not_restored", reason=error.strerror)
            return
        region = _open(content)
        if region is None:
            _log.warning("limits_not_restored", reason="the file is damaged")
            return
        _, _, _, _, key = _HEAD.unpack_from(content)
        os.pwrite(self._memory, key, KEY_AT * 8)
        os.pwrite(self._memory, region, _AT)

    def save_when_due(self) -> None:
        """Write the file, if it is time and something changed."""
        if time.monotonic() < self.due:
            return
        self.save()
        self.due = time.monotonic() + SAVE_EVERY_S

    def save(self) -> None:
        """Write the file now, if something changed."""
        changes = int.from_bytes(os.pread(self._memory, 8, CHANGES_AT * 8), "little")
        if changes == self._saved:
            return
        fcntl.lockf(self._memory, fcntl.LOCK_EX)
        try:
            region = os.pread(self._memory, _BYTES, _AT)
        finally:
            fcntl.lockf(self._memory, fcntl.LOCK_UN)
        key = os.pread(self._memory, 32, KEY_AT * 8)
        head = _HEAD.pack(_FORMAT, time.monotonic_ns(), time.time_ns(), _boot(), key)
        content = head + zlib.compress(region, 1)
        try:
            write_private(self._path, content + hashlib.blake2b(content, digest_size=_DIGEST_BYTES).digest())
        except OSError as error:
            _log.warning("limits_not_saved", reason=error.strerror)
            return
        self._saved = changes


def _open(content: bytes) -> bytes | None:
    """The region as it is now, or None where the file is not one of ours or not whole."""
    body, digest = content[:-_DIGEST_BYTES], content[-_DIGEST_BYTES:]
    if len(body) < _HEAD.size or hashlib.blake2b(body, digest_size=_DIGEST_BYTES).digest() != digest:
        return None
    form, written, written_wall, boot, _ = _HEAD.unpack_from(body)
    if form != _FORMAT:
        return None
    region = zlib.decompressobj().decompress(body[_HEAD.size :], _BYTES)
    if len(region) != _BYTES:
        return None
    now = time.monotonic_ns()
    if boot == _boot() and now >= written:
        return region
    return _moved(region, written, now, max(0, time.time_ns() - written_wall))


def _moved(region: bytes, written: int, now: int, elapsed: int) -> bytes:
    """The counters in terms of this boot's clock. A wall clock that was put back makes no wait longer."""
    moved = bytearray(_BYTES)
    for at in range(0, _BYTES, _PLACE.size):
        key, tat = _PLACE.unpack_from(region, at)
        left = tat - written - elapsed
        if key and left > 0:
            _PLACE.pack_into(moved, at, key, now + left)
    return bytes(moved)


def _boot() -> bytes:
    try:
        text = Path("/proc/sys/kernel/random/boot_id").read_bytes()
    except OSError:
        return os.urandom(32)  # no /proc: then it is never the same boot, and the wall clock counts
    return hashlib.blake2b(text, digest_size=32).digest()
