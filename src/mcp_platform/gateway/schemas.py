"""Compiled argument schemas, kept by the hash of the definition they come from: it says everything about them."""

from collections import OrderedDict

from mcp_platform.features.upstreams.model import ToolRow
from mcp_platform.features.validation.check import ArgumentSchema

MAX_COMPILED = 2048
"""Schemas of one worker: about 20 KiB each, so at most 40 MiB."""


class Schemas:
    """The most recently used schemas."""

    def __init__(self) -> None:
        self._compiled: OrderedDict[str, ArgumentSchema] = OrderedDict()

    def of(self, tool: ToolRow) -> ArgumentSchema:
        """The schema of `tool`. Raises Fault(tool_schema_invalid)."""
        schema = self._compiled.get(tool.definition_hash)
        if schema is None:
            schema = self._compiled[tool.definition_hash] = ArgumentSchema(tool.input_schema)
            if len(self._compiled) > MAX_COMPILED:
                self._compiled.popitem(last=False)
        else:
            self._compiled.move_to_end(tool.definition_hash)
        return schema
