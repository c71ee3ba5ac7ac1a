"""Arguments and results under each policy; and a subject's key, without which none of it can be read or recognised."""

import asyncio
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_platform.base.folder import DataFolder
from mcp_platform.journal import content as contents
from mcp_platform.journal.content import (
    ARGUMENTS,
    MAX_FULL_BYTES,
    MAX_REDACTED_BYTES,
    REMOVED,
    RESULT,
    opened,
    recorded,
)
from mcp_platform.journal.subjects import SubjectKey, SubjectKeys

SECRET = bytes(range(64))
ARGUMENTS_JSON = b'{"path": "/etc/hosts", "password": "hunter2", "n": 3}'


def keys_in(folder: Path, secret: bytes = SECRET) -> SubjectKeys:
    (folder / "keys").mkdir(exist_ok=True)
    return SubjectKeys(DataFolder(folder), secret)


@pytest.fixture
def key(tmp_path: Path) -> SubjectKey:
    return asyncio.run(keys_in(tmp_path).key("prn_1"))


def test_none_records_nothing(key: SubjectKey) -> None:
    assert recorded("none", key, ARGUMENTS, ARGUMENTS_JSON) is None


def test_hashed_recognises_and_does_not_say(key: SubjectKey) -> None:
    one, same = (recorded("hashed", key, ARGUMENTS, ARGUMENTS_JSON) for _ in range(2))
    assert one is not None
    assert one == same
    assert one.size == len(ARGUMENTS_JSON)
    assert opened(one, key, ARGUMENTS) is None
    other = recorded("hashed", key, RESULT, ARGUMENTS_JSON)
    assert other is not None
    assert other.value != one.value


def test_full_is_encrypted_for_its_place_alone(key: SubjectKey) -> None:
    found = recorded("full", key, ARGUMENTS, ARGUMENTS_JSON)
    assert found is not None
    assert b"hosts" not in found.value
    assert opened(found, key, ARGUMENTS) == ARGUMENTS_JSON
    assert opened(found, key, RESULT) is None


def test_redacted_is_encrypted_and_holds_no_secret(key: SubjectKey) -> None:
    found = recorded("redacted", key, ARGUMENTS, ARGUMENTS_JSON)
    assert found is not None
    assert b"hosts" not in found.value
    plain = opened(found, key, ARGUMENTS)
    assert plain is not None
    assert json.loads(plain) == {"path": "/etc/hosts", "password": REMOVED, "n": 3}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            {"apiKey": "abc", "api_key": 5, "X-Api-Key": "q"},
            {"apiKey": REMOVED, "api_key": REMOVED, "X-Api-Key": REMOVED},
        ),
        ({"client_secret": {"deep": ["er"]}}, {"client_secret": REMOVED}),
        ({"token": None, "has_token": True}, {"token": None, "has_token": True}),
        ({"text": "use mcpp_0123456789abcdefghijklmnop now"}, {"text": f"use {REMOVED} now"}),
        (["Bearer abcdefghijkl"], [REMOVED]),
        ({"url": "https://user:pass@example.com/x"}, {"url": f"https://{REMOVED}@example.com/x"}),
        ({"key": "AKIAABCDEFGHIJKLMNOP"}, {"key": REMOVED}),
        ({"ghp_0123456789abcdefghij": 1}, {REMOVED: 1}),
        ({"city": "Passau", "tokens": 5}, {"city": "Passau", "tokens": REMOVED}),
    ],
)
def test_what_looks_like_a_secret_is_taken_out(value: object, expected: object) -> None:
    found = contents.redacted(json.dumps(value).encode())
    assert found is not None
    assert json.loads(found) == expected


@pytest.mark.parametrize("content", [b"not json", b"\xff\xfe", b"[" * 100_000, b'{"a": "\xed\xa0\x80"}'])
def test_what_is_no_json_is_only_hashed(key: SubjectKey, content: bytes) -> None:
    content = content[:MAX_REDACTED_BYTES]
    found = recorded("redacted", key, RESULT, content)
    assert found is not None
    assert found.policy == "hashed"


def test_what_is_too_long_is_only_hashed(key: SubjectKey) -> None:
    for policy, size in (("full", MAX_FULL_BYTES + 1), ("redacted", MAX_REDACTED_BYTES + 1)):
        found = recorded(policy, key, RESULT, b'"' + b"x" * (size - 2) + b'"')
        assert found is not None
        assert (found.policy, found.size, len(found.value)) == ("hashed", size, 32)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda v: st.lists(v) | st.dictionaries(st.text(), v),
)


@given(values)
def test_redaction_never_fails_on_json(value: object) -> None:
    assert contents.redacted(json.dumps(value).encode()) is not None or "\\ud" in json.dumps(value)


async def test_a_subject_has_one_key_for_every_process_and_another_after_erasure(tmp_path: Path) -> None:
    mine, others = keys_in(tmp_path), keys_in(tmp_path)
    first = await mine.key("prn_1")
    assert (await others.key("prn_1")).id == first.id
    assert (await mine.key("prn_2")).id != first.id
    found = recorded("full", first, ARGUMENTS, b"about somebody")
    assert found is not None
    assert others.look_up("prn_1", found.key) is not None
    assert others.erase("prn_1")
    assert not others.erase("prn_1")
    fresh = keys_in(tmp_path)
    assert fresh.look_up("prn_1", found.key) is None
    second = await fresh.key("prn_1")
    assert second.id != first.id
    assert fresh.look_up("prn_1", found.key) is None
    assert opened(found, second, ARGUMENTS) is None


async def test_a_key_file_is_sealed_and_private(tmp_path: Path) -> None:
    await keys_in(tmp_path).key("prn_1")
    (path,) = (tmp_path / "keys" / "subjects").glob("*/*.key")
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(Exception, match="journal_unavailable"):
        await keys_in(tmp_path, bytes(64)).key("prn_1")


async def test_many_at_once_make_one_key(tmp_path: Path) -> None:
    made = await asyncio.gather(*(keys_in(tmp_path).key("prn_1") for _ in range(8)))
    assert len({key.id for key in made}) == 1
    assert len(list((tmp_path / "keys" / "subjects").glob("*/*"))) == 1
