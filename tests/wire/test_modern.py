"""2026-07-28: the ladder of checks on a request, and the encoding of header values."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_platform.base.errors import Fault
from mcp_platform.wire import headers, jsonrpc, modern, versions

META = {versions.VERSION_KEY: "2026-07-28", versions.CAPABILITIES_KEY: {}}
HEADERS = {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "echo"}


def check(meta: Any, given_headers: dict[str, str], name: object = "echo") -> modern.Meta:
    params: dict[str, Any] = {"name": name}
    if meta is not None:
        params["_meta"] = meta
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
    return modern.check(jsonrpc.parse(body), given_headers)


@pytest.mark.parametrize(
    ("meta", "changed", "code", "number"),
    [
        (None, {}, "params_invalid", -32602),
        ({versions.VERSION_KEY: "2026-07-28"}, {}, "params_invalid", -32602),
        ({versions.CAPABILITIES_KEY: {}}, {}, "params_invalid", -32602),
        ({**META, versions.CAPABILITIES_KEY: []}, {}, "params_invalid", -32602),
        ({**META, versions.VERSION_KEY: 7}, {}, "params_invalid", -32602),
        ({**META, versions.LOG_LEVEL_KEY: "loud"}, {}, "params_invalid", -32602),
        ({**META, "progressToken": 1.5}, {}, "params_invalid", -32602),
        ([], {}, "params_invalid", -32602),
        (META, {"mcp-protocol-version": "2025-11-25"}, "header_mismatch", -32020),
        (META, {"mcp-method": None}, "header_mismatch", -32020),
        (META, {"mcp-method": "tools/list"}, "header_mismatch", -32020),
        (META, {"mcp-method": "Tools/call"}, "header_mismatch", -32020),
        (META, {"mcp-name": None}, "header_mismatch", -32020),
        (META, {"mcp-name": "Echo"}, "header_mismatch", -32020),
        (META, {"mcp-name": "=?base64?ZWNobw?="}, "header_mismatch", -32020),
        (META, {"mcp-name": "=?BASE64?ZWNobw==?="}, "header_mismatch", -32020),
        ({**META, versions.VERSION_KEY: "1999-01-01"}, {"mcp-protocol-version": "1999-01-01"},
         "protocol_version_unsupported", -32022),
    ],
)  # fmt: skip
def test_the_first_rung_that_fails_is_named(meta: Any, changed: dict[str, Any], code: str, number: int) -> None:
    """2026-07-28, basic and streamable HTTP: order and codes."""
    sent = {name: value for name, value in {**HEADERS, **changed}.items() if value is not None}
    with pytest.raises(Fault) as caught:
        check(meta, sent)
    assert (caught.value.kind.code, caught.value.kind.jsonrpc) == (code, number)
    assert caught.value.kind.http == 400


def test_an_unknown_version_is_answered_with_those_served() -> None:
    """2026-07-28: -32022 carries supported and requested."""
    with pytest.raises(Fault) as caught:
        check({**META, versions.VERSION_KEY: "2030-01-01"}, {**HEADERS, "mcp-protocol-version": "2030-01-01"})
    assert caught.value.data == {"supported": ["2026-07-28"], "requested": "2030-01-01"}


def test_base64_names_agree_with_the_body() -> None:
    """2026-07-28: Mcp-Name is decoded before it is compared."""
    check(META, {**HEADERS, "mcp-name": "=?base64?ZWNobw==?="})
    check(META, {**HEADERS, "mcp-name": headers.encode_value("größe")}, "größe")


def test_unknown_meta_passes_verbatim_and_ours_does_not() -> None:
    """Unknown `_meta` keys belong to somebody else (faithfulness)."""
    meta = check({**META, "progressToken": 7, "com.example/x": {"n": 1.5}, "traceparent": "00-a-b-01"}, HEADERS)
    assert set(meta.rest) == {"com.example/x", "traceparent"}
    assert meta.progress_token == 7


@given(st.text(max_size=60))
def test_a_header_value_survives_its_encoding(value: str) -> None:
    """2026-07-28: plain, or =?base64?…?= of the UTF-8."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return
    encoded = headers.encode_value(value)
    assert encoded.isascii()
    assert encoded.isprintable()
    assert encoded == encoded.strip()
    assert headers.decode_value(encoded) == value


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=60))
def test_any_header_value_decodes_or_agrees_with_nothing(value: str) -> None:
    """A damaged value must not match by accident."""
    decoded = headers.decode_value(value)
    assert decoded is None or isinstance(decoded, str)


@pytest.mark.parametrize(
    ("header", "modern_side"),
    [(None, False), ("2024-11-05", False), ("2025-03-26", False), ("2025-06-18", False), ("2025-11-25", False),
     ("2026-07-28", True), ("1999-01-01", True), ("2030-01-01", True), ("", True)],
)  # fmt: skip
def test_the_era_is_told_by_the_header(header: str | None, modern_side: bool) -> None:
    """Unknown versions go to the side that can answer -32022."""
    assert versions.is_modern(header) is modern_side
