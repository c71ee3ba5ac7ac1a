"""API keys: form, checksum, MAC, verdict."""

from hypothesis import given
from hypothesis import strategies as st

from mcp_platform.base.ids import ALPHABET
from mcp_platform.features.apikeys.check import KEY_CHARACTERS, checksum, generate, mac, parse, verify
from mcp_platform.features.apikeys.errors import KEY_EXPIRED, KEY_INVALID
from mcp_platform.features.apikeys.model import KeyRow, shard_of

GOLDEN = "mcpp_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefgh"
MAC_KEY = bytes(range(32))


def row(key: str, not_after: float | None = None) -> KeyRow:
    return KeyRow(parse(key) or "", mac(MAC_KEY, key), "prn_a", "agent", not_after, None)


def test_the_format_never_changes() -> None:
    """Ours: keys that were given out once must work in every later version."""
    key = GOLDEN + checksum(GOLDEN)
    assert key == "mcpp_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefgh4QS9pD"
    assert parse(key) == "0123456789AB"
    assert mac(MAC_KEY, key).hex() == "ce2ee31460a62f21fe30b8028cead1d94090dd0bb8e972219cbba5c9688e82cb"
    assert shard_of("0123456789AB") == 2126736752


def test_a_generated_key_is_read_back() -> None:
    key = generate()
    assert len(key) == KEY_CHARACTERS == 55
    assert parse(key) == key[5:17]
    assert generate() != key


@given(st.text())
def test_anything_else_is_no_key(text: str) -> None:
    assert parse(text) is None


@given(st.text(alphabet=ALPHABET, min_size=50, max_size=50))
def test_a_key_with_the_wrong_checksum_is_no_key(body: str) -> None:
    key = "mcpp_" + body
    assert (parse(key) is None) == (checksum(key[:-6]) != key[-6:])


@given(st.integers(0, KEY_CHARACTERS - 1), st.sampled_from(ALPHABET))
def test_one_wrong_character_is_noticed(place: int, character: str) -> None:
    """Ours: a typing error is told from a wrong key without asking the database."""
    key = generate()
    garbled = key[:place] + character + key[place + 1 :]
    assert garbled == key or parse(garbled) is None


def test_characters_that_only_look_like_base_62_are_refused() -> None:
    key = generate()
    for wrong in (key + "\n", " " + key, key.replace("mcpp_", "MCPP_"), key[:-1] + "１", key[:10] + "é" + key[11:]):
        assert parse(wrong) is None


def test_the_right_key_is_good_until_it_expires() -> None:
    key = generate()
    sent = mac(MAC_KEY, key)
    assert verify(row(key), sent, 1e12) is None
    assert verify(row(key, not_after=100.0), sent, 99.9) is None
    assert verify(row(key, not_after=100.0), sent, 100.0) is KEY_EXPIRED


def test_a_wrong_key_does_not_learn_that_the_right_one_has_expired() -> None:
    key, other = generate(), generate()
    assert verify(row(key, not_after=1.0), mac(MAC_KEY, other), 2.0) is KEY_INVALID
    assert verify(row(key), mac(bytes(32), key), 2.0) is KEY_INVALID
