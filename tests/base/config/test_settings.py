"""The settings themselves: few, explained, with defaults that their own rules allow."""

from contextlib import suppress
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_platform.base.config.addresses import authority, base_url, mcp_url
from mcp_platform.base.config.load import load
from mcp_platform.base.config.schema import NotAsExpected, all_settings, documentation, sections
from mcp_platform.base.config.settings import Console, Gateway, Settings
from mcp_platform.base.config.write import write_file


def test_there_are_fewer_than_sixty_settings() -> None:
    """The issue: under 60."""
    assert 30 < len(all_settings()) < 60


def test_every_setting_says_what_it_is_in_its_unit() -> None:
    for name, setting in all_settings().items():
        text = documentation()[name]
        assert text.endswith("."), name
        if name.endswith("_s"):
            assert "Seconds" in text, name
        if name.endswith("_bytes"):
            assert "Bytes" in text, name
        if setting.optional:
            assert "None:" in text, f"{name} does not say what None means"
    assert all(documentation()[section] for section in sections())


def test_every_default_is_one_that_could_be_set() -> None:
    for setting in all_settings().values():
        if setting.default is not None:
            assert setting.take(setting.default) == setting.default


def test_settings_are_frozen_through_and_through() -> None:
    for section in fields(Settings):
        part = getattr(Settings(), section.name)
        assert is_dataclass(part)
        with pytest.raises(AttributeError):
            setattr(part, fields(part)[0].name, None)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "mcp-platform.toml"
    changes = {
        "gateway.host": "::",
        "tls.terminated_by_proxy": True,
        "gateway.port": 9000,
        "gateway.public_url": None,
        "gateway.allowed_hosts": ("a.example", "b.example"),
        "upstreams.require_isolation": True,
        "processes.drain_s": 2.5,
    }
    write_file(path, changes)
    loaded = load(path, environment={})
    given_in_file = {name for name, origin in loaded.origins.items() if origin.source == "file"}
    assert given_in_file == {name for name, value in changes.items() if value is not None}
    assert loaded.settings.gateway.allowed_hosts == ("a.example", "b.example")
    assert loaded.settings.processes.drain_s == 2.5
    assert path.stat().st_mode & 0o777 == 0o600


@given(value=st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text() | st.integers()))
def test_no_value_of_any_kind_breaks_a_check(value: object) -> None:
    """A value is taken or refused as NotAsExpected; nothing else comes out."""
    for setting in all_settings().values():
        with suppress(NotAsExpected):
            setting.take(value)


@given(text=st.text(max_size=200))
def test_no_text_breaks_a_check(text: str) -> None:
    for setting in all_settings().values():
        with suppress(NotAsExpected):
            setting.parse(text)


@pytest.mark.parametrize(
    ("host", "port", "expected"),
    [
        ("127.0.0.1", 8080, "127.0.0.1:8080"),
        ("::1", 8080, "[::1]:8080"),
        ("0.0.0.0", 80, "127.0.0.1:80"),
        ("::", 80, "[::1]:80"),
        ("mcp.example", 1, "mcp.example:1"),
    ],
)
def test_the_address_to_call_is_one_that_can_be_called(host: str, port: int, expected: str) -> None:
    assert authority(host, port) == expected


def test_the_public_url_stands_before_the_listening_address() -> None:
    assert mcp_url(Gateway(public_url="https://mcp.example.com/"), 9) == "https://mcp.example.com/mcp"
    assert base_url(Console(port=0), 4711) == "http://127.0.0.1:4711"
