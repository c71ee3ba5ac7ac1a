"""The architecture's contracts hold, and each of them is seen to break when a violation is planted."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "mcp_platform"
DATA_PLANE = ("gateway", "journal", "snapshot", "upstream_host", "net")
PURE = {"model", "check", "errors"}
"""What the data plane may import of a feature."""

PLANTS = [
    ("layers", "base/planted.py", "import mcp_platform.wire"),
    ("layers", "wire/planted.py", "import mcp_platform.net"),
    ("layers", "net/planted.py", "import mcp_platform.store"),
    ("layers", "gateway/planted.py", "import mcp_platform.control"),
    ("layers", "gateway/planted.py", "import mcp_platform.upstream_host"),
    ("layers", "control/planted.py", "import mcp_platform.gateway"),
    ("layers", "snapshot/planted.py", "import mcp_platform.gateway"),
    ("layers", "journal/planted.py", "import mcp_platform.snapshot"),
    ("layers", "snapshot/planted.py", "import mcp_platform.journal"),
    ("layers", "features/identity/planted.py", "import mcp_platform.snapshot"),
    ("layers", "supervisor/planted.py", "def late() -> None:\n    import mcp_platform.cli"),
    ("layers", "planted/__init__.py", ""),
    ("tiers", "features/identity/planted.py", "import mcp_platform.features.apikeys"),
    ("tiers", "features/cors/planted.py", "import mcp_platform.features.validation"),
    ("tiers", "features/planted/__init__.py", ""),
    ("rooms", "features/identity/model.py", "import mcp_platform.features.identity.tables"),
    ("no-sql-in-data-plane", "gateway/planted.py", "import sqlalchemy.orm"),
    ("no-sql-in-data-plane", "journal/planted.py", "import mcp_platform.store"),
    ("no-sql-in-data-plane", "features/rbac/check.py", "import sqlalchemy"),
    ("no-sql-in-data-plane", "upstream_host/planted.py", "import mcp_platform.features.identity.tables"),
    ("no-sql-above", "cli/planted.py", "import sqlalchemy"),
    ("no-framework", "gateway/planted.py", "import fastapi"),
    ("no-framework", "features/identity/planted.py", "import pydantic"),
    ("no-cycles", "net/planted/__init__.py", "import mcp_platform.net.planted_too"),
]


def lint(source: Path, contract: str | None = None) -> tuple[int, str]:
    """Run import-linter over a tree's `src` with the contracts of this one."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"]
    command += ["--config", str(ROOT / ".importlinter")]
    if contract:
        command += ["--contract", contract]
    done = subprocess.run(
        command,
        cwd=source.parent,
        env={**os.environ, "PYTHONPATH": str(source), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def plant(tree: Path, path: str, line: str) -> None:
    """Put `line` at the end of a file of the package, which is made where it is not there."""
    file = tree / PACKAGE / path
    file.parent.mkdir(parents=True, exist_ok=True)
    (file.parent / "__init__.py").touch()
    with file.open("a") as stream:
        stream.write(f"\n{line}\n")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of `src` that a test may spoil."""
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "src"


def test_every_contract_is_kept() -> None:
    status, said = lint(ROOT / "src")
    assert status == 0, said


def test_every_contract_has_a_planted_violation() -> None:
    contracts = set(re.findall(r"^\[importlinter:contract:(.+)\]$", (ROOT / ".importlinter").read_text(), re.M))
    assert contracts == {contract for contract, _, _ in PLANTS}


@pytest.mark.parametrize(("contract", "path", "line"), PLANTS)
def test_a_planted_violation_breaks_its_contract(tree: Path, contract: str, path: str, line: str) -> None:
    plant(tree, "net/planted_too.py", "import mcp_platform.net.planted" if "planted_too" in line else "")
    plant(tree, "features/identity/tables.py", "")
    plant(tree, path, line)
    status, said = lint(tree, contract)
    assert status != 0, said
    assert "1 broken" in said, said


def impure_imports(graph: grimp.ImportGraph) -> list[str]:
    """Imports by the data plane of anything in a feature but its pure files."""
    found = []
    for module in sorted(graph.modules):
        parts = module.split(".")
        if len(parts) < 2 or parts[1] not in DATA_PLANE:
            continue
        for imported in sorted(graph.find_modules_directly_imported_by(module)):
            where = imported.split(".")
            if where[:2] == [PACKAGE, "features"] and not (len(where) == 4 and where[3] in PURE):
                found.append(f"{module} imports {imported}")
    return found


def test_the_data_plane_imports_only_the_pure_files_of_a_feature() -> None:
    assert impure_imports(grimp.build_graph(PACKAGE, cache_dir=None)) == []


def test_a_planted_import_of_another_file_of_a_feature_is_seen() -> None:
    graph = grimp.build_graph(PACKAGE, cache_dir=None)
    graph.add_module(f"{PACKAGE}.features.vault.planted")
    graph.add_import(importer=f"{PACKAGE}.gateway", imported=f"{PACKAGE}.features.vault.planted")
    assert impure_imports(graph) == [f"{PACKAGE}.gateway imports {PACKAGE}.features.vault.planted"]
