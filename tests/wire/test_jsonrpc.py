"""JSON-RPC messages of MCP: kinds, ids, and what is passed on verbatim."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_platform.base.errors import Fault
from mcp_platform.wire import jsonrpc


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"[]", "request_invalid"),
        (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', "request_invalid"),
        (b"3", "request_invalid"),
        (b'{"jsonrpc":"1.0","id":1,"method":"ping"}', "request_invalid"),
        (b'{"id":1,"method":"ping"}', "request_invalid"),
        (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', "request_invalid"),
        (b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', "request_invalid"),
        (b'{"jsonrpc":"2.0","id":true,"method":"ping"}', "request_invalid"),
        (b'{"jsonrpc":"2.0","id":{},"method":"ping"}', "request_invalid"),
        (b'{"jsonrpc":"2.0","id":1,"method":7}', "request_invalid"),
        (b'{"jsonrpc":"2.0","id":1}', "request_invalid"),
        (b'{"jsonrpc":"2.0","id":1,"result":{},"error":{}}', "request_invalid"),
        (b'{"jsonrpc":"2.0","result":{}}', "request_invalid"),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}', "params_invalid"),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":null}', "params_invalid"),
    ],
)
def test_what_is_no_message_is_refused(body: bytes, code: str) -> None:
    """JSON-RPC 2.0 §4, and MCP's narrower ids."""
    with pytest.raises(Fault) as caught:
        jsonrpc.parse(body)
    assert caught.value.kind.code == code


def test_kinds_are_told_apart() -> None:
    """A request has an id, a notification has none, a response has no method."""
    assert jsonrpc.parse(b'{"jsonrpc":"2.0","id":"a","method":"ping"}').kind == "request"
    assert jsonrpc.parse(b'{"jsonrpc":"2.0","method":"notifications/initialized"}').kind == "notification"
    assert jsonrpc.parse(b'{"jsonrpc":"2.0","id":"a","result":{"action":"accept"}}').kind == "response"
    assert jsonrpc.parse(b'{"jsonrpc":"2.0","id":"a","error":{"code":-1,"message":"no"}}').kind == "response"


def test_numbers_keep_their_text_and_lines_are_joined() -> None:
    """What goes upstream is what was checked: 1.10 stays 1.10, and a stdio line stays one line."""
    arguments = b'{\n "a": 1.10,\r\n "b": 1e5, "c": "x\\ny"}'
    body = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"arguments":' + arguments + b"}}"
    assert bytes(jsonrpc.parse(body).raw["arguments"]) == b'{"a":1.10,"b":1e5,"c":"x\\ny"}'


@given(st.integers(-(2**63), 2**63 - 1) | st.text(max_size=40))
def test_an_id_comes_back_as_it_was_sent(identity: int | str) -> None:
    """JSON-RPC 2.0 §5."""
    body = json.dumps({"jsonrpc": "2.0", "id": identity, "method": "ping"}).encode()
    message = jsonrpc.parse(body)
    assert message.id == identity
    assert json.loads(jsonrpc.result(identity, b"{}"))["id"] == identity
    assert jsonrpc.id_of(body) == identity
