"""Sealing: AES-256-GCM as nonce (12 bytes) and ciphertext with tag. Pure but for the nonce.

The AAD says what a value is for and where it stands, so that a ciphertext moved elsewhere does not open.
"""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mcp_platform.base.errors import Fault
from mcp_platform.features.vault.errors import VAULT_UNSEAL_FAILED

KEY_BYTES = 32
NONCE_BYTES = 12
"""Bytes, at random. NIST SP 800-38D §8.3 allows 2^32 random nonces a key; we seal a handful a change."""
TAG_BYTES = 16


def seal(key: bytes, plaintext: bytes, aad: bytes) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plaintext, aad)


def unseal(key: bytes, sealed: bytes, aad: bytes) -> bytes:
    """Raises Fault(vault_unseal_failed)."""
    if len(sealed) < NONCE_BYTES + TAG_BYTES:
        raise Fault(VAULT_UNSEAL_FAILED)
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], aad)
    except InvalidTag as error:
        raise Fault(VAULT_UNSEAL_FAILED) from error


def place(table: str, row: str, column: str) -> bytes:
    """The AAD of a value in SQL. No part can hold the separator, so two places never look alike."""
    assert "\x00" not in table + row + column, "names and ids are plain text"
    return "\x00".join(("sql", table, row, column)).encode()
