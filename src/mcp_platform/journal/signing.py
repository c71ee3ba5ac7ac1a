"""Control's signature on what it says about the journal: checkpoints, recoveries, removals."""

from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from mcp_platform.base.errors import Fault
from mcp_platform.journal.errors import JOURNAL_KEY_INVALID
from mcp_platform.journal.record import Checkpoint, Recovered, Retained, signed_part

Signed = Recovered | Retained | Checkpoint
PUBLIC_BYTES = 32


def sign(key: Ed25519PrivateKey, record: Signed, platform: str) -> None:
    """Every field but the index must have its value; the time too."""
    assert record.time, "a signature speaks of a time"
    record.signature = key.sign(signed_part(record, platform))


def is_signed(key: Ed25519PublicKey, record: Signed, platform: str) -> bool:
    try:
        key.verify(record.signature, signed_part(record, platform))
    except InvalidSignature:
        return False
    return True


def read_public_key(path: Path) -> Ed25519PublicKey:
    """Raises Fault(journal_key_invalid)."""
    try:
        raw = path.read_bytes()
        if len(raw) != PUBLIC_BYTES:
            raise Fault(JOURNAL_KEY_INVALID)
        return Ed25519PublicKey.from_public_bytes(raw)
    except (OSError, ValueError) as error:
        raise Fault(JOURNAL_KEY_INVALID) from error
