"""The first run: complete or as if it had not been."""

import os
import signal
import time
from pathlib import Path

import pytest
from sqlalchemy import select

from mcp_platform.base.config.settings import Settings, Vault
from mcp_platform.base.errors import Fault
from mcp_platform.base.folder import DataFolder, make_private
from mcp_platform.control.first_run import initialise
from mcp_platform.features.apikeys.check import mac, parse
from mcp_platform.features.apikeys.tables import API_KEYS
from mcp_platform.features.audit.actions import verify_chain
from mcp_platform.features.identity.check import setup_mac
from mcp_platform.features.identity.tables import SETUP_LINKS
from mcp_platform.features.vault.errors import KEK_UNUSABLE, KEYS_EXIST
from mcp_platform.features.vault.keys import KeyRing
from mcp_platform.store import migrate, revision
from mcp_platform.store.engine import open_sqlite
from mcp_platform.store.unit import Store
from tests.control.worlds import settings_in


def whole(data: DataFolder, settings: Settings) -> list[tuple[str, bytes]]:
    """The keys of a platform that is whole, as (id, MAC)."""
    ring = KeyRing.open(data, settings.vault.kek_file)
    store = Store(open_sqlite(data.database))
    try:
        migrate.check(store.engine)
        with store.unit(1.0) as unit:
            assert revision.platform_id(unit) == ring.platform_id
            assert verify_chain(unit).broken_at is None
            return [(row.id, row.mac) for row in unit.connection.execute(select(API_KEYS))]
    finally:
        store.close()


def test_what_it_returns_is_what_it_stored(tmp_path: Path) -> None:
    data, settings = DataFolder(tmp_path / "data"), settings_in(tmp_path)
    made = initialise(data, settings, now=1000.0)
    ring = KeyRing.open(data, settings.vault.kek_file)
    assert made.platform_id == ring.platform_id
    assert whole(data, settings) == [(parse(made.api_key), mac(ring.mac_key, made.api_key))]
    store = Store(open_sqlite(data.database))
    with store.unit(1.0) as unit:
        link = unit.connection.execute(select(SETUP_LINKS)).one()
    store.close()
    assert (link.mac, link.expires_at) == (setup_mac(ring.data_key, made.setup_token), None)
    assert "mcpp_" not in repr(made)


def test_everything_is_private_and_nothing_is_left_over(tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    old = os.umask(0)
    try:
        initialise(data, settings_in(tmp_path), now=1000.0)
    finally:
        os.umask(old)
    assert {path.name for path in data.root.iterdir()} == {"keys", "platform.db"}
    for path in [data.root, *data.root.rglob("*")]:
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


def test_neither_secret_stands_on_the_disk(tmp_path: Path) -> None:
    made = initialise(DataFolder(tmp_path / "data"), settings_in(tmp_path), now=1000.0)
    stored = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert made.setup_token.encode() not in stored
    assert made.api_key[17:].encode() not in stored


def test_a_second_run_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    data, settings = DataFolder(tmp_path / "data"), settings_in(tmp_path)
    initialise(data, settings, now=1000.0)
    before = whole(data, settings)
    with pytest.raises(Fault) as caught:
        initialise(data, settings, now=2000.0)
    assert caught.value.kind is KEYS_EXIST
    assert whole(data, settings) == before


def test_a_platform_that_lost_its_keys_is_not_built_over(tmp_path: Path) -> None:
    """Its database is still worth something: the keys may be in a backup."""
    data, settings = DataFolder(tmp_path / "data"), settings_in(tmp_path)
    initialise(data, settings, now=1000.0)
    for file in data.keys.iterdir():
        file.unlink()
    data.keys.rmdir()
    with pytest.raises(Fault) as caught:
        initialise(data, settings, now=2000.0)
    assert caught.value.kind is KEYS_EXIST
    assert data.database.exists()


def test_a_run_that_failed_does_not_stand_in_the_way(tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    bad = tmp_path / "bad.kek"
    bad.write_bytes(b"not 32 bytes")
    bad.chmod(0o600)
    with pytest.raises(Fault) as caught:
        initialise(data, Settings(vault=Vault(kek_file=str(bad))), now=1000.0)
    assert caught.value.kind is KEK_UNUSABLE
    initialise(data, settings_in(tmp_path), now=1000.0)
    whole(data, settings_in(tmp_path))


def test_settings_that_were_there_before_stay(tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    make_private(data.root)
    data.config_file.write_text("[gateway]\n")
    initialise(data, settings_in(tmp_path), now=1000.0)
    assert data.config_file.read_text() == "[gateway]\n"


def test_the_default_kek_of_a_run_that_was_cut_short_is_cleared_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    data = DataFolder(tmp_path / "data")
    make_private(data.unfinished)
    KeyRing.create(DataFolder(data.unfinished), None, now=1.0)
    made = initialise(data, Settings(), now=1000.0)
    kept = list((tmp_path / "home/.config/mcp-platform").iterdir())
    assert [path.stem for path in kept] == [made.platform_id]
    whole(data, Settings())


@pytest.mark.parametrize("after_ms", range(0, 60, 4))
def test_a_run_that_is_killed_at_any_moment_leaves_all_or_nothing(tmp_path: Path, after_ms: int) -> None:
    data, settings = DataFolder(tmp_path / "data"), settings_in(tmp_path)
    child = os.fork()
    if child == 0:
        try:
            initialise(data, settings, now=1000.0)
        finally:
            os._exit(0)
    deadline = time.monotonic() + after_ms / 1000
    while time.monotonic() < deadline:
        pass
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    try:
        initialise(data, settings, now=2000.0)
    except Fault as fault:
        assert fault.kind is KEYS_EXIST  # noqa: PT017  # both ends are right; what counts is that it is whole
    assert len(whole(data, settings)) == 1
