"""Merging the sources of the configuration, and every mistake that one can make in them."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_platform.base.config.load import Loaded, load
from mcp_platform.base.config.schema import all_settings, value_of
from mcp_platform.base.config.settings import Settings
from mcp_platform.base.errors import CONFIGURATION, Fault

PORTS = st.none() | st.integers(1, 65535)


def problems(file: Path | None = None, **sources: Any) -> list[dict[str, Any]]:
    """What is wrong with a configuration that must be refused."""
    sources.setdefault("environment", {})
    with pytest.raises(Fault) as refused:
        load(file, **sources)
    assert refused.value.kind is CONFIGURATION
    found = refused.value.data["problems"]
    assert isinstance(found, list)
    return found


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "mcp-platform.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def from_text(folder: Path, text: str) -> Loaded:
    return load(written(folder, text), environment={})


@given(flag=PORTS, variable=PORTS, secret=PORTS, in_file=PORTS)
def test_the_strongest_source_wins_and_is_named(
    tmp_path_factory: pytest.TempPathFactory,
    flag: int | None,
    variable: int | None,
    secret: int | None,
    in_file: int | None,
) -> None:
    """The issue: flag > environment > secret files > file > default."""
    folder = tmp_path_factory.mktemp("sources")
    file = written(folder, "" if in_file is None else f"[gateway]\nport = {in_file}\n")
    secrets = folder / "secrets"
    secrets.mkdir()
    if secret is not None:
        (secrets / "gateway.port").write_text(f"{secret}\n")
    environment = {"MCP_PLATFORM_SECRETS_DIR": str(secrets), "MCP_PLATFORM_CONSOLE__PORT": "0"}
    if variable is not None:
        environment["MCP_PLATFORM_GATEWAY__PORT"] = str(variable)
    loaded = load(file, flags={"gateway.port": flag}, environment=environment)
    ordered = [("flag", flag), ("environment", variable), ("secret file", secret), ("file", in_file), ("default", 8080)]
    source, value = next((source, value) for source, value in ordered if value is not None)
    assert (loaded.settings.gateway.port, loaded.origins["gateway.port"].source) == (value, source)


def test_without_any_source_every_setting_is_its_default() -> None:
    loaded = load(None, environment={})
    assert loaded.settings == Settings()
    assert {origin.source for origin in loaded.origins.values()} == {"default"}
    assert set(loaded.origins) == set(all_settings())


def test_origins_name_the_line_in_the_file(tmp_path: Path) -> None:
    text = '# first\n\n[gateway]\nport = 1\nallowed_hosts = [\n  "a.example",\n]\nhost = "::1"\n'
    loaded = from_text(tmp_path, text)
    path = tmp_path / "mcp-platform.toml"
    assert loaded.origins["gateway.port"].where == f"{path}:4"
    assert loaded.origins["gateway.allowed_hosts"].where == f"{path}:5"
    assert loaded.origins["gateway.host"].where == f"{path}:8"
    assert loaded.settings.gateway.allowed_hosts == ("a.example",)


@pytest.mark.parametrize(
    "text",
    [
        "[gateway]\nport = 9000\n",
        "gateway.port = 9000\n",
        "gateway = { port = 9000 }\n",
        "[gateway]\r\nport = 9000\r\n",
        '["gateway"]\n"port" = 9_000\n',
        "[gateway] # agents\nport = 0x2328",
    ],
)
def test_every_way_of_writing_a_table_is_understood(tmp_path: Path, text: str) -> None:
    assert from_text(tmp_path, text).settings.gateway.port == 9000


@pytest.mark.parametrize(
    ("text", "line", "nearest"),
    [
        ("[gateway]\nprot = 1\n", 2, "gateway.port"),
        ("[gatway]\nport = 1\n", 1, "gateway"),
        ("port = 1\n", 1, "gateway.port"),
        ("[http]\nmax_body = 1\n", 2, "http.max_body_bytes"),
        ("[upstreams]\nmax_body_bytes = 1\n", 2, "http.max_body_bytes"),
        ("[[gateway]]\nport = 1\n", 1, None),
        ("gateway = 3\n", 1, None),
        ("[gateway.port]\nx = 1\n", 2, "gateway.port"),
    ],
)
def test_an_unknown_name_is_refused_with_its_line_and_the_nearest(
    tmp_path: Path, text: str, line: int, nearest: str | None
) -> None:
    found = problems(written(tmp_path, text))
    assert [p["where"] for p in found if p["where"].endswith(f":{line}")], found
    if nearest is not None:
        assert nearest in [p.get("nearest") for p in found]


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("[gateway]\nport = \n", 2, 8),
        ("[gateway]\nport = 1\nport = 2\n", 3, 9),
        ("[gateway]\nport = 1\n[gateway]\n", 3, 9),
        ("[gateway]\nhost = bare\n", 2, 8),
        ("[gateway\nport = 1\n", 1, 9),
        ('[gateway]\nhost = "open\n', 2, 13),
    ],
)
def test_bad_toml_is_refused_with_file_line_and_column(tmp_path: Path, text: str, line: int, column: int) -> None:
    path = written(tmp_path, text)
    (found,) = problems(path)
    assert found["where"] == f"{path}:{line}:{column}"


def test_a_file_that_is_not_text_is_refused_with_its_line(tmp_path: Path) -> None:
    (found,) = problems(path := written(tmp_path, b"[gateway]\nhost = '\xff'\n"))
    assert found["where"] == f"{path}:2"


def test_a_file_too_large_or_too_deep_is_refused(tmp_path: Path) -> None:
    assert "larger" in problems(written(tmp_path, "#" * 300_000))[0]["problem"]
    assert problems(written(tmp_path, f"x = {'[' * 5000}{']' * 5000}\n"))


@pytest.mark.parametrize(
    ("setting", "literal", "arrived"),
    [
        ("gateway.port", "true", "true or false"),
        ("gateway.port", '"8080"', "text"),
        ("gateway.port", "80.0", "a number with a point"),
        ("gateway.port", "65536", "a whole number outside that"),
        ("gateway.port", "-1", "a whole number outside that"),
        ("gateway.host", "1", "a whole number"),
        ("gateway.host", "''", "an empty or other text"),
        ("gateway.host", '"a\\nb"', "an empty or other text"),
        ("gateway.host", '"[::1]"', "text outside that"),
        ("gateway.host", '"1.2.3.4.5"', "text outside that"),
        ("gateway.allowed_hosts", '"a.example"', "text"),
        ("gateway.allowed_hosts", "[1]", "a whole number among them"),
        ("gateway.allowed_hosts", '["a.example/x"]', "a list outside that"),
        ("gateway.allowed_origins", '["https://a.example/"]', "a list outside that"),
        ("upstreams.require_isolation", "1", "a whole number"),
        ("upstreams.isolation", '"docker"', "text outside that"),
        ("upstreams.call_timeout_s", "inf", "a number with a point outside that"),
        ("upstreams.call_timeout_s", "nan", "a number with a point outside that"),
        ("upstreams.call_timeout_s", "0", "a number with a point outside that"),
        ("upstreams.call_timeout_s", "true", "true or false"),
        ("upstreams.call_timeout_s", "2026-11-22", "a date or time"),
        ("processes.log_level", '"loud"', "text outside that"),
        ("vault.kek_file", '"relative/path"', "text outside that"),
    ],
)
def test_a_value_of_another_kind_or_outside_its_range_is_refused(
    tmp_path: Path, setting: str, literal: str, arrived: str
) -> None:
    section, _, key = setting.partition(".")
    (found,) = problems(written(tmp_path, f"[{section}]\n{key} = {literal}\n"))
    assert found["setting"] == setting
    assert found["where"].endswith(":2")
    assert found["arrived"] == arrived or arrived == "a list outside that"
    assert found["expected"]


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a.example",
        "https://user:pass@a.example",
        "https://a.example/mcp",
        "https://a.example?x=1",
        "https://a.example#x",
        "https://a.example?",
        "https://",
        "https://a.example:0",
        "https://a.example:99999",
        "https://a b.example",
        "https://a.example\\@b.example",
        "//a.example",
        "https://[::1",
        "https://ünï.example",
    ],
)
def test_a_public_url_is_scheme_and_host_and_nothing_else(tmp_path: Path, url: str) -> None:
    (found,) = problems(written(tmp_path, f"[gateway]\npublic_url = {json.dumps(url)}\n"))
    assert found["setting"] == "gateway.public_url"


@pytest.mark.parametrize(
    "url", ["https://a.example", "http://[::1]:8080/", "https://a.example:8443", "http://10.0.0.1"]
)
def test_a_plain_url_is_taken(tmp_path: Path, url: str) -> None:
    assert from_text(tmp_path, f'[gateway]\npublic_url = "{url}"\n').settings.gateway.public_url == url


def test_a_whole_number_is_taken_for_a_number_of_seconds(tmp_path: Path) -> None:
    taken = from_text(tmp_path, "[processes]\ndrain_s = 5\n").settings.processes.drain_s
    assert (taken, type(taken)) == (5.0, float)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("MCP_PLATFORM_GATEWAY__PORT", "8081", 8081),
        ("MCP_PLATFORM_GATEWAY__ALLOWED_HOSTS", "a.example, b.example:81", ("a.example", "b.example:81")),
        ("MCP_PLATFORM_GATEWAY__ALLOWED_HOSTS", "", ()),
        ("MCP_PLATFORM_UPSTREAMS__REQUIRE_ISOLATION", "true", True),
        ("MCP_PLATFORM_UPSTREAMS__CALL_TIMEOUT_S", "1.5", 1.5),
        ("MCP_PLATFORM_GATEWAY__HOST", "::1", "::1"),
    ],
)
def test_text_from_the_environment_becomes_the_settings_type(name: str, text: str, value: object) -> None:
    loaded = load(None, environment={name: text, "MCP_PLATFORM_CONSOLE__PORT": "0"})
    (setting,) = (s for s in all_settings().values() if s.environment == name)
    taken = value_of(loaded.settings, setting.name)
    assert (taken, type(taken)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("MCP_PLATFORM_GATEWAY__PORT", "0x50"),
        ("MCP_PLATFORM_GATEWAY__PORT", " 80"),
        ("MCP_PLATFORM_GATEWAY__PORT", "٨٠"),
        ("MCP_PLATFORM_GATEWAY__PORT", ""),
        ("MCP_PLATFORM_GATEWAY__PORT", "9" * 5000),
        ("MCP_PLATFORM_UPSTREAMS__REQUIRE_ISOLATION", "1"),
        ("MCP_PLATFORM_UPSTREAMS__CALL_TIMEOUT_S", "1e3"),
        ("MCP_PLATFORM_UPSTREAMS__CALL_TIMEOUT_S", "inf"),
        ("MCP_PLATFORM_GATEWAY__ALLOWED_HOSTS", "a.example,,b.example"),
    ],
)
def test_text_that_is_not_exactly_the_type_is_refused(name: str, text: str) -> None:
    (found,) = problems(environment={name: text})
    assert found["where"] == f"environment {name}"


def test_an_unknown_variable_with_our_prefix_is_refused_with_the_nearest() -> None:
    (found,) = problems(environment={"MCP_PLATFORM_GATEWAY__PROT": "1", "OTHER": "x"})
    assert found["nearest"] == "MCP_PLATFORM_GATEWAY__PORT"


def test_variables_that_kubernetes_sets_for_a_service_of_our_name_are_not_ours() -> None:
    """A Service named mcp-platform would otherwise keep the platform from starting."""
    injected = {
        "MCP_PLATFORM_SERVICE_HOST": "10.0.0.1",
        "MCP_PLATFORM_SERVICE_PORT": "8080",
        "MCP_PLATFORM_SERVICE_PORT_HTTP": "8080",
        "MCP_PLATFORM_PORT": "tcp://10.0.0.1:8080",
        "MCP_PLATFORM_PORT_8080_TCP": "tcp://10.0.0.1:8080",
        "MCP_PLATFORM_PORT_8080_TCP_ADDR": "10.0.0.1",
    }
    assert load(None, environment=injected).settings == Settings()


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "gateway.hots").write_text("x")
    file = written(tmp_path, "[gateway]\nport = true\nprot = 1\n[nothing]\nx = 1\ny = 2\n")
    environment = {
        "MCP_PLATFORM_SECRETS_DIR": str(secrets),
        "MCP_PLATFORM_CONSOLE__PORT": "x",
        "MCP_PLATFORM_X__Y": "1",
    }
    found = problems(file, environment=environment, flags={"gateway.host": "a b"})
    assert len(found) == 7


def test_no_value_ever_stands_in_a_message(tmp_path: Path) -> None:
    """Settings can be secrets one day, and values are pasted into the wrong place today."""
    secret = "hunter2hunter2"
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "gateway.port").write_text(secret)
    names = ["port", "host", "public_url", "allowed_hosts", "allowed_origins", "workers"]
    file = written(
        tmp_path, "[gateway]\n" + "".join(f'{name} = "{secret} /"\n' for name in names) + f'x = "{secret}"\n'
    )
    environment = {s.environment: f"{secret} /" for s in all_settings().values() if s.kind != "list"}
    environment["MCP_PLATFORM_SECRETS_DIR"] = str(secrets)
    with pytest.raises(Fault) as refused:
        load(file, environment=environment, flags={"gateway.host": f"{secret} "})
    assert secret not in refused.value.text
    assert secret not in json.dumps(refused.value.data)
    for broken in (
        f"[gateway]\nhost = {secret}\n",
        f"[gateway]\nhost = '{secret}\n",
        f"[gateway]\nhost = '' {secret}\n",
    ):
        assert secret not in json.dumps(problems(written(tmp_path, broken)))


@pytest.mark.parametrize(
    ("text", "between"),
    [
        ("[upstreams]\ncall_timeout_s = 7200\n", ["upstreams.call_timeout_s", "upstreams.max_call_s"]),
        ("[gateway]\nport = 8081\n", ["console.port", "gateway.port"]),
        ("[snapshot]\nmax_silence_s = 0.5\n", ["snapshot.heartbeat_s", "snapshot.max_silence_s"]),
        ("[http]\nmax_connections = 10\n", ["http.max_connections_per_address", "http.max_connections"]),
    ],
)
def test_settings_that_do_not_go_together_are_refused(tmp_path: Path, text: str, between: list[str]) -> None:
    (found,) = problems(path := written(tmp_path, text))
    assert list(found["between"]) == between
    assert found["where"] == f"{path}:2"


def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mcp-platform.toml").mkdir()
    (found,) = problems(tmp_path / "mcp-platform.toml")
    assert "cannot be read" in found["problem"]
