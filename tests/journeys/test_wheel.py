"""The built wheel, installed by pip into an empty environment without Node and compilers, is the whole product."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.journeys import stock_servers as stock
from tests.journeys.platform import running_platform
from tests.peers.environments import ROOT

pytestmark = pytest.mark.peers


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=120,
    )
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_the_package_and_its_migrations_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"mcp_platform"}
    for source in (ROOT / "src" / "mcp_platform").rglob("*"):
        if source.is_file() and "__pycache__" not in source.parts:
            assert str(source.relative_to(ROOT / "src")) in names


def test_the_installed_wheel_runs_the_journey(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "empty"
    install(wheel, environment)
    bare = {"PATH": str(environment / "bin")}
    with (
        stock.modern_http(tmp_path / "modern.log") as url,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("PATH", bare["PATH"])
        with running_platform(tmp_path, command=[str(environment / "bin" / "mcp-platform")]) as platform:
            platform.cli("server", "add", "clock", "--", *stock.modern_stdio())
            platform.cli("server", "add", "adding", url)
            platform.cli("role", "create", "narrow", "--allow", f"clock/{stock.TIME.tool}")
            narrow = platform.cli("key", "create", "--principal", "ana", "--role", "narrow")
            for example in (stock.TIME, stock.FASTMCP):
                called = platform.call(example.tool, example.arguments).json()
                assert example.expected in called["result"]["content"][0]["text"]
                assert platform.call(example.tool, example.bad_arguments).json()["result"]["isError"] is True
            forbidden = platform.call(stock.FASTMCP.tool, stock.FASTMCP.arguments, key=narrow["api_key"])
            assert forbidden.json()["error"]["code"] == -32602
            assert platform.call(stock.TIME.tool, key="mcpp_wrong").status == 401
            platform.cli("key", "revoke", narrow["id"])
            assert platform.call(stock.TIME.tool, stock.TIME.arguments, key=narrow["api_key"]).status == 401


def install(wheel: Path, environment: Path) -> None:
    """pip install WHEEL, with the versions that this commit pins, from wheels only."""
    uv = ROOT / ".tools" / "uv" / "bin" / "uv"
    run([str(uv), "venv", "--quiet", "--seed", "--python", sys.executable, str(environment)])
    pins = re.findall(r"^([a-z][\w.-]*==[^\s;\\]+)", (ROOT / "requirements" / "run.txt").read_text(), re.M)
    constraints = environment / "constraints.txt"
    constraints.write_text("\n".join(pins))
    pip = [str(environment / "bin" / "python"), "-m", "pip", "install", "--quiet", "--only-binary", ":all:"]
    run([*pip, "--constraint", str(constraints), str(wheel)])


def run(line: list[str]) -> None:
    kept = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    environment = {**kept, "UV_SYSTEM_CERTS": "1", "UV_PYTHON_DOWNLOADS": "never"}
    done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
