"""The errors of all modules together: each has one code, and each of our own JSON-RPC numbers means one thing."""

import importlib
import pkgutil
from collections import defaultdict

import pytest

import mcp_platform
from mcp_platform.base.errors import ErrorKind, catalogue, define

OWN = range(-31999, -30999)
NOT_IMPORTED = ("mcp_platform.store.migrations",)
"""Alembic runs these; importing them would migrate something."""


@pytest.fixture(scope="module")
def kinds() -> list[ErrorKind]:
    """Every kind there is. No process of the platform imports all modules, so only here do two of one code meet."""
    for found in pkgutil.walk_packages(mcp_platform.__path__, "mcp_platform."):
        if not found.name.startswith(NOT_IMPORTED) and not found.name.endswith("__main__"):
            importlib.import_module(found.name)
    return list(catalogue().values())


def test_all_modules_import_together_so_no_code_is_defined_twice(kinds: list[ErrorKind]) -> None:
    assert len(kinds) > 100


def test_a_code_that_is_defined_twice_is_noticed(kinds: list[ErrorKind]) -> None:
    """A check that cannot fail is not a check."""
    with pytest.raises(AssertionError, match="defined twice"):
        define(kinds[0].code, http=500, jsonrpc=-32603, text="Again.", whose="platform")


def test_no_two_kinds_share_a_json_rpc_number_of_our_own(kinds: list[ErrorKind]) -> None:
    """A client that knows only the number must know which refusal it met."""
    by_number = defaultdict(list)
    for kind in kinds:
        if kind.jsonrpc in OWN:
            by_number[kind.jsonrpc].append(kind.code)
    assert {number: codes for number, codes in by_number.items() if len(codes) > 1} == {}


def test_every_number_is_our_own_or_one_that_json_rpc_or_mcp_gives(kinds: list[ErrorKind]) -> None:
    """MCP 2026-07-28 reserves -32768 to -32000: what stands there must be a number that a specification defined."""
    defined = {-32700, -32600, -32601, -32602, -32603, -32002, -32020, -32021, -32022}
    assert {kind.code: kind.jsonrpc for kind in kinds if kind.jsonrpc not in OWN and kind.jsonrpc not in defined} == {}
