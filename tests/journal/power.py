"""A disk that loses its power: a page cache in memory, of which only what was synced is sure to be there afterwards.

What a power cut leaves is the synced state and any subset of the 4 KiB pages written since, each page as it was at
some moment since; names made since are there or not. It does the Files of journal/files.py.
"""

import random
import threading
from pathlib import Path

PAGE = 4096


class Lost(OSError):
    """The power is gone."""


class MemoryFile:
    """One file, as the kernel has it and as the disk has it."""

    def __init__(self, disk: "MemoryDisk") -> None:
        self._disk = disk
        self.kernel = bytearray()
        self.durable = b""
        self.versions: dict[int, list[bytes]] = {}
        """Page → what it held after each write since the last sync."""

    def write(self, data: bytes, at: int) -> None:
        with self._disk.lock:
            self._disk.step()
            if len(self.kernel) < at + len(data):
                self.kernel.extend(bytes(at + len(data) - len(self.kernel)))
            self.kernel[at : at + len(data)] = data
            for page in range(at // PAGE, (at + len(data) - 1) // PAGE + 1):
                self.versions.setdefault(page, []).append(bytes(self.kernel[page * PAGE : (page + 1) * PAGE]))

    def sync(self) -> None:
        with self._disk.lock:
            self._disk.step()
            self.durable = bytes(self.kernel)
            self.versions.clear()

    def truncate(self, size: int) -> None:
        with self._disk.lock:
            self._disk.step()
            del self.kernel[size:]

    def close(self) -> None:
        """Nothing to let go of."""

    def after_a_cut(self, chance: random.Random) -> bytes:
        """What the disk may hold, if the power goes now."""
        kept = bytearray(self.durable)
        for page, versions in self.versions.items():
            if chance.random() < 0.5:
                content = chance.choice(versions)
                if len(kept) < page * PAGE + len(content):
                    kept.extend(bytes(page * PAGE + len(content) - len(kept)))
                kept[page * PAGE : page * PAGE + len(content)] = content
        return bytes(kept)


class MemoryDisk:
    """One folder."""

    def __init__(self, lasts: int) -> None:
        self.lock = threading.RLock()
        self.lasts = lasts
        """Steps until the power goes."""
        self.files: dict[str, MemoryFile] = {}
        self.durable_names: dict[str, MemoryFile] = {}

    def step(self) -> None:
        self.lasts -= 1
        if self.lasts < 0:
            raise Lost(5, "no power")

    def create(self, path: Path) -> MemoryFile:
        with self.lock:
            self.step()
            if path.name in self.files:
                raise FileExistsError(path.name)
            self.files[path.name] = file = MemoryFile(self)
            return file

    def rename(self, old: Path, new: Path) -> None:
        with self.lock:
            self.step()
            self.files[new.name] = self.files.pop(old.name)

    def remove(self, path: Path) -> None:
        with self.lock:
            self.files.pop(path.name, None)

    def sync_folder(self, folder: Path) -> None:
        with self.lock:
            self.step()
            self.durable_names = dict(self.files)

    def leave(self, folder: Path, chance: random.Random) -> None:
        """Put into `folder` what a power cut now would leave."""
        with self.lock:
            names = dict(self.durable_names)
            for name, file in self.files.items():
                if file not in names.values() and chance.random() < 0.5:
                    names[name] = file
                elif file in names.values() and name not in names and chance.random() < 0.5:
                    names = {old: each for old, each in names.items() if each is not file} | {name: file}
            for name, file in names.items():
                (folder / name).write_bytes(file.after_a_cut(chance))
