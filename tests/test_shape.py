"""Every file keeps to the shape that the project promises: short files and functions, honest names, said reasons."""

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
BANNED = {"utils", "util", "helpers", "helper", "common", "manager", "service", "services", "misc"}
"""Names that say nothing about what a file is for."""
SUPPRESSION = re.compile(r"#\s*(type:\s*ignore|noqa|pragma:\s*no\s*cover|nosec|mypy:)")
WITH_REASON = re.compile(
    r"#\s*(type:\s*ignore\[[\w, -]+\]|noqa:\s*[A-Z]+\d+(,\s*[A-Z]+\d+)*|pragma:\s*no\s*cover)\W+\w+\W+\w+"
)
"""A suppression names what it suppresses, and then says in words why."""


def files() -> list[Path]:
    found = [path for folder in ("src", "tests", "development", "docs") for path in (ROOT / folder).rglob("*.py")]
    return sorted(path for path in found if "__pycache__" not in path.parts)


def complaints(name: str, text: str) -> list[str]:
    """What is wrong with the shape of one file."""
    tree = ast.parse(text)
    return [
        *too_long(text, tree),
        *banned_names(name),
        *([] if ast.get_docstring(tree) or not text.strip() else ["line 1: the module has no docstring"]),
        *suppressions_without_reason(text),
    ]


def too_long(text: str, tree: ast.Module) -> list[str]:
    found = []
    lines = text.count("\n")
    if lines > MAX_FILE_LINES:
        found.append(f"{lines} lines; a file has at most {MAX_FILE_LINES}")
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > MAX_FUNCTION_LINES:
                found.append(f"line {node.lineno}: {node.name} has {length} lines of {MAX_FUNCTION_LINES}")
    return found


def banned_names(name: str) -> list[str]:
    return [f"{part} says nothing about what is inside" for part in Path(name).with_suffix("").parts if part in BANNED]


def suppressions_without_reason(text: str) -> list[str]:
    found = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT and SUPPRESSION.search(token.string) and not WITH_REASON.search(token.string):
            found.append(f"line {token.start[0]}: a suppression names its rule and says why")
    return found


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_keeps_its_shape(path: Path) -> None:
    assert complaints(str(path.relative_to(ROOT)), path.read_text()) == []


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("src/a.py", '"""It."""\n' + "x = 1\n" * 400, "a file has at most"),
        ("src/a.py", '"""It."""\ndef f():\n' + "    x = 1\n" * 60, "f has 61 lines"),
        ("src/a.py", '"""It."""\nclass C:\n    async def f(self):\n' + "        x = 1\n" * 60, "f has 61 lines"),
        ("src/utils.py", '"""It."""\n', "utils says nothing"),
        ("src/common/a.py", '"""It."""\n', "common says nothing"),
        ("src/a.py", "x = 1\n", "no docstring"),
        ("src/a.py", '"""It."""\nx = 1  # noqa: S101\n', "says why"),
        ("src/a.py", '"""It."""\nx = 1  # noqa because it is so\n', "says why"),
        ("src/a.py", '"""It."""\nx = 1  # type: ignore[misc]\n', "says why"),
    ],
)
def test_a_planted_fault_is_seen(name: str, text: str, expected: str) -> None:
    (complaint,) = complaints(name, text)
    assert expected in complaint


def test_what_is_allowed_is_allowed() -> None:
    reasons = "x = f()  # noqa: S603, S607 - the operator gave this argv\ny = 1  # type: ignore[misc]  # no stubs yet\n"
    long_enough = "def f():\n" + "    x = 1\n" * 59
    assert complaints("src/a.py", f'"""It."""\n{reasons}{long_enough}') == []
    assert complaints("src/b/__init__.py", "") == []
