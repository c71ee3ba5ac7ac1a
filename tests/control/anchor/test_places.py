"""Checkpoints arrive where they are taken to: real files, real sockets, a real store that checks who signs."""

import asyncio
import re
import socket
from pathlib import Path

import pytest

from mcp_platform.base.config.anchor_place import PlaceError, PlaceForm, parse_place
from mcp_platform.base.config.settings import Journal, Settings
from mcp_platform.base.errors import Fault
from mcp_platform.control.anchor import to_syslog
from mcp_platform.control.anchor.errors import ANCHOR_FAILED, ANCHOR_NOTHING
from mcp_platform.control.anchor.schedule import Anchors, take
from mcp_platform.journal.anchored import checkpoint_of, line_of
from mcp_platform.journal.record import Checkpoint, Head
from tests.control.anchor.s3_store import ACCESS, SECRET, s3_store

CHECKPOINT = Checkpoint(
    time=1_790_000_000_000_000_000,
    platform="plt_test",
    number=7,
    previous=bytes(64),
    heads=[Head("main-worker-0-00000001", bytes(16), 41, bytes(32), closed=False)],
    signature=bytes(64),
)


def credentials(folder: Path, mode: int = 0o600, secret: str = SECRET) -> str:
    path = folder / "credentials"
    path.write_text(f"[default]\naws_access_key_id = {ACCESS}\naws_secret_access_key = {secret}\n")
    path.chmod(mode)
    return str(path)


def test_a_line_is_one_line_of_json_and_gives_the_checkpoint_back() -> None:
    line = line_of(CHECKPOINT)
    assert b"\n" not in line
    assert line.isascii()
    assert checkpoint_of(line) == CHECKPOINT
    assert checkpoint_of(b"<109>1 2026-11-22T00:00:00.000Z host mcp-platform 1 checkpoint - " + line) == CHECKPOINT


async def test_a_file_grows_by_a_line_each_time(tmp_path: Path) -> None:
    path = tmp_path / "anchors.jsonl"
    for _ in range(3):
        await take(CHECKPOINT, parse_place(f"file:{path}"))
    assert [checkpoint_of(line) for line in path.read_bytes().splitlines()] == [CHECKPOINT] * 3
    assert path.stat().st_mode & 0o777 == 0o600


async def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Fault) as caught:
        await take(CHECKPOINT, parse_place(f"file:{tmp_path}/link"))
    assert caught.value.kind is ANCHOR_FAILED
    assert not (tmp_path / "elsewhere").exists()


RFC_5424 = re.compile(
    rb"<109>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z [!-~]{1,255} mcp-platform \d{1,10} checkpoint - (\{.*\})"
)


def assert_is_message(content: bytes) -> None:
    match = RFC_5424.fullmatch(content)
    assert match is not None, content
    assert checkpoint_of(match[1]) == CHECKPOINT


async def test_syslog_over_udp_is_one_datagram() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(5.0)
        await take(CHECKPOINT, parse_place(f"syslog+udp://127.0.0.1:{listener.getsockname()[1]}"))
        assert_is_message(listener.recv(65536))


async def test_syslog_over_tcp_counts_its_octets() -> None:
    """RFC 6587 §3.4.1."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sending = asyncio.create_task(
            take(CHECKPOINT, parse_place(f"syslog+tcp://127.0.0.1:{listener.getsockname()[1]}"))
        )
        connection, _ = await asyncio.to_thread(listener.accept)
        with connection:
            content = await asyncio.to_thread(_all_of, connection)
        await sending
    length, _, message = content.partition(b" ")
    assert int(length) == len(message)
    assert_is_message(message)


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
async def test_syslog_goes_to_a_local_socket_of_either_kind(tmp_path: Path, kind: socket.SocketKind) -> None:
    path = tmp_path / "log"
    with socket.socket(socket.AF_UNIX, kind) as listener:
        listener.settimeout(5.0)
        listener.bind(str(path))
        if kind == socket.SOCK_STREAM:
            listener.listen()
        await take(CHECKPOINT, parse_place(f"syslog+unix:{path}"))
        if kind == socket.SOCK_DGRAM:
            assert_is_message(listener.recv(65536))
        else:
            connection, _ = listener.accept()
            with connection:
                assert_is_message(_all_of(connection).rstrip(b"\n"))


def _all_of(connection: socket.socket) -> bytes:
    connection.settimeout(5.0)
    content = b""
    while piece := connection.recv(65536):
        content += piece
    return content


def test_a_host_name_that_is_no_ascii_does_not_break_the_message() -> None:
    assert to_syslog.message(b"{}", "ma chine\n", 0.0, 1).split(b" ")[2] == b"machine"
    assert to_syslog.message(b"{}", "\n", 0.0, 1).split(b" ")[2] == b"-"


async def test_a_store_takes_the_object_and_agrees_with_the_signature(tmp_path: Path) -> None:
    with s3_store() as store:
        await take(CHECKPOINT, parse_place(f"{store.place}&credentials={credentials(tmp_path)}"))
        assert store.wrong == []
        ((path, content),) = store.objects.items()
        assert path == "/audit/some/prefix/plt_test/000000000007.json"
        assert checkpoint_of(content) == CHECKPOINT


async def test_a_store_that_refuses_is_a_failure(tmp_path: Path) -> None:
    with s3_store() as store:
        store.refuse = 503
        with pytest.raises(Fault) as caught:
            await take(CHECKPOINT, parse_place(f"{store.place}&credentials={credentials(tmp_path)}"))
        assert caught.value.kind is ANCHOR_FAILED
        assert (caught.value.data["stage"], caught.value.data["status"]) == ("answer", 503)


async def test_another_secret_is_refused_by_the_store(tmp_path: Path) -> None:
    """The store's check can fail."""
    path = credentials(tmp_path, secret="other")
    with s3_store() as store:
        with pytest.raises(Fault):
            await take(CHECKPOINT, parse_place(f"{store.place}&credentials={path}"))
        assert store.wrong == ["another signature"]


@pytest.mark.parametrize("mode", [0o644, 0o660])
async def test_credentials_that_others_can_read_are_not_used(tmp_path: Path, mode: int) -> None:
    with s3_store() as store:
        with pytest.raises(Fault) as caught:
            await take(CHECKPOINT, parse_place(f"{store.place}&credentials={credentials(tmp_path, mode)}"))
        assert caught.value.data["stage"] == "credentials"
        assert store.objects == {}


async def test_nobody_there_is_a_failure_within_seconds(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    for text in (f"syslog+tcp://127.0.0.1:{port}", f"syslog+unix:{tmp_path}/none", f"file:{tmp_path}/no/folder"):
        with pytest.raises(Fault) as caught:
            await take(CHECKPOINT, parse_place(text))
        assert caught.value.data["place"] == parse_place(text).name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "file:relative",
        "file://host/path",
        "file:/path?x=1",
        "ftp://host/x",
        "syslog+udp://",
        "syslog+udp://user@host",
        "syslog+tcp://host:99999",
        "syslog+tcp://host:port",
        "s3+https://host",
        "s3+https://host/bucket",
        "s3+https://host/bucket?credentials=relative",
        "s3+https://host/bucket?credentials=/x&secret=y",
        "s3+http://example.com/bucket?credentials=/x",
        "s3+https://user:secret@host/bucket?credentials=/x",
        "file:/a b",
        "file:/ü",
        f"file:/{'a' * 2000}",
    ],
)
def test_what_is_no_place_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(PlaceError) as caught:
        parse_place(text)
    said = PlaceForm().expected(text)
    assert said == str(caught.value)
    assert "99999" not in said
    assert "secret" not in said


async def test_the_newest_is_taken_again_and_again_and_a_failing_place_keeps_nobody_back(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.jsonl", tmp_path / "no" / "bad.jsonl"
    chosen = Settings(journal=Journal(anchors=(f"file:{bad}", f"file:{good}"), anchor_s=1.0))
    anchors = Anchors(chosen, tmp_path / "journal")
    anchors.taken(CHECKPOINT)
    await anchors.last()
    await anchors.last()
    assert len(good.read_bytes().splitlines()) == 1, "the same checkpoint is taken once"
    failing, working = anchors.status()
    assert (failing["failing"], failing["number"]) == ("file", 0)
    assert (working["failing"], working["number"]) == ("", 7)
    bad.parent.mkdir()
    await anchors.last()
    assert anchors.status()[0]["failing"] == ""
    assert len(bad.read_bytes().splitlines()) == 1


async def test_without_a_checkpoint_or_a_place_there_is_nothing_to_take(tmp_path: Path) -> None:
    anchors = Anchors(Settings(), tmp_path / "journal")
    for places in ([], [parse_place(f"file:{tmp_path}/x")]):
        with pytest.raises(Fault) as caught:
            await anchors.now(places)
        assert caught.value.kind is ANCHOR_NOTHING
