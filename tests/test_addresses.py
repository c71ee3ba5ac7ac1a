"""No tracked file says where packages are downloaded from: that is for each machine's own clients to know."""

import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HOSTS = ("pythonhosted", "pypi", "npmjs", "yarnpkg", "debian", "crates", "golang", "maven")
"""Registries by a part of their host's name; put together with the rest below, so that this file holds none."""
ADDRESS = re.compile(
    r"https?://[\w.-]*\b(" + "|".join(HOSTS) + r")\w*\.(org|com|io)|https?://\S+/packages/\S+\.(whl|tgz|tar\.gz)"
)


def tracked() -> list[Path]:
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, timeout=30)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    return [path for path in paths if path.is_file()]


def addresses(text: str) -> list[str]:
    return [found.group() for found in ADDRESS.finditer(text)]


def resolved(lock: object) -> list[str]:
    """Keys of an npm lock file that record where a package came from, at any depth."""
    if isinstance(lock, dict):
        own = [str(value) for key, value in lock.items() if key == "resolved"]
        return own + [found for value in lock.values() for found in resolved(value)]
    return []


def test_no_tracked_file_holds_a_download_address() -> None:
    found = {str(path.relative_to(ROOT)): addresses(path.read_text(errors="replace")) for path in tracked()}
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_no_npm_lock_file_says_where_a_package_came_from() -> None:
    locks = [path for path in tracked() if path.name == "package-lock.json"]
    assert locks
    assert [found for path in locks for found in resolved(json.loads(path.read_text()))] == []


def test_there_is_no_lock_file_of_a_kind_that_records_addresses() -> None:
    banned = {"uv.lock", "poetry.lock", "Pipfile.lock", "pnpm-lock.yaml", "yarn.lock", "pylock.toml"}
    assert [path for path in tracked() if path.name in banned] == []


def test_every_python_pin_has_a_hash() -> None:
    for path in (ROOT / "requirements").rglob("*.txt"):
        pins = re.findall(r"^[a-z][\w.-]*==\S+.*?(?=^[a-z]|\Z)", path.read_text(), re.M | re.S)
        assert pins, path
        assert [pin.split()[0] for pin in pins if "--hash=sha256:" not in pin] == []


@pytest.mark.parametrize("host", ["files.{}hosted.org", "registry.{}js.org"])
def test_a_planted_address_is_seen(host: str) -> None:
    name = {"files.{}hosted.org": "python", "registry.{}js.org": "npm"}[host]
    assert addresses(f'"https://{host.format(name)}/x/y-1.0.tgz"')
    assert resolved({"packages": {"a": {"resolved": "there"}}}) == ["there"]
