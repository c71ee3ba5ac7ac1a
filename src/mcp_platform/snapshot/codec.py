"""Snapshots as bytes: shards by the hash of their content, a manifest and heartbeats by Ed25519.

Control signs; a worker holds only the public key. Each kind of signed text begins with words of its own, so that one
can never be taken for another.
"""

import hashlib
from typing import TypeVar

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from mcp_platform.base.errors import Fault, define
from mcp_platform.snapshot.model import FORMAT, Heartbeat, Manifest

SNAPSHOT_INVALID = define(
    "snapshot_invalid",
    http=500,
    jsonrpc=-32603,
    text="The snapshot is damaged, not signed by this platform's control, or older than one already seen.",
    whose="platform",
)

_MANIFEST_WORDS = b"mcp-platform snapshot manifest v1\0"
_HEARTBEAT_WORDS = b"mcp-platform snapshot heartbeat v1\0"
_SIGNATURE_BYTES = 64
Row = TypeVar("Row")


def hash_of(content: bytes) -> bytes:
    """The address of a shard or manifest."""
    return hashlib.blake2b(content, digest_size=32).digest()


def encode_rows(rows: list[Row]) -> bytes:
    """A shard."""
    return msgspec.msgpack.encode(rows)


def decode_rows(content: bytes, address: bytes, row: type[Row]) -> list[Row]:
    """The rows of a shard whose bytes must have the hash `address`. Raises Fault(snapshot_invalid)."""
    if hash_of(content) != address:
        raise Fault(SNAPSHOT_INVALID)
    try:
        return msgspec.msgpack.decode(content, type=list[row])  # type: ignore[valid-type]  # a type held in a variable
    except msgspec.MsgspecError as error:
        raise Fault(SNAPSHOT_INVALID) from error


def sign_manifest(manifest: Manifest, key: Ed25519PrivateKey) -> bytes:
    """Signature and manifest as they stand on disk."""
    body = msgspec.msgpack.encode(manifest)
    return key.sign(_MANIFEST_WORDS + body) + body


def open_manifest(signed: bytes, key: Ed25519PublicKey) -> Manifest:
    """The manifest, if control signed it. Raises Fault(snapshot_invalid)."""
    body = signed[_SIGNATURE_BYTES:]
    try:
        key.verify(signed[:_SIGNATURE_BYTES], _MANIFEST_WORDS + body)
        manifest = msgspec.msgpack.decode(body, type=Manifest)
    except (InvalidSignature, msgspec.MsgspecError) as error:
        raise Fault(SNAPSHOT_INVALID) from error
    if manifest.format != FORMAT:
        raise Fault(SNAPSHOT_INVALID)
    return manifest


def sign_heartbeat(revision: int, manifest: bytes, nonce: bytes, key: Ed25519PrivateKey) -> Heartbeat:
    """A heartbeat for the connection whose worker chose `nonce`."""
    return Heartbeat(revision, manifest, key.sign(_heartbeat_text(revision, manifest, nonce)))


def check_heartbeat(heartbeat: Heartbeat, nonce: bytes, key: Ed25519PublicKey) -> None:
    """Raises Fault(snapshot_invalid) unless control signed it for this connection."""
    try:
        key.verify(heartbeat.signature, _heartbeat_text(heartbeat.revision, heartbeat.manifest, nonce))
    except InvalidSignature as error:
        raise Fault(SNAPSHOT_INVALID) from error


def _heartbeat_text(revision: int, manifest: bytes, nonce: bytes) -> bytes:
    return _HEARTBEAT_WORDS + revision.to_bytes(8) + manifest + nonce
