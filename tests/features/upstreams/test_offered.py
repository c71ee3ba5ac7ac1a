"""What a server lists, read and judged."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_platform.features.upstreams.offered import TWICE, header_problem, judge_items, read_tool, token_cost


def schema(properties: dict[str, object], **more: object) -> bytes:
    return json.dumps({"type": "object", "properties": properties, **more}).encode()


def headed(name: object, kind: object = "string") -> dict[str, object]:
    return {"type": kind, "x-mcp-header": name}


@pytest.mark.parametrize(
    "sound",
    [
        schema({}),
        schema({"region": headed("Region"), "n": headed("N", "integer"), "b": headed("B", "boolean")}),
        schema({"outer": {"type": "object", "properties": {"inner": headed("Inner")}}}),
        schema({"x-mcp-header": {"type": "string"}}),
        schema({"a": {"type": "object", "default": {"x-mcp-header": 7}}}),
        schema({"a": {"enum": [{"x-mcp-header": "no annotation"}]}}),
    ],
    ids=["none", "three", "nested", "a property of that name", "in a default", "in an enum"],
)
def test_a_sound_header_annotation_stays(sound: bytes) -> None:
    """2026-07-28, streamable HTTP: token characters, on a string, integer or boolean, reached through properties."""
    assert header_problem(sound) is None
    seen = read_tool(b'{"name":"t","inputSchema":%b}' % sound)
    assert seen is not None
    assert seen.skipped is None
    assert seen.input_schema == sound


@pytest.mark.parametrize(
    "broken",
    [
        schema({"a": headed("")}),
        schema({"a": headed("My Region")}),
        schema({"a": headed("Region:Primary")}),
        schema({"a": headed("Région")}),
        schema({"a": headed("Region\t1")}),
        schema({"a": headed(7)}),
        schema({"a": headed("Region"), "b": headed("REGION")}),
        schema({"a": headed("A", "number")}),
        schema({"a": headed("A", "object")}),
        schema({"a": headed("A", "array")}),
        schema({"a": headed("A", "null")}),
        schema({"a": headed("A", ["string", "null"])}),
        schema({"a": {"type": "array", "items": headed("A")}}),
        schema({"a": {"anyOf": [headed("A")]}}),
        schema({}, **{"$defs": {"a": headed("A")}}),
        schema({}, additionalProperties=headed("A")),
        schema({}, **{"x-mcp-header": "A"}),
        rb'{"type":"object","properties":{"a":{"type":"number","x\u002dmcp-header":"A"}}}',
    ],
)
def test_a_tool_with_a_broken_header_annotation_is_dropped_with_the_reason(broken: bytes) -> None:
    problem = header_problem(broken)
    assert problem is not None
    assert "Regi" not in problem
    seen = read_tool(b'{"name":"t","inputSchema":%b}' % broken)
    assert seen is not None
    assert seen.skipped == problem


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["properties", "items", "x-mcp-header", "type", "a", "$defs", "default"]), inner, max_size=4
        )
    ),
    max_leaves=20,
)


@given(VALUES)
def test_no_schema_breaks_the_judge(value: object) -> None:
    problem = header_problem(json.dumps(value).encode())
    assert problem is None or "x-mcp-header" in problem


def test_a_schema_that_is_too_deep_is_dropped() -> None:
    deep = b'{"properties":{"a":' * 2000 + b'{"x-mcp-header":"A"}' + b"}}" * 2000
    assert header_problem(deep) is not None


def test_what_is_listed_twice_is_for_nobody() -> None:
    items, nameless = judge_items((b'{"name":"a"}', b'{"name":"b"}', b'{"name":"a","x":1}', b'{"title":"c"}'), "name")
    assert {item.key: item.skipped for item in items} == {"a": TWICE, "b": None}
    assert nameless == 1


@pytest.mark.parametrize("uri", ["", "a b", "a\nb", "a\x00", "x" * 2049, "\x7f"])
def test_a_uri_that_breaks_a_line_is_not_shown(uri: str) -> None:
    (item,), _ = judge_items((json.dumps({"uri": uri, "name": "n"}).encode(),), "uri")
    assert item.skipped is not None


def test_the_cost_is_about_a_token_for_four_characters() -> None:
    assert [token_cost(b"x" * size) for size in (0, 1, 4, 5, 400)] == [0, 1, 1, 2, 100]
