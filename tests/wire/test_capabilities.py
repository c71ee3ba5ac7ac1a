"""What a client must have declared before it is asked."""

from typing import Any

import pytest

from mcp_platform.wire.capabilities import declares, required


@pytest.mark.parametrize(
    ("method", "params", "needed"),
    [
        ("roots/list", b"{}", {"roots": {}}),
        ("sampling/createMessage", b'{"messages":[]}', {"sampling": {}}),
        ("sampling/createMessage", b'{"tools":[]}', {"sampling": {"tools": {}}}),
        ("elicitation/create", b'{"message":"?"}', {"elicitation": {}}),
        ("elicitation/create", b'{"mode":"form"}', {"elicitation": {}}),
        ("elicitation/create", b'{"mode":"url"}', {"elicitation": {"url": {}}}),
        ("elicitation/create", b'{"mode":"telepathy"}', {"elicitation": {"unknown": {}}}),
        ("tools/call", b"{}", None),
    ],
)
def test_a_question_needs_its_capability(method: str, params: bytes, needed: dict[str, Any] | None) -> None:
    assert required(method, params) == needed


@pytest.mark.parametrize(
    ("declared", "needed", "enough"),
    [
        ({"elicitation": {}}, {"elicitation": {}}, True),
        ({"elicitation": {"form": {}}}, {"elicitation": {}}, True),
        ({"elicitation": {"url": {}}}, {"elicitation": {}}, False),
        ({"elicitation": {}}, {"elicitation": {"url": {}}}, False),
        ({"elicitation": {"form": {}, "url": {}}}, {"elicitation": {"url": {}}}, True),
        ({"sampling": {}}, {"sampling": {"tools": {}}}, False),
        ({"sampling": {"tools": {}}}, {"sampling": {}}, True),
        ({"sampling": "yes"}, {"sampling": {}}, False),
        ({}, {"roots": {}}, False),
    ],
)
def test_only_what_was_declared_is_enough(declared: dict[str, Any], needed: dict[str, Any], enough: bool) -> None:
    assert declares(declared, needed) is enough
