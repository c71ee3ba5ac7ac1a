"""The first configuration file: the few settings that `init` was told, with comments for the reader."""

import json
import textwrap
from collections.abc import Mapping
from pathlib import Path

from mcp_platform.base.config.schema import all_settings, documentation, sections
from mcp_platform.base.folder import write_private

_HEAD = """\
# MCP Platform's settings. Order: flag > environment > secret files > this file > default.
# Every setting, with its default: docs/reference/settings.md, or `mcp-platform config show --origin`.
# After a change: `mcp-platform config check`, then send SIGHUP to `mcp-platform serve` or start it again.
"""


def write_file(path: Path, changes: Mapping[str, object]) -> None:
    """Write `changes` (dotted name → value; None is left out) to `path`, mode 0600. Raises KeyError for a name that
    is not a setting and NotAsExpected for a value that it may not have."""
    write_private(path, render(changes).encode())


def render(changes: Mapping[str, object]) -> str:
    """The text of the file."""
    known = all_settings()
    checked = {name: known[name].take(value) for name, value in changes.items() if value is not None}
    lines = [_HEAD]
    for section in sections():
        own = {name: value for name, value in checked.items() if name.startswith(f"{section}.")}
        if not own:
            continue
        lines.append(f"[{section}]")
        for name, value in own.items():
            lines += textwrap.wrap(documentation().get(name, ""), 110, initial_indent="# ", subsequent_indent="# ")
            lines.append(f"{known[name].key} = {_toml(value)}")
        lines.append("")
    return "\n".join(lines)


def _toml(value: object) -> str:
    """A TOML literal. JSON's texts, numbers and booleans are TOML's too (all our texts are printable)."""
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)
