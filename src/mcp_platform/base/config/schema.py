"""The settings as a flat table by dotted name, read off the dataclasses; and the checks that their types demand.

Messages made here say what kind was expected and what kind arrived; never a value.
"""

import ast
import inspect
import re
import types
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from mcp_platform.base.config import settings as settings_module
from mcp_platform.base.config.settings import Settings
from mcp_platform.base.config.values import Rule

Kind = Literal["int", "float", "bool", "str", "list"]

_EXPECTED: Mapping[Kind, str] = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "text",
    "list": "a list of texts",
}
_KINDS: Mapping[object, Kind] = {int: "int", float: "float", bool: "bool", str: "str"}
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_DECIMAL = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?")
MAX_TEXT = 8192
"""Characters in one value. The longest legal ones are lists of origins; a file pasted by mistake is longer."""


class NotAsExpected(ValueError):
    """A value of the wrong kind or outside its range; `expected` and `arrived` are words, never the value."""

    def __init__(self, expected: str, arrived: str) -> None:
        super().__init__(expected)
        self.expected = expected
        self.arrived = arrived


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting."""

    section: str
    key: str
    kind: Kind
    rules: tuple[Rule, ...]
    default: object
    optional: bool
    """True where None has a meaning: nothing is set."""

    @property
    def name(self) -> str:
        return f"{self.section}.{self.key}"

    @property
    def environment(self) -> str:
        return f"MCP_PLATFORM_{self.section}__{self.key}".upper()

    def take(self, value: object) -> object:
        """`value`, as the file or a flag gave it with a type, in the setting's own type. Raises NotAsExpected."""
        if self.kind == "list":
            if not isinstance(value, list | tuple):
                raise NotAsExpected(_EXPECTED["list"], kind_of(value))
            return tuple(self._checked(self._one_text(item)) for item in value)
        if self.kind == "float" and type(value) is int:
            return self._checked(float(value) if abs(value) < 1 << 53 else value)
        if type(value) is not _TYPES[self.kind]:
            raise NotAsExpected(_EXPECTED[self.kind], kind_of(value))
        return self._checked(self._one_text(value) if self.kind == "str" else value)

    def parse(self, text: str) -> object:
        """The value that `text` (from the environment or a file that holds only it) stands for."""
        if len(text) > MAX_TEXT:
            raise NotAsExpected(f"{_EXPECTED[self.kind]} of at most {MAX_TEXT} characters", "a longer text")
        if self.kind == "list":
            return self.take([item.strip() for item in text.split(",")] if text.strip() else [])
        if self.kind == "str":
            return self.take(text)
        if self.kind == "bool" and text in ("true", "false"):
            return text == "true"
        if self.kind == "int" and _WHOLE.fullmatch(text):
            return self.take(int(text))
        if self.kind == "float" and _DECIMAL.fullmatch(text):
            return self.take(float(text))
        raise NotAsExpected(_EXPECTED[self.kind], "an empty text" if not text.strip() else "another text")

    def _one_text(self, value: object) -> str:
        if type(value) is not str:
            raise NotAsExpected(_EXPECTED[self.kind], f"{kind_of(value)} among them")
        if not value or value != value.strip() or not value.isprintable():
            raise NotAsExpected("text with printable characters, no space around it", "an empty or other text")
        return value

    def _checked(self, value: object) -> object:
        for rule in self.rules:
            expected = rule.expected(value)
            if expected is not None:
                raise NotAsExpected(expected, f"{kind_of(value)} outside that")
        return value


_TYPES: Mapping[Kind, type] = {"int": int, "float": float, "bool": bool, "str": str}


def kind_of(value: object) -> str:
    """The kind of `value` in words."""
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, list | tuple):
        return "a list"
    return {int: "a whole number", float: "a number with a point", str: "text", dict: "a table"}.get(
        type(value), "a date or time"
    )


@cache
def all_settings() -> dict[str, Setting]:
    """Every setting by its dotted name, in the order of the dataclasses."""
    found: dict[str, Setting] = {}
    for section in fields(Settings):
        topic = get_type_hints(Settings)[section.name]
        assert is_dataclass(topic), "a section is a dataclass"
        hints = get_type_hints(topic, include_extras=True)
        for item in fields(topic):
            kind, rules, optional = _read_type(hints[item.name])
            found[f"{section.name}.{item.name}"] = Setting(section.name, item.name, kind, rules, item.default, optional)
    return found


def sections() -> tuple[str, ...]:
    return tuple(section.name for section in fields(Settings))


def build(values: Mapping[str, object]) -> Settings:
    """Settings with `values` by dotted name, already checked; defaults elsewhere."""
    hints = get_type_hints(Settings)
    made: dict[str, Any] = {}
    for section in sections():
        own = {name.partition(".")[2]: value for name, value in values.items() if name.startswith(f"{section}.")}
        made[section] = hints[section](**own)
    return Settings(**made)


def value_of(settings: Settings, name: str) -> object:
    """The value of the setting with dotted `name`."""
    section, _, key = name.partition(".")
    value: object = getattr(getattr(settings, section), key)
    return value


def _read_type(hint: object) -> tuple[Kind, tuple[Rule, ...], bool]:
    """(kind, rules, whether None is allowed) of one annotation."""
    if get_origin(hint) is Annotated:
        inner, *rules = get_args(hint)
        kind, deeper, optional = _read_type(inner)
        return kind, (*rules, *deeper), optional
    if get_origin(hint) in (Union, types.UnionType):
        (inner,) = (part for part in get_args(hint) if part is not type(None))
        kind, rules_inside, _ = _read_type(inner)
        return kind, rules_inside, True
    if get_origin(hint) is tuple:
        item, ellipsis = get_args(hint)
        assert ellipsis is Ellipsis, "a list setting is tuple[X, ...]"
        return "list", _read_type(item)[1], False
    return _KINDS[hint], (), False


@cache
def documentation() -> dict[str, str]:
    """The docstring of each section (`gateway`) and of each setting (`gateway.port`), on one line."""
    try:
        source = inspect.getsource(settings_module)
    except OSError:
        return {}  # installed without its sources: only comments and the reference need them
    tree = ast.parse(source)
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    hints = get_type_hints(Settings)
    found: dict[str, str] = {}
    for section in sections():
        node = classes[hints[section].__name__]
        found[section] = _one_line(ast.get_docstring(node) or "")
        for item, below in zip(node.body, node.body[1:], strict=False):
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                text = (
                    below.value.value if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) else ""
                )
                found[f"{section}.{item.target.id}"] = _one_line(str(text))
    return found


def _one_line(text: str) -> str:
    return " ".join(text.split())
