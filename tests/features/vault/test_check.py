"""Sealing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_platform.base.errors import Fault
from mcp_platform.features.vault.check import place, seal, unseal
from mcp_platform.features.vault.errors import VAULT_UNSEAL_FAILED

KEY = bytes(range(32))


def refused(key: bytes, sealed: bytes, aad: bytes) -> None:
    with pytest.raises(Fault) as caught:
        unseal(key, sealed, aad)
    assert caught.value.kind is VAULT_UNSEAL_FAILED


def test_what_was_sealed_once_opens_in_every_later_version() -> None:
    """A golden vector: nonce 00…0b, AES-256-GCM, ciphertext and tag, made with pyca/cryptography."""
    sealed = bytes.fromhex("000102030405060708090a0b3c20be7ea481a769fe63adf0cc944fc323bfa0bf69a883de94b46fd8000c")
    assert unseal(KEY, sealed, place("upstreams", "ups_1", "access")) == b'{"headers":{}}'


@given(st.binary(max_size=200), st.binary(max_size=50))
def test_what_is_sealed_opens_with_its_key_and_place(plaintext: bytes, aad: bytes) -> None:
    sealed = seal(KEY, plaintext, aad)
    assert unseal(KEY, sealed, aad) == plaintext
    assert plaintext not in sealed or len(plaintext) < 4
    assert seal(KEY, plaintext, aad) != sealed


@given(st.binary(max_size=60), st.integers(min_value=0))
def test_any_changed_bit_is_noticed(plaintext: bytes, where: int) -> None:
    sealed = bytearray(seal(KEY, plaintext, b"a"))
    sealed[where % len(sealed)] ^= 1 << (where % 8)
    refused(KEY, bytes(sealed), b"a")


def test_a_value_moved_elsewhere_does_not_open() -> None:
    """ASVS 11.3: the AAD is table, row and column."""
    here = place("upstreams", "ups_1", "access")
    sealed = seal(KEY, b"secret", here)
    for elsewhere in (
        place("upstreams", "ups_2", "access"),
        place("upstreams", "ups_1", "other"),
        place("others", "ups_1", "access"),
        b"",
    ):
        refused(KEY, sealed, elsewhere)
    refused(bytes(32), sealed, here)


@pytest.mark.parametrize("sealed", [b"", b"x" * 27])
def test_what_is_too_short_to_be_sealed_is_refused(sealed: bytes) -> None:
    refused(KEY, sealed, b"")
