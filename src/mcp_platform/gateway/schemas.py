"""Compiled argument schemas, kept by the hash of the definition they come from: it says everything about them."""

from collections import OrderedDict

import msgspec

from mcp_platform.base.errors import Fault
from mcp_platform.features.upstreams.model import ToolRow
from mcp_platform.features.validation.check import ArgumentSchema
from mcp_platform.features.validation.errors import TOOL_SCHEMA_INVALID
from mcp_platform.wire import param_headers
from mcp_platform.wire.param_headers import ParamHeader, Unmirrorable

MAX_COMPILED = 2048
"""Schemas of one worker: about 20 KiB each, so at most 40 MiB."""


class Schema(msgspec.Struct, frozen=True):
    """What is asked of the arguments of one tool."""

    arguments: ArgumentSchema
    mirrored: tuple[ParamHeader, ...]
    """Arguments that stand in headers, too."""


class Schemas:
    """The most recently used schemas."""

    def __init__(self) -> None:
        self._compiled: OrderedDict[str, Schema] = OrderedDict()

    def of(self, tool: ToolRow) -> Schema:
        """The schema of `tool`. Raises Fault(tool_schema_invalid)."""
        schema = self._compiled.get(tool.definition_hash)
        if schema is None:
            schema = self._compiled[tool.definition_hash] = _compile(tool)
            if len(self._compiled) > MAX_COMPILED:
                self._compiled.popitem(last=False)
        else:
            self._compiled.move_to_end(tool.definition_hash)
        return schema


def _compile(tool: ToolRow) -> Schema:
    arguments = ArgumentSchema(tool.input_schema)
    if param_headers.ANNOTATION.encode() not in tool.input_schema:
        return Schema(arguments, ())
    try:
        return Schema(arguments, param_headers.find(msgspec.json.decode(tool.input_schema)))
    except Unmirrorable as error:
        raise Fault(TOOL_SCHEMA_INVALID, f"The tool cannot be called, because {error}.") from error
