"""Where segments stand and what their names say. Nothing here reads what is in them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from mcp_platform.base.folder import DataFolder

NODE: Final = "main"
"""This machine's name in the journal: a platform has one node until others can be enrolled."""
CONTROL: Final = "control"
CHECKPOINTS: Final = "checkpoints"
"""Writer of the signed checkpoints, which are control's too."""

_NAME = re.compile(r"([a-z0-9]{1,32})-([a-z0-9]{1,32}(?:-[a-z0-9]{1,32})?)-([0-9]{8,18})\.(seg|seg\.gz|new)")


@dataclass(frozen=True, slots=True, order=True)
class SegmentFile:
    """One file of a segment."""

    node: str
    writer: str
    sequence: int
    suffix: str = "seg"
    """`seg`, `seg.gz` (closed and compressed) or `new` (prepared, or begun and not yet named)."""

    @property
    def name(self) -> str:
        """The segment's name, whatever its file is."""
        return f"{self.node}-{self.writer}-{self.sequence:08d}"

    @property
    def file(self) -> str:
        return f"{self.name}.{self.suffix}"

    @property
    def stream(self) -> tuple[str, str]:
        """Who wrote it: segments of one stream follow each other by sequence."""
        return self.node, self.writer

    def with_suffix(self, suffix: str) -> "SegmentFile":
        return SegmentFile(self.node, self.writer, self.sequence, suffix)


def worker(slot: int) -> str:
    """The writer's name of a gateway worker."""
    return f"worker-{slot}"


def parse(file: str) -> SegmentFile | None:
    """What a file's name says; None for a file that is no segment."""
    match = _NAME.fullmatch(file)
    if match is None:
        return None
    found = SegmentFile(match[1], match[2], int(match[3]), match[4])
    return found if found.file == file else None


def segments(folder: Path, suffixes: Iterable[str] = ("seg", "seg.gz")) -> list[SegmentFile]:
    """The segments in `folder`, by node, writer and sequence; each once, as `seg` while both of its files stand."""
    wanted = set(suffixes)
    found: dict[str, SegmentFile] = {}
    if folder.is_dir():
        for path in folder.iterdir():
            each = parse(path.name)
            if each is not None and each.suffix in wanted and (each.name not in found or each.suffix == "seg"):
                found[each.name] = each
    return sorted(found.values())


class _Platform(msgspec.Struct, frozen=True):
    platform_id: str


def platform_id(data: DataFolder) -> str:
    """Who this platform is, by DATA/keys/platform.json."""
    return msgspec.json.decode((data.keys / "platform.json").read_bytes(), type=_Platform).platform_id
