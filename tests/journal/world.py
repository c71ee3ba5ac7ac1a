"""A small journal as a platform would leave it: two workers, control, checkpoints; several segments of each."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mcp_platform.journal import place
from mcp_platform.journal.chain import FIRST, MAGIC, frame, frame_at
from mcp_platform.journal.checkpoint import Checkpoints
from mcp_platform.journal.options import Options
from mcp_platform.journal.record import Control, Intent, Outcome, Refusal
from mcp_platform.journal.retention import compress
from mcp_platform.journal.writer import JournalWriter

PLATFORM = "plt_0123456789abcdef"
SMALL = Options(durability="group", segment_bytes=4096, segment_age_s=3600, reserve_bytes=64 * 1024, stall_s=5.0)


def intent(number: int = 0) -> Intent:
    return Intent(
        trace=f"trace-{number}",
        principal="prn_1",
        agent="cursor",
        agent_known="key",
        tenant="default",
        credential="key_1",
        address="127.0.0.1",
        method="tools/call",
        server="files",
        tool="read",
        decision="allow",
        rule="role:member",
        revision=7,
        request_bytes=400 + number,
        definition="ab" * 32,
    )


@dataclass(frozen=True, slots=True)
class World:
    """A data folder with a journal and the key to prove it."""

    data: Path
    key: Ed25519PrivateKey

    @property
    def journal(self) -> Path:
        return self.data / "journal"

    @property
    def public(self) -> Path:
        return self.data / "keys" / "journal.pub"


def empty_world(data: Path) -> World:
    key = Ed25519PrivateKey.generate()
    (data / "keys").mkdir(parents=True)
    (data / "journal").mkdir()
    (data / "keys" / "journal.pub").write_bytes(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
    return World(data, key)


async def filled_world(data: Path, *, calls: int = 12, rounds: int = 3, packed: bool = True) -> World:
    """Everything closed and anchored; with `packed`, the closed segments of an earlier time are compressed."""
    world = empty_world(data)
    names = (place.worker(0), place.worker(1), place.CONTROL, place.CHECKPOINTS)
    for turn in range(rounds):
        writers = [JournalWriter(world.journal, PLATFORM, name, SMALL) for name in names]
        for writer in writers:
            writer.start()
        checkpoints = Checkpoints(world.journal, PLATFORM, world.key, writers[-1])
        await checkpoints.prepare()
        for number in range(calls):
            for worker in writers[:2]:
                position = worker.append(intent(number))
                worker.append_outcome(Outcome(outcome="ok", latency_us=number), position)
            if number % 4 == 0:
                writers[1].append(Refusal(error="key_invalid", address="192.0.2.1"))
                writers[2].append(Control(event="change", actor="local:0", tag="keys:key:create", outcome="ok"))
                await asyncio.gather(*(writer.synced(writer.append(Refusal(error="x"))) for writer in writers[:3]))
                await checkpoints.make()
        for writer in writers[:3]:
            await writer.close()
        await checkpoints.make()
        await writers[-1].close()
        checkpoints.close()
        if packed and turn == 0:
            compress(world.journal)
    return world


def frames(path: Path) -> list[bytes]:
    """The frames of a plain segment file, as bytes."""
    data, at, found = path.read_bytes(), len(MAGIC), []
    while (one := frame_at(data, at)) is not None:
        found.append(data[at : one.end])
        at = one.end
    return found


def put(path: Path, pieces: list[bytes]) -> None:
    path.write_bytes(MAGIC + b"".join(pieces))


def body(one: bytes) -> bytes:
    found = frame_at(one, 0)
    assert found is not None
    return found.body


def rechained(bodies: list[bytes]) -> list[bytes]:
    """What somebody without the key can do: a chain made anew over other bodies."""
    previous, made = FIRST, []
    for each in bodies:
        one, previous = frame(previous, each)
        made.append(one)
    return made


def plain_segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.seg"))
