"""The reference says what the code says: every setting, command, error, exit code, permission and action."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from mcp_platform.base.config.schema import all_settings

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_reference", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_page_of_the_reference_is_stale(generate: ModuleType) -> None:
    """Run `./dev docs` after a change."""
    assert generate.stale() == []


def test_a_stale_or_missing_page_is_noticed(generate: ModuleType, tmp_path: Path) -> None:
    """A check that cannot fail is not a check."""
    for name, make in generate.PAGES.items():
        (tmp_path / name).write_text(make(), encoding="utf-8")
    assert generate.stale(tmp_path) == []
    (tmp_path / "settings.md").write_text((tmp_path / "settings.md").read_text().replace("8080", "8088"))
    (tmp_path / "errors.md").unlink()
    assert generate.stale(tmp_path) == ["settings.md", "errors.md"]


def test_every_setting_stands_in_the_reference() -> None:
    text = (ROOT / "docs" / "reference" / "settings.md").read_text()
    assert [name for name in all_settings() if f"`{name}`" not in text] == []


def test_every_command_in_the_reference_shows_an_example(generate: ModuleType) -> None:
    for path, command in generate.commands(generate.root, ("mcp-platform",)):
        assert getattr(command, "examples", ()), f"{' '.join(path)} has no example"
        assert all("mcp-platform " in example for example in command.examples)
