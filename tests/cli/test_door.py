"""The line to control: what is asked, what comes back, and an other side that is slow, gone or talks nonsense."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mcp_platform.base.errors import Fault
from mcp_platform.base.folder import DataFolder
from mcp_platform.cli import door
from mcp_platform.net import local
from tests.cli.shell import Shell


@contextmanager
def control(data: Path, *lines: bytes, hold: bool = False) -> Iterator[list[dict[str, Any]]]:
    """A stand-in for control that sends `lines` to each who asks, and keeps what they asked."""
    asked: list[dict[str, Any]] = []
    over = threading.Event()
    listening = local.listen(data / "control.sock")
    listening.setblocking(True)

    def answer() -> None:
        while not over.is_set():
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as reader:
                line = reader.readline()
                if line:
                    asked.append(json.loads(line))
                try:
                    connection.sendall(b"".join(lines))
                except BrokenPipeError:
                    continue
                if hold:
                    over.wait(10)

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield asked
    finally:
        over.set()
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(10)


def line(message: object) -> bytes:
    return json.dumps(message).encode() + b"\n"


def test_an_action_is_asked_for_with_what_was_given_and_nothing_else(made: Shell) -> None:
    key = {"id": "k", "api_key": "mcpp_x", "not_after": 1e9, "published": {"workers": 2}}
    with control(made.data, line({"ok": True, "result": key})) as asked:
        done = made.run("key", "create", "--principal", "ana", "--scope", "git/*", "--expires-in", "2h", "--json")
    assert asked == [
        {"action": "key.create", "params": {"principal": "ana", "scopes": ["git/*"], "expires_in_s": 7200}}
    ]
    assert done.json() == {**key, "not_after": "2001-09-09T01:46:40.000Z"}


def test_progress_goes_to_stderr_and_is_silent_when_asked(made: Shell) -> None:
    said = (line({"progress": "Connecting", "done": 1, "total": 2}), line({"ok": True, "result": {"keys": []}}))
    with control(made.data, *said):
        loud, quiet = made.run("key", "list", "--json"), made.run("key", "list", "--json", "--quiet")
    assert (loud.err, quiet.err) == ("Connecting (1/2)\n", "")
    assert loud.json() == quiet.json() == {"keys": []}


@pytest.mark.parametrize(
    ("code", "http", "status"),
    [
        ("forbidden", 403, 4),
        ("invalid_input", 422, 2),
        ("not_found", 404, 1),
        ("conflict", 409, 1),
        ("upstream_down", 502, 1),
        ("schema_newer", 500, 78),
        ("kek_unusable", 500, 78),
    ],
)
def test_each_refusal_has_its_exit_code_and_keeps_its_code_and_data(
    made: Shell, code: str, http: int, status: int
) -> None:
    error = {"code": code, "text": "No.", "data": {"stage": "tls"}, "http": http}
    with control(made.data, line({"ok": False, "error": error})):
        as_json, as_text = made.run("server", "test", "x", "--json"), made.run("server", "test", "x")
    assert as_json.status == as_text.status == status
    told = as_json.json()["error"]
    assert (told["code"], told["data"], told["exit_code"]) == (code, {"stage": "tls"}, status)
    assert as_text.err.count("\n") == 1
    assert "tls" in as_text.err


@pytest.mark.parametrize(
    "nonsense",
    [b"", b"\n", b"hello\n", b"[]\n", b'{"ok": true}\n', b'{"ok": false}\n', b'{"ok": true, "result": 3}\n', b"\xff\n"],
)
def test_an_answer_that_is_none_is_told_as_such(made: Shell, nonsense: bytes) -> None:
    with control(made.data, nonsense):
        done = made.run("key", "list", "--json")
    assert (done.status, done.json()["error"]["code"]) == (1, "control_garbage")


def test_an_endless_answer_is_cut(made: Shell) -> None:
    with control(made.data, b"x" * (3 << 20)):
        assert made.run("key", "list", "--json").json()["error"]["code"] == "control_garbage"


def test_a_silent_control_is_given_up(made: Shell) -> None:
    with control(made.data, hold=True), pytest.raises(Fault) as given_up:
        door.ask(DataFolder(made.data), "key.list", {}, print, silence_s=0.2)
    assert given_up.value.kind is door.CONTROL_SILENT


def test_control_characters_from_a_server_never_reach_the_terminal(made: Shell) -> None:
    """A tool's name is written by whoever wrote the server."""
    tool = {"name": "a\x1b]0;owned\x07", "exposed": "a\x1b[2J", "skipped": None}
    with control(made.data, line({"ok": True, "result": {"tools": [tool]}})):
        done = made.run("server", "tools", "x")
    assert "\x1b" not in done.out + done.err
    assert "\x07" not in done.out + done.err


def test_a_new_key_is_kept_in_a_closed_file_when_nobody_looks(made: Shell) -> None:
    with control(made.data, line({"ok": True, "result": {"id": "abc", "api_key": "mcpp_secret"}})):
        piped = made.run("key", "create", "--principal", "ana")
        shown = made.on_terminal("key", "create", "--principal", "ana")
    file = made.data / "key-abc.txt"
    assert "mcpp_secret" not in piped.out + piped.err
    assert str(file) in piped.out
    assert "mcpp_secret" in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert "mcpp_secret" in shown.out


@pytest.mark.parametrize(
    ("line_of_command", "answer", "advice"),
    [
        (["key", "list"], {"keys": []}, "key create"),
        (["server", "list"], {"servers": []}, "server add"),
        (["principal", "list"], {"principals": []}, "key create"),
        (["server", "tools", "x"], {"tools": []}, "No tool"),
    ],
)
def test_an_empty_list_says_what_to_do_next(
    made: Shell, line_of_command: list[str], answer: dict[str, object], advice: str
) -> None:
    with control(made.data, line({"ok": True, "result": answer})):
        assert advice in made.run(*line_of_command).out
