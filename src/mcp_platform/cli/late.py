"""Modules that a command needs only when it really runs: imported by name, so that `--help` costs nothing."""

from importlib import import_module
from types import ModuleType
from typing import Any


class Late:
    """A module of ours that is imported when one of its names is first asked for."""

    def __init__(self, name: str) -> None:
        self._name = f"mcp_platform.{name}"

    def module(self) -> ModuleType:
        return import_module(self._name)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # whatever the module holds under that name
        return getattr(self.module(), name)
