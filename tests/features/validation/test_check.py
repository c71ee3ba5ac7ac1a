"""Arguments against a tool's schema."""

import gc
import json
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_platform.base.errors import Fault
from mcp_platform.features.validation.check import MAX_SCHEMA_BYTES, ArgumentSchema, Problem
from mcp_platform.features.validation.cost import count, measure
from mcp_platform.features.validation.errors import TOOL_SCHEMA_INVALID
from mcp_platform.features.validation.graph import Graph

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 20, "pattern": "^[a-z]+$"},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
        "kind": {"enum": ["human", "robot"]},
        "tags": {"type": "array", "items": {"type": "string", "maxLength": 3}, "uniqueItems": True},
        "a/b~c": {"type": "boolean"},
        "home": {"$ref": "#/$defs/place"},
    },
    "required": ["name"],
    "additionalProperties": False,
    "$defs": {"place": {"type": "object", "properties": {"city": {"const": "here"}}, "required": ["city"]}},
}


def schema(value: Any) -> ArgumentSchema:
    return ArgumentSchema(json.dumps(value).encode())


def failures(value: Any, arguments: Any) -> list[tuple[str, str, str | None]]:
    problem = schema(value).check(arguments)
    assert problem is not None
    return [(failure.pointer, failure.keyword, failure.expected) for failure in problem.failures]


def test_arguments_that_fit_pass() -> None:
    given = {"name": "ada", "age": 36, "tags": ["a", "b"], "a/b~c": True, "home": {"city": "here"}}
    assert schema(PERSON).check(given) is None


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, ("", "required", '"name"')),
        ({"name": 5}, ("/name", "type", '"string"')),
        ({"name": ""}, ("/name", "minLength", "1")),
        ({"name": "Ada"}, ("/name", "pattern", '"^[a-z]+$"')),
        ({"name": "a", "age": 3.5}, ("/age", "type", '"integer"')),
        ({"name": "a", "age": 200}, ("/age", "maximum", "150")),
        ({"name": "a", "kind": "cat"}, ("/kind", "enum", '["human","robot"]')),
        ({"name": "a", "tags": ["ok", "long"]}, ("/tags/1", "maxLength", "3")),
        ({"name": "a", "tags": ["x", "x"]}, ("/tags", "uniqueItems", "true")),
        ({"name": "a", "a/b~c": 1}, ("/a~1b~0c", "type", '"boolean"')),
        ({"name": "a", "home": {"city": "there"}}, ("/home/city", "const", '"here"')),
        ({"name": "a", "home": {}}, ("/home", "required", '"city"')),
        ({"name": "a", "other": 1}, ("", "additionalProperties", None)),
        (["name"], ("", "type", '"object"')),
    ],
)
def test_a_mistake_is_told_by_place_keyword_and_expectation(arguments: Any, expected: tuple[str, str, str]) -> None:
    assert expected in failures(PERSON, arguments)


def test_at_most_five_mistakes_are_told() -> None:
    many = {"type": "object", "properties": {f"p{i}": {"type": "string"} for i in range(20)}}
    assert len(failures(many, {f"p{i}": i for i in range(20)})) == 5


def test_a_name_that_the_schema_does_not_have_is_hidden() -> None:
    """Ours: a client that mixes up names and values must not find its secret in a log."""
    open_map = {"type": "object", "additionalProperties": {"type": "integer"}}
    assert failures(open_map, {"hunter2": "x"}) == [("/…", "type", '"integer"')]


SECRET = "s3cr3t-"
VALUES = st.recursive(
    st.sampled_from([SECRET + "value", 31337, 31337.5, True, None]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([SECRET + "key", *PERSON["properties"]]), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(VALUES)
def test_no_value_and_no_unknown_name_is_ever_told(arguments: Any) -> None:
    """OWASP MCP01: what was sent stays out of messages."""
    problem = schema(PERSON).check(arguments)
    told = repr(problem) + json.dumps(problem.as_data() if problem else {})
    assert SECRET not in told
    assert "31337" not in told


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"nonsense",
        b"[]",
        b"true",
        b'{"type":"objekt"}',
        b'{"pattern":"("}',
        b'{"pattern":"(?=look)ahead"}',
        b'{"pattern":"(a)\\\\1"}',
        b'{"$schema":"https://example.com/own"}',
        b'{"properties":{"a":{"$ref":"https://127.0.0.1:9/x.json"}}}',
        b'{"properties":{"a":{"$ref":"file:///etc/passwd"}}}',
        b'{"properties":{"a":{"$ref":"#/$defs/missing"}}}',
        b'{"properties":{"a":{"$ref":"#name"}}}',
        b'{"properties":{"a":{"$id":"urn:x","$ref":"#"}}}',
        b'{"$dynamicRef":"#x"}',
        b'{"$ref":"#"}',
        b'{"allOf":[{"anyOf":[{"$ref":"#"}]}]}',
        b'{"a":' * 2000 + b"1" + b"}" * 2000,
        b'{"description":"' + b"x" * MAX_SCHEMA_BYTES + b'"}',
    ],
)
def test_a_schema_that_cannot_be_enforced_accepts_nothing(text: bytes) -> None:
    with pytest.raises(Fault) as caught:
        ArgumentSchema(text)
    assert caught.value.kind is TOOL_SCHEMA_INVALID


def test_the_draft_is_the_one_that_the_schema_names() -> None:
    """JSON Schema: `items` as an array is a tuple up to 2019-09; in 2020-12 that is `prefixItems`."""
    draft7 = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "properties": {"a": {"items": [{"type": "string"}]}},
    }
    assert schema(draft7).check({"a": [1]}) is not None
    today = {"properties": {"a": {"prefixItems": [{"type": "string"}]}}}
    assert schema(today).check({"a": [1]}) is not None


def test_a_tree_may_refer_to_itself() -> None:
    tree = {
        "type": "object",
        "properties": {
            "left": {"anyOf": [{"$ref": "#"}, {"type": "null"}]},
            "right": {"anyOf": [{"$ref": "#"}, {"type": "null"}]},
        },
        "additionalProperties": False,
    }
    assert schema(tree).check({"left": {"right": {"left": None}}}) is None
    assert schema(tree).check({"left": {"right": {"up": None}}}) is not None


def test_any_json_may_be_described() -> None:
    """Pydantic's JsonValue: recursion through arrays and through objects does not multiply."""
    anything = {
        "$defs": {
            "json": {
                "anyOf": [
                    {"type": ["string", "number", "boolean", "null"]},
                    {"type": "array", "items": {"$ref": "#/$defs/json"}},
                    {"type": "object", "additionalProperties": {"$ref": "#/$defs/json"}},
                ]
            }
        },
        "properties": {"value": {"$ref": "#/$defs/json"}},
    }
    deep: Any = 1
    for _ in range(100):
        deep = [{"x": deep}]
    assert schema(anything).check({"value": deep}) is None


DOUBLING = {
    "$defs": {"n": {"anyOf": [{"items": {"$ref": "#/$defs/n"}}, {"items": {"$ref": "#/$defs/n"}}]}},
    "$ref": "#/$defs/n",
}
LADDER = {
    "$defs": {f"d{i}": {"allOf": [{"$ref": f"#/$defs/d{i + 1}"}, {"$ref": f"#/$defs/d{i + 1}"}]} for i in range(40)}
    | {"d40": {"type": "object"}},
    "$ref": "#/$defs/d0",
}
OVERLAP = {"properties": {"a": {"$ref": "#"}}, "patternProperties": {"^a": {"$ref": "#"}}}
UNEVALUATED = {"allOf": [{"additionalProperties": {"$ref": "#"}}], "unevaluatedProperties": {"$ref": "#"}}
WIDE = {"properties": {f"p{i}": {} for i in range(5000)}}


@pytest.mark.parametrize(
    "hostile",
    [DOUBLING, LADDER, OVERLAP, UNEVALUATED, WIDE],
    ids=["doubling", "ladder", "overlap", "unevaluated", "wide"],
)
@pytest.mark.alone
def test_a_schema_whose_cost_has_no_bound_is_refused_at_once(hostile: Any) -> None:
    """Ours: nothing that an outsider sizes holds the loop for more than 20 ms."""
    text = json.dumps(hostile).encode()

    def refuse() -> None:
        with pytest.raises(Fault):
            ArgumentSchema(text)

    assert best_ms(refuse) < 20


def best_ms(call: Any) -> float:
    """The fastest of five in this thread's own time: what the code takes, not what the machine does besides."""
    took = []
    gc.collect()
    gc.freeze()  # as workers do: the collector has not to go through what all the other tests left
    try:
        for _ in range(5):
            began = time.thread_time()
            call()
            took.append((time.thread_time() - began) * 1000)
    finally:
        gc.unfreeze()
    return min(took)


HEAVY: dict[str, tuple[Any, Any]] = {
    "many numbers": ({}, {"a": [1] * 200_000}),
    "as many numbers as pass": ({}, {"a": [1] * 45_000}),
    "many objects": ({}, {"a": [{} for _ in range(45_000)]}),
    "one long text": ({"properties": {"a": {"minLength": 1}}}, {"a": "x" * 4_000_000}),
    "a long text beside a pattern": (
        {"properties": {"a": {}, "d": {"pattern": r"^\d{4}-\d{2}$"}}},
        {"a": "x" * 4_000_000, "d": "2026-11"},
    ),
    "a slow pattern": ({"properties": {"a": {"pattern": "[ab]*a[ab]{100}c"}}}, {"a": "ab" * 5000}),
    "a slow pattern and a long text": ({"properties": {"a": {"pattern": "[ab]*a[ab]{100}c"}}}, {"a": "ab" * 2_000_000}),
    "a classic ReDoS": ({"properties": {"a": {"pattern": "^(a+)+$"}}}, {"a": "a" * 1_000_000 + "!"}),
    "objects to choose from": (
        {"properties": {"a": {"items": {"enum": [{"k": i} for i in range(1000)]}}}},
        {"a": [{"k": 999}] * 50_000},
    ),
    "patterns for names": (
        {"properties": {"a": {"items": {"patternProperties": {f"^p{i}x": {} for i in range(150)}}}}},
        {"a": [{"z": 1}] * 50_000},
    ),
    "unique arrays": ({"properties": {"a": {"uniqueItems": True}}}, {"a": [[i] for i in range(15_000)]}),
    "needed names": (
        {"properties": {"a": {"items": {"dependentRequired": {f"r{i}": ["q"] for i in range(5000)}}}}},
        {"a": [{}] * 50_000},
    ),
    "a long constant": (
        {"properties": {"a": {"items": {"const": list(range(2000))}}}},
        {"a": [list(range(5000))] * 40},
    ),
    "long integers": ({"properties": {"a": {"items": {"multipleOf": 0.01}}}}, {"a": [10**4000] * 500}),
    "everything wrong": ({"properties": {"a": {"items": {"type": "string"}}}}, {"a": [1] * 40_000}),
    "wrong in many ways": (
        {"properties": {"a": {"items": {"anyOf": [{"type": "string"}] * 50}}}},
        {"a": [{"b": 1}] * 400},
    ),
    "names not allowed": ({"additionalProperties": False}, {f"name{i}": 1 for i in range(40_000)}),
}


@pytest.mark.parametrize("case", HEAVY)
@pytest.mark.alone
def test_no_check_holds_the_loop_for_more_than_20_ms(case: str) -> None:
    value, arguments = HEAVY[case]
    compiled = schema(value)
    assert best_ms(lambda: compiled.check(arguments)) < 20


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers().map(lambda number: number**40) | st.text(),
    lambda inside: st.lists(inside) | st.dictionaries(st.text(), inside),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), JSON), st.sampled_from([case[0] for case in HEAVY.values()]))
def test_what_need_not_be_counted_would_have_passed(arguments: Any, value: Any) -> None:
    """Short arguments are not counted: no byte of their JSON can cost more than is reckoned for one."""
    cost = measure(Graph(value))
    size = len(msgspec.json.encode(arguments))
    assert count(arguments, cost, 1 << 62)[0] <= size * cost.of_byte()


def test_how_long_arguments_are_changes_no_verdict() -> None:
    compiled = schema(PERSON)
    assert compiled.check({"name": "a"}, 12) is None
    assert compiled.check({"name": 1}, 10) == compiled.check({"name": 1})
    assert schema({}).check({"a": [1] * 200_000}, 400_006) == schema({}).check({"a": [1] * 200_000})


def test_what_cannot_be_checked_in_time_is_refused_and_said_so() -> None:
    problem = schema({}).check({"a": [1] * 200_000})
    assert isinstance(problem, Problem)
    assert problem.failures[0].keyword == "ceiling"


@pytest.mark.alone
@pytest.mark.alone
@pytest.mark.long
def test_the_largest_schema_that_is_taken_compiles_in_time() -> None:
    large = {"properties": {f"p{i}": {"type": "string", "description": "x" * 60} for i in range(1900)}}
    text = json.dumps(large).encode()
    assert best_ms(lambda: ArgumentSchema(text)) < 20
