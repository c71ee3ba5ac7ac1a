"""Every action, whatever it is: what must be said of it before it may be asked for."""

import re

import msgspec
import pytest

from mcp_platform.control.registry import ACTIONS
from mcp_platform.store.action import Action
from mcp_platform.store.permission import Permission
from mcp_platform.store.tag import Tag

every_action = pytest.mark.parametrize("action", ACTIONS.values(), ids=list(ACTIONS))


def faults(action: Action) -> list[str]:
    """What is missing from the declaration of `action`."""
    fields = [each.name for each in msgspec.structs.fields(action.params)]
    said = [*action.records, *action.withholds]
    checks = {
        "its name is not thing.verb": re.fullmatch(r"[a-z]+(\.[a-z]+)?", action.name) is not None,
        "it has no permission": isinstance(action.permission, Permission),
        "it has no audit tag": isinstance(action.audit, Tag),
        "its parameters take unknown fields": action.params.__struct_config__.forbid_unknown_fields,
        "its parameters can change": action.params.__struct_config__.frozen,
        "a parameter is neither recorded nor withheld": sorted(said) == sorted(fields),
        "its summary is not one sentence": re.fullmatch(r"[A-Z][^.]{20,140}(\.[^. ][^.]*)*\.", action.summary)
        is not None,
        "its parameters are not documented": bool(action.params.__doc__),
    }
    return [fault for fault, well in checks.items() if not well]


@every_action
def test_an_action_says_who_may_what_is_recorded_and_what_it_does(action: Action) -> None:
    assert faults(action) == []


def test_what_is_missing_is_noticed() -> None:
    """A check that cannot fail is no check."""

    class Loose(msgspec.Struct):
        secret: str

    bad = Action(name="Bad", permission="no", audit="no", params=Loose, run=print, summary="")
    assert len(faults(bad)) == 8 - bool(Loose.__doc__)


def test_no_two_actions_that_change_something_share_an_audit_tag() -> None:
    tags = [action.audit for action in ACTIONS.values()]
    assert len(tags) == len(set(tags))


@pytest.mark.parametrize("enum", [Permission, Tag])
def test_permissions_and_tags_are_named_alike_and_in_order(enum: type[Permission] | type[Tag]) -> None:
    members = list(enum)
    assert [member.name for member in members] == sorted(member.name for member in members)
    for member in members:
        assert re.fullmatch(r"[a-z]+:[a-z]+:[a-z]+", member.value)
        assert member.name == member.value.upper().replace(":", "_")


def test_every_permission_is_needed_by_an_action() -> None:
    assert {action.permission for action in ACTIONS.values()} == set(Permission)
