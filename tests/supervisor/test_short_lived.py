"""Questions that are answered in a child leave nothing with the asker but the answer."""

import os
import sys
from pathlib import Path

import pytest

from mcp_platform.base.config import Settings
from mcp_platform.base.errors import CONFLICT, INTERNAL, Fault
from mcp_platform.base.folder import DataFolder
from mcp_platform.supervisor.errors import NOT_INITIALISED
from mcp_platform.supervisor.short_lived import apart, ask


def test_the_answer_comes_from_another_process() -> None:
    assert int(apart(lambda: str(os.getpid()).encode())) != os.getpid()


def test_a_module_that_is_asked_by_name_is_not_imported_here(tmp_path: Path) -> None:
    with pytest.raises(Fault) as refused:
        ask("mcp_platform.supervisor.schema:read", DataFolder(tmp_path), Settings())
    assert refused.value.kind is NOT_INITIALISED
    assert "mcp_platform.supervisor.schema" not in sys.modules


def test_a_fault_crosses_with_its_text_and_fields() -> None:
    def refuse() -> bytes:
        raise Fault(CONFLICT, "Taken.", {"name": "a"})

    with pytest.raises(Fault) as refused:
        apart(refuse)
    assert (refused.value.kind, refused.value.text, refused.value.data["name"]) == (CONFLICT, "Taken.", "a")


@pytest.mark.parametrize("broken", [lambda: 1 // 0, lambda: os._exit(7), lambda: b"x" * 100_000])
def test_what_breaks_in_the_child_is_an_internal_error_here(broken: object) -> None:
    with pytest.raises(Fault) as refused:
        apart(broken)  # type: ignore[arg-type]  # that it is no question is the point
    assert refused.value.kind is INTERNAL
