"""Signed manifests and heartbeats: only control's own are believed, byte for byte."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_platform.base.errors import Fault
from mcp_platform.features.apikeys.model import KeyRow
from mcp_platform.snapshot.codec import (
    check_heartbeat,
    decode_rows,
    encode_rows,
    hash_of,
    open_manifest,
    sign_heartbeat,
)
from tests.snapshot.shelves import SIGNER, Builder, key_row

PUBLIC = SIGNER.public_key()


def test_a_signed_manifest_opens_and_any_changed_byte_does_not(tmp_path: Path) -> None:
    """architecture: workers hold only the public key."""
    builder = Builder(tmp_path / "snapshot")
    signed = builder.sign(builder.manifest(7, [key_row(1)], []))
    assert open_manifest(signed, PUBLIC).revision == 7
    for at in range(len(signed)):
        with pytest.raises(Fault):
            open_manifest(signed[:at] + bytes([signed[at] ^ 1]) + signed[at + 1 :], PUBLIC)
    with pytest.raises(Fault):
        open_manifest(signed, Ed25519PrivateKey.generate().public_key())


@given(st.binary(max_size=400))
@settings(max_examples=200)
def test_garbage_is_no_manifest(garbage: bytes) -> None:
    """A parser of signed text meets unsigned text first."""
    with pytest.raises(Fault):
        open_manifest(garbage, PUBLIC)


def test_a_heartbeat_counts_only_on_its_own_connection() -> None:
    """An old heartbeat replayed says nothing."""
    beat = sign_heartbeat(3, b"m" * 32, b"nonce-of-a-worker", SIGNER)
    check_heartbeat(beat, b"nonce-of-a-worker", PUBLIC)
    with pytest.raises(Fault):
        check_heartbeat(beat, b"nonce-of-another", PUBLIC)


def test_a_shard_must_have_its_hash() -> None:
    """Content-addressed: what was changed has another address."""
    content = encode_rows([key_row(1), key_row(2)])
    assert decode_rows(content, hash_of(content), KeyRow) == [key_row(1), key_row(2)]
    with pytest.raises(Fault):
        decode_rows(content + b"\0", hash_of(content), KeyRow)
    with pytest.raises(Fault):
        decode_rows(b"\xff", hash_of(b"\xff"), KeyRow)
