"""Names, words and which tools are chosen unasked: decided, without a database."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_platform.base.errors import Fault
from mcp_platform.features.upstreams.check import is_exposable
from mcp_platform.features.virtualservers.check import (
    RESERVED,
    RESERVED_ITEMS,
    check_words,
    is_chosen_unasked,
    is_virtual_name,
    may_use,
    name_of_item,
    worded,
)
from mcp_platform.features.virtualservers.errors import ITEM_NAME_TAKEN

names = st.text("abAB._-é ", min_size=1, max_size=70)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("name", ["research", "a", "0", "a-b_c", "x" * 32])
def test_a_name_of_the_form_is_one(name: str) -> None:
    assert is_virtual_name(name)


@pytest.mark.parametrize("name", ["", "A", "-a", "_a", "a/b", "a.b", "a b", "x" * 33, "a\n", "ä", *sorted(RESERVED)])
def test_anything_else_and_what_is_reserved_is_none(name: str) -> None:
    assert not is_virtual_name(name)


@pytest.mark.parametrize(
    ("annotations", "chosen"),
    [
        ({"readOnlyHint": True}, True),
        ({"readOnlyHint": True, "destructiveHint": False}, True),
        ({"readOnlyHint": True, "destructiveHint": True}, False),
        ({"readOnlyHint": False}, False),
        ({"readOnlyHint": 1}, False),
        ({"readOnlyHint": "true"}, False),
        ({"destructiveHint": False}, False),
        ({}, False),
        (None, False),
        ([], False),
        ("readOnlyHint", False),
    ],
)
def test_only_a_tool_that_says_it_reads_is_chosen_unasked(annotations: object, *, chosen: bool) -> None:
    """2025-11-25, ToolAnnotations: not read-only, and destructive, unless it says otherwise."""
    assert is_chosen_unasked(json.dumps({"name": "x", "annotations": annotations}).encode()) is chosen
    assert not is_chosen_unasked(b'{"name":"x"}')


@given(json_values, st.binary(max_size=30))
def test_no_definition_whatever_is_chosen_by_accident(value: object, raw: bytes) -> None:
    definition = json.dumps({"name": "x", "annotations": value}).encode()
    wanted = isinstance(value, dict) and value.get("readOnlyHint") is True and value.get("destructiveHint") is not True
    assert is_chosen_unasked(definition) is wanted
    assert is_chosen_unasked(raw) is False


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), names, st.none() | names), max_size=12))
def test_names_are_unique_exposable_and_never_reserved(items: list[tuple[str, str, str | None]]) -> None:
    taken: set[str] = set()
    for server, own, wanted in items:
        try:
            name = name_of_item(server, own, own, wanted, taken)
        except Fault:
            continue
        assert name not in taken
        assert name not in RESERVED_ITEMS
        assert is_exposable(name)
        assert wanted is None or name == wanted
        taken.add(name)


@pytest.mark.parametrize("reserved", sorted(RESERVED_ITEMS))
def test_no_tool_takes_the_name_of_the_search(reserved: str) -> None:
    assert name_of_item("git", reserved, reserved, None, ()) == f"git.{reserved}"
    with pytest.raises(Fault) as refused:
        name_of_item("git", "log", "log", reserved, ())
    assert refused.value.kind is ITEM_NAME_TAKEN


def test_a_name_that_is_taken_gets_its_server_in_front_or_is_refused() -> None:
    assert name_of_item("b", "echo", "echo", None, {"echo"}) == "b.echo"
    for taken, wanted in (({"echo", "b.echo"}, None), ({"say"}, "say")):
        with pytest.raises(Fault) as refused:
            name_of_item("b", "echo", "echo", wanted, taken)
        assert refused.value.kind is ITEM_NAME_TAKEN


@given(st.sets(st.text(max_size=3)), st.sets(st.text(max_size=3)))
def test_who_holds_one_of_the_roles_may_come_in(needed: set[str], held: set[str]) -> None:
    assert may_use(needed, held) is (not needed or bool(needed & held))


def test_words_have_a_length_and_no_control_characters() -> None:
    check_words("Title", "Two\nlines", "…")
    for words in (("x" * 201, "", ""), ("", "x" * 4097, ""), ("", "", "x" * 16_385), ("\x1b[31m", "", "")):
        with pytest.raises(Fault):
            check_words(*words)


def test_other_words_leave_everything_else_verbatim() -> None:
    definition = b'{"name":"a","x":1.50,"description":"theirs","inputSchema":{"$defs":{"n":1e2}}}'
    assert worded(definition, None, None) is definition
    assert worded(definition, "b", None) == definition.replace(b'"a"', b'"b"')
    assert worded(definition, None, "ours") == definition.replace(b"theirs", b"ours")
    assert worded(b'{"name":"a"}', None, "ours") == b'{"name":"a","description":"ours"}'
