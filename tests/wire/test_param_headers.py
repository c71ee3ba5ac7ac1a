"""x-mcp-header (2026-07-28, basic/transports/streamable-http, custom headers)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_platform.base.errors import Fault
from mcp_platform.wire.errors import HEADER_MISMATCH
from mcp_platform.wire.headers import encode_value
from mcp_platform.wire.param_headers import ParamHeader, Unmirrorable, check, find, mirrored

REGION = ParamHeader("Region", ("region",), integer=False)
COUNT = ParamHeader("Count", ("page", "count"), integer=True)


def schema(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def test_annotations_are_found_through_properties_alone() -> None:
    nested = schema(count={"type": "integer", "x-mcp-header": "Count"})
    found = find(schema(region={"type": "string", "x-mcp-header": "Region"}, page=nested))
    assert set(found) == {REGION, COUNT}


@pytest.mark.parametrize(
    "bad",
    [
        schema(a={"type": "number", "x-mcp-header": "A"}),
        schema(a={"type": ["string", "null"], "x-mcp-header": "A"}),
        schema(a={"type": "object", "x-mcp-header": "A"}),
        schema(a={"x-mcp-header": "A"}),
        schema(a={"type": "string", "x-mcp-header": ""}),
        schema(a={"type": "string", "x-mcp-header": "A B"}),
        schema(a={"type": "string", "x-mcp-header": "A\r\nEvil: 1"}),
        schema(a={"type": "string", "x-mcp-header": 7}),
        schema(a={"type": "string", "x-mcp-header": "A"}, b={"type": "string", "x-mcp-header": "a"}),
        {"x-mcp-header": "A", "type": "string"},
        schema(a={"type": "array", "items": {"type": "string", "x-mcp-header": "A"}}),
        {"allOf": [schema(a={"type": "string", "x-mcp-header": "A"})]},
        {"$defs": {"a": schema(a={"type": "string", "x-mcp-header": "A"})}},
    ],
)
def test_what_the_specification_forbids_is_no_tool_for_clients(bad: dict[str, Any]) -> None:
    with pytest.raises(Unmirrorable):
        find(bad)


def test_data_that_looks_like_an_annotation_is_none() -> None:
    assert find(schema(a={"type": "object", "default": {"x-mcp-header": "A"}, "examples": [{"x-mcp-header": 1}]})) == ()


def test_lines_carry_what_is_there_and_nothing_else() -> None:
    wanted = (REGION, COUNT)
    assert mirrored(wanted, {"region": "eu", "page": {"count": 42}}) == (
        ("Mcp-Param-Region", "eu"),
        ("Mcp-Param-Count", "42"),
    )
    assert mirrored(wanted, {"region": None, "page": "none"}) == ()
    assert mirrored((REGION,), {"region": " zürich"}) == (("Mcp-Param-Region", " zürich"),)
    assert mirrored((REGION,), {"region": True}) == (("Mcp-Param-Region", "true"),)


@pytest.mark.parametrize(
    ("arguments", "headers"),
    [
        ({"region": "eu"}, {}),
        ({"region": "eu"}, {"mcp-param-region": "us"}),
        ({"region": "eu"}, {"mcp-param-region": "=?base64?!!?="}),
        ({}, {"mcp-param-region": "eu"}),
        ({"region": "42.0"}, {"mcp-param-region": "42"}),
        ({"page": {"count": 42}}, {"mcp-param-count": "43"}),
        ({"page": {"count": 42}}, {"mcp-param-count": "4e1"}),
    ],
)
def test_a_header_that_disagrees_with_its_argument_is_refused(
    arguments: dict[str, Any], headers: dict[str, str]
) -> None:
    with pytest.raises(Fault) as refused:
        check((REGION, COUNT), arguments, headers)
    assert refused.value.kind is HEADER_MISMATCH


@pytest.mark.parametrize(
    ("arguments", "headers"),
    [
        ({}, {}),
        ({"region": None}, {}),
        ({"region": "eu"}, {"mcp-param-region": "eu", "mcp-param-unknown": "x"}),
        ({"region": "eu"}, {"mcp-param-region": "=?base64?ZXU=?="}),
        ({"page": {"count": 42}}, {"mcp-param-count": "42.0"}),
        ({"page": {"count": 42.0}}, {"mcp-param-count": "42"}),
    ],
)
def test_a_header_that_agrees_passes(arguments: dict[str, Any], headers: dict[str, str]) -> None:
    check((REGION, COUNT), arguments, headers)


@given(st.text() | st.integers() | st.booleans())
def test_what_we_send_is_what_we_would_take(value: object) -> None:
    """Both sides agree, whatever the value."""
    for wanted in ((REGION,), (ParamHeader("Region", ("region",), integer=True),)):
        lines = {name.lower(): encode_value(text) for name, text in mirrored(wanted, {"region": value})}
        check(wanted, {"region": value}, lines)


@given(
    st.recursive(
        st.none() | st.booleans() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["properties", "items", "allOf", "x-mcp-header", "type", "$defs", "a"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=30,
    )
)
def test_no_schema_does_more_than_refuse(value: object) -> None:
    try:
        find(value)
    except Unmirrorable:
        pass
