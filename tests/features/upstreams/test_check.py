"""What a server and its tools may look like, and the names that agents see."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_platform.base.errors import Fault
from mcp_platform.features.upstreams.check import (
    ServerSpec,
    check_spec,
    exposed_name,
)
from mcp_platform.features.upstreams.errors import SERVER_INVALID
from mcp_platform.features.upstreams.offered import description_of, read_tool, renamed

HTTP: dict[str, Any] = {"name": "web", "transport": "http", "url": "https://mcp.example.com:8443/mcp?x=1"}
SSE = HTTP | {"transport": "sse", "url": "https://mcp.example.com/sse"}
STDIO: dict[str, Any] = {"name": "git", "transport": "stdio", "argv": ("/usr/bin/git-mcp", "--flag")}


@pytest.mark.parametrize(
    "spec",
    [
        HTTP,
        HTTP | {"url": "http://127.0.0.1:9"},
        HTTP | {"url": "http://[::1]:9/mcp"},
        HTTP | {"headers": {"Authorization": "Bearer x y", "X-Key": "1"}},
        SSE,
        SSE | {"headers": {"Authorization": "Bearer x y"}},
        STDIO,
        STDIO | {"env": {"A_1": "any\nthing"}, "cwd": "/srv"},
        STDIO | {"name": "0-a_b"},
    ],
)
def test_a_sound_server_is_taken(spec: dict[str, Any]) -> None:
    check_spec(ServerSpec(**spec))


@pytest.mark.parametrize(
    "spec",
    [
        HTTP | {"name": ""},
        HTTP | {"name": "Web"},
        HTTP | {"name": "a/b"},
        HTTP | {"name": "a" * 33},
        HTTP | {"name": "*"},
        HTTP | {"url": ""},
        HTTP | {"url": "ftp://canary/x"},
        HTTP | {"url": "file:///canary"},
        HTTP | {"url": "//canary/x"},
        HTTP | {"url": "https://"},
        HTTP | {"url": "https://canary:secret@host/"},
        HTTP | {"url": "https://host/#canary"},
        HTTP | {"url": "https://host/ca nary"},
        HTTP | {"url": "https://host/\r\nX: canary"},
        HTTP | {"url": "https://host\\canary"},
        HTTP | {"url": "https://host:99999/canary"},
        HTTP | {"url": "https://[::1/canary"},
        HTTP | {"url": "https://hóst/canary"},
        HTTP | {"headers": {"X": "canary\r\nY: 1"}},
        HTTP | {"headers": {"X y": "canary"}},
        HTTP | {"headers": {"X": ""}},
        HTTP | {"headers": {"x": "canary", "X": "canary"}},
        HTTP | {"headers": {"Host": "canary"}},
        HTTP | {"headers": {"Transfer-Encoding": "canary"}},
        HTTP | {"headers": {"Mcp-Session-Id": "canary"}},
        HTTP | {"env": {"A": "canary"}},
        SSE | {"url": "https://host/ca nary"},
        SSE | {"url": None, "argv": ("canary",)},
        STDIO | {"argv": ()},
        STDIO | {"argv": ("",)},
        STDIO | {"argv": ("a\x00canary",)},
        STDIO | {"argv": ("a",) * 101},
        STDIO | {"env": {"A=B": "canary"}},
        STDIO | {"env": {"A": "\x00canary"}},
        STDIO | {"cwd": "canary/relative"},
        STDIO | {"headers": {"X": "canary"}},
    ],
)
def test_an_unsound_one_is_refused_without_repeating_it(spec: dict[str, Any]) -> None:
    with pytest.raises(Fault) as caught:
        check_spec(ServerSpec(**spec))
    assert caught.value.kind is SERVER_INVALID
    assert "canary" not in caught.value.text


def test_secrets_do_not_stand_in_the_repr_of_a_server() -> None:
    spec = ServerSpec(**HTTP, headers={"X": "canary"}, env={"Y": "canary"})
    assert "canary" not in repr(spec)


def test_a_tool_is_read_verbatim() -> None:
    raw = b'{ "name":"a", "inputSchema": {"type":"object","x":1.50}, "y":[1e3] }'
    seen = read_tool(raw)
    assert seen is not None
    assert (seen.name, seen.definition, seen.input_schema) == ("a", raw, b'{"type":"object","x":1.50}')
    assert seen.skipped is None
    assert len(seen.definition_hash) == 64


def test_the_hash_is_of_the_meaning_and_not_of_the_spelling() -> None:
    one = read_tool(b'{"name":"a","inputSchema":{"b":1,"a":2}}')
    same = read_tool(b'{ "inputSchema":{"a":2, "b":1},\n"name":"\\u0061"}')
    other = read_tool(b'{"name":"a","inputSchema":{"b":1,"a":3}}')
    assert one is not None
    assert same is not None
    assert other is not None
    assert one.definition_hash == same.definition_hash != other.definition_hash


@pytest.mark.parametrize("raw", [b"{}", b"[]", b'{"name":1}', b"nonsense", b'{"name":"x"' + b" " * (512 * 1024) + b"}"])
def test_what_is_no_tool_is_none(raw: bytes) -> None:
    assert read_tool(raw) is None


@pytest.mark.parametrize("schema", ["", ',"inputSchema":null', ',"inputSchema":true', ',"inputSchema":[]'])
def test_a_tool_without_a_schema_is_not_for_agents(schema: str) -> None:
    seen = read_tool(b'{"name":"a"' + schema.encode() + b"}")
    assert seen is not None
    assert seen.skipped is not None


def test_renaming_changes_the_name_and_nothing_else() -> None:
    raw = b'{"name":"a","n":1.50,"big":12345678901234567890123,"inputSchema":{ "x" : 1e2 }}'
    again = renamed(raw, "web.a")
    assert json.loads(again)["name"] == "web.a"
    assert b'"n":1.50' in again
    assert b"12345678901234567890123" in again
    assert b'{ "x" : 1e2 }' in again
    assert description_of(b'{"description":"Does."}') == "Does."
    assert description_of(b'{"description":7}') == ""


NAMES = st.from_regex(r"[A-Za-z0-9_.-]{1,10}", fullmatch=True)
SERVERS = st.sampled_from(["a", "b", "c-1"])


@given(st.lists(st.tuples(SERVERS, NAMES | st.text(max_size=5)), max_size=30))
def test_a_name_belongs_to_one_tool_for_ever(pairs: list[tuple[str, str]]) -> None:
    """Ours: agents, roles and records must never mean another tool by the same name."""
    taken: dict[str, tuple[str, str]] = {}
    first: dict[tuple[str, str], str | None] = {}
    for server, tool in pairs:
        name = exposed_name(server, tool, taken)
        if name is not None:
            assert taken.setdefault(name, (server, tool)) == (server, tool)
            assert name in (tool, f"{server}.{tool}")
        assert first.setdefault((server, tool), name) == name


def test_the_first_server_keeps_the_plain_name() -> None:
    taken = {"search": ("web", "search")}
    assert exposed_name("web", "search", taken) == "search"
    assert exposed_name("git", "search", taken) == "git.search"
    assert exposed_name("git", "search", taken | {"git.search": ("other", "git.search")}) is None
    assert exposed_name("git", "with space", {}) is None
    assert exposed_name("git", "x" * 64, {}) == "x" * 64
    assert exposed_name("git", "x" * 64, {"x" * 64: ("web", "x" * 64)}) is None


def test_msgspec_keeps_raw_members_verbatim() -> None:
    """What renaming rests on."""
    members = msgspec.json.decode(b'{"a": 1.0 }', type=dict[str, msgspec.Raw])
    assert bytes(members["a"]) == b"1.0"
