"""`audit`: what a person finds in the record, follows, exports, verifies and takes elsewhere; over a real platform."""

import csv
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcp_platform.cli.commands.audit import query_of
from mcp_platform.features.audit.present import COLUMNS
from mcp_platform.journal.anchored import checkpoint_of
from tests.journeys.platform import Platform, running_platform
from tests.journeys.test_kill import SERVER

CALLS = 12


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform on which something happened: calls, a refused one, an unknown key, changes."""
    folder = tmp_path_factory.mktemp("used")
    with running_platform(folder) as platform:
        log = folder / "echo.log"
        platform.cli("server", "add", "echo", "--", sys.executable, str(SERVER), str(log), "20")
        for _ in range(CALLS):
            assert platform.call("echo", {"text": "hello"}).status == 200
        platform.call("nothing-of-that-name")
        platform.rpc("tools/list", key="mcpp_nonsense")
        ben = platform.cli("key", "create", "--principal", "ben", "--agent", "release bot")["api_key"]
        platform.call("echo", {"text": "hello"}, key=ben)
        platform.call("echo", {"text": 7})
        platform.wait_for(lambda: len(found(platform, "kind:call outcome:ok")) == CALLS, "all calls in the index", 15)
        yield platform


def found(platform: Platform, *query: str) -> list[dict[str, object]]:
    rows = platform.cli("audit", "search", *query, "--limit", "500")["rows"]
    assert isinstance(rows, list)
    return rows


def test_calls_are_found_by_what_they_were(used: Platform) -> None:
    rows = found(used, "tool:echo/*", "kind:call")
    assert len(rows) == CALLS
    for row in rows:
        assert list(row) == list(COLUMNS)
        assert (row["kind"], row["outcome"], row["actor"], row["decision"]) == ("call", "ok", "owner", "allow")
        assert (row["server"], row["tool"], row["method"]) == ("echo", "echo", "tools/call")
    assert len(found(used, "actor:owner", "kind:call")) == CALLS
    assert len(found(used, f"trace:{rows[0]['trace']}")) == 1
    assert found(used, "actor:owner", "kind:call", "until:1h") == []


def test_refusals_and_changes_are_found_too(used: Platform) -> None:
    assert {row["error"] for row in found(used, "kind:refusal")} >= {"key_invalid"}
    refused = {(row["actor"], row["error"]): (row["server"], row["tool"]) for row in found(used, "kind:refusal")}
    # The caller is told that there is no such tool; who reads the record learns that there is, and which it was.
    assert refused["ben", "tool_unknown"] == refused["owner", "arguments_invalid"] == ("echo", "echo")
    assert refused["owner", "tool_unknown"] == ("", ""), "a name that nothing has is a text of the caller's"
    assert len(found(used, "tool:echo/*", "outcome:refused")) == 2
    # Control writes a journal of its own, which is taken in beside the workers'.
    used.wait_for(lambda: bool(found(used, "action:keys:key:create", "outcome:ok")), "the change in the index", 15)
    made = found(used, "action:keys:key:create", "outcome:ok")
    assert [row["kind"] for row in made] == ["control"]
    assert isinstance(made[0]["detail"], dict)
    assert made[0]["detail"]["principal"] == "ben"


def test_a_search_is_itself_in_the_record(used: Platform) -> None:
    found(used, "agent:a-very-special-search")

    def is_recorded() -> bool:
        asked = [row["detail"] for row in found(used, "tag:audit:record:search")]
        return any(isinstance(each, dict) and each["query"] == "agent:a-very-special-search" for each in asked)

    used.wait_for(is_recorded, "the search in the record", 15)


def test_pages_follow_each_other(used: Platform) -> None:
    whole = [row["time"] for row in found(used, "kind:call")]
    paged: list[object] = []
    cursor: list[str] = []
    while True:
        answer = used.cli("audit", "search", "kind:call", "--limit", "5", *cursor)
        paged += [row["time"] for row in answer["rows"]]
        if answer["next"] is None:
            break
        cursor = ["--cursor", answer["next"]]
    assert paged == whole


def test_people_see_a_table(used: Platform) -> None:
    done = used.run("audit", "search", "kind:call", "--limit", "2")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["TIME", "ACTOR", "AGENT", "WHAT", "ON", "OUTCOME", "ERROR", "MS", "ADDRESS"]
    assert "echo/echo" in lines[1]
    assert lines[3].startswith("There is more: add --cursor ")


@pytest.mark.parametrize("query", [["password:x"], ["since:yesterday"], ["--limit", "0"], ["--cursor", "x"]])
def test_a_wrong_query_is_a_wrong_command_line(used: Platform, query: list[str]) -> None:
    assert used.run("audit", "search", *query).returncode == 2


def test_everything_is_exported_as_json_lines_oldest_first(used: Platform) -> None:
    done = used.run("audit", "export", "kind:call", "--quiet")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["time"] for row in rows] == sorted(row["time"] for row in found(used, "kind:call"))


def test_a_csv_file_is_new_private_and_holds_no_formula(used: Platform, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    answer = used.cli("audit", "export", "--format", "csv", "--output", str(path))
    assert path.stat().st_mode & 0o777 == 0o600
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == answer["rows"] > CALLS
    assert list(rows[0]) == list(COLUMNS)
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]
    assert used.run("audit", "export", "--output", str(path)).returncode == 1, "it is never overwritten"
    assert used.run("audit", "export", "--json").returncode == 2


def test_a_method_that_is_a_formula_is_exported_as_text(used: Platform) -> None:
    """Whoever calls chooses what is in a refusal."""
    used.rpc("=1+1")
    used.wait_for(lambda: bool(found(used, "method:=1+1")), "the refusal in the index", 15)
    done = used.run("audit", "export", "method:=1+1", "--format", "csv")
    assert ",'=1+1," in done.stdout


def test_tail_shows_what_happens_until_it_is_interrupted(used: Platform) -> None:
    line = [*used.command, "audit", "tail", "-n", "0", "tool:echo/*", "--json", "--data", str(used.data)]
    tail = subprocess.Popen(line, env=used.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert tail.stdout is not None
    try:
        used.wait_for(lambda: bool(found(used, "tag:audit:record:follow")), "the follower in the record", 15)
        until = time.monotonic() + 20
        shown = ""
        while not shown and time.monotonic() < until:
            used.call("echo", {"text": "followed"})
            shown = tail.stdout.readline()
        row = json.loads(shown)
        assert (row["tool"], row["outcome"], row["actor"]) == ("echo", "ok", "owner")
        tail.send_signal(signal.SIGINT)
        assert tail.wait(10) in (0, 130)
    finally:
        tail.kill()
        tail.communicate()


def test_tail_shows_the_last_lines_without_following(used: Platform) -> None:
    done = used.run("audit", "tail", "-n", "3", "--no-follow", "kind:call")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 3
    assert all("echo/echo" in line for line in done.stdout.splitlines())


def test_doctor_looks_at_the_record(used: Platform) -> None:
    findings = {each["check"]: each for each in used.cli("doctor")["findings"]}
    for check in ("record.chain", "record.signatures", "record.search"):
        assert findings[check]["level"] == "ok", findings[check]
    assert findings["record.anchors"]["level"] == "warning"
    assert "NO CHECKPOINT IS KEPT ELSEWHERE" in findings["record.anchors"]["says"]


def test_a_checkpoint_is_taken_to_a_file_when_asked(used: Platform, tmp_path: Path) -> None:
    path = tmp_path / "anchors.jsonl"
    answer = used.cli("audit", "anchor", "--to", f"file:{path}")
    assert checkpoint_of(path.read_bytes()).number == answer["number"]
    assert used.run("audit", "anchor", "--to", "ftp://x").returncode == 2
    assert used.run("audit", "anchor").returncode == 1, "no place is configured"


# --- verify ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """A platform that ran with anchors, and ended."""
    folder = tmp_path_factory.mktemp("ended")
    config = f'[journal]\nanchors = ["file:{folder}/anchors.jsonl"]\nanchor_s = 1.0\n'
    with running_platform(folder, config=config) as platform:
        for _ in range(5):
            platform.tools()
        platform.wait_for((folder / "anchors.jsonl").exists, "a checkpoint elsewhere", 15)
        platform.tools()
    return platform


def copy_of(platform: Platform, folder: Path) -> Path:
    """Only what an auditor gets."""
    shutil.copytree(platform.data / "journal", folder / "copy" / "journal")
    return folder / "copy"


def verify(platform: Platform, data: Path, *arguments: str) -> tuple[int, dict[str, object]]:
    done = subprocess.run(
        [*platform.command, "audit", "verify", "--data", str(data), "--json", *arguments],
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, json.loads(done.stdout)


def test_a_copy_is_proven_whole_with_nothing_but_the_public_key(ended: Platform, tmp_path: Path) -> None:
    key, anchors = ended.data / "keys" / "journal.pub", ended.data.parent / "anchors.jsonl"
    status, report = verify(ended, copy_of(ended, tmp_path), "--public-key", str(key), "--anchor", str(anchors))
    assert (status, report["intact"], report["key"]) == (0, True, "given")
    assert isinstance(report["anchors"], int)
    assert report["anchors"] >= 1


def test_a_changed_byte_is_found_and_located(ended: Platform, tmp_path: Path) -> None:
    copy = copy_of(ended, tmp_path)
    packed = next((copy / "journal").glob("main-control-00000001.seg*"))
    content = bytearray(packed.read_bytes())
    content[len(content) // 2] ^= 4
    packed.write_bytes(content)
    status, report = verify(ended, copy, "--public-key", str(ended.data / "keys" / "journal.pub"))
    assert (status, report["intact"]) == (1, False)
    findings = report["findings"]
    assert isinstance(findings, list)
    assert any(each["against"] and each["segment"] == "main-control-00000001" for each in findings)


def test_an_end_that_was_cut_off_shows_beside_an_anchor_and_only_there(ended: Platform, tmp_path: Path) -> None:
    """architecture.md: what was cut after the last checkpoint seen elsewhere nobody can notice."""
    copy, key = copy_of(ended, tmp_path), str(ended.data / "keys" / "journal.pub")
    worker = next((copy / "journal").glob("main-worker-*"))
    for path in (copy / "journal").glob("main-checkpoints-*"):
        path.unlink()
    worker.unlink()
    anchors = str(ended.data.parent / "anchors.jsonl")
    status, report = verify(ended, copy, "--public-key", key, "--anchor", anchors)
    assert status == 1
    findings = report["findings"]
    assert isinstance(findings, list)
    missing = [each for each in findings if each["detail"] == "an anchored checkpoint saw it"]
    assert worker.name.partition(".")[0] in {each["segment"] for each in missing}


@pytest.mark.parametrize("harm", ["no line", "another key", "changed"])
def test_an_anchor_that_is_none_is_told(ended: Platform, tmp_path: Path, harm: str) -> None:
    copy, key = copy_of(ended, tmp_path), ended.data / "keys" / "journal.pub"
    anchors = tmp_path / "anchors.jsonl"
    if harm == "no line":
        anchors.write_text("{}\n")
    elif harm == "another key":
        key = tmp_path / "other.pub"
        key.write_bytes(bytes(32))
        anchors.write_bytes((ended.data.parent / "anchors.jsonl").read_bytes())
    else:
        line = json.loads((ended.data.parent / "anchors.jsonl").read_text().splitlines()[0])
        line["record"] = f"{line['record'][:-8]}AAAAAAA="
        anchors.write_text(json.dumps(line))
    status, report = verify(ended, copy, "--public-key", str(key), "--anchor", str(anchors))
    assert status == 1
    findings = report["findings"]
    assert isinstance(findings, list)
    assert "checkpoint_damaged" in {each["kind"] for each in findings}


@pytest.mark.parametrize(
    ("what", "status"), [("missing anchor", 2), ("missing key", 78), ("short key", 78), ("no journal", 78)]
)
def test_what_cannot_be_verified_is_no_finding(ended: Platform, tmp_path: Path, what: str, status: int) -> None:
    copy, key = copy_of(ended, tmp_path), ended.data / "keys" / "journal.pub"
    arguments = ["--public-key", str(key)]
    if what == "missing anchor":
        arguments += ["--anchor", str(tmp_path / "none")]
    elif what == "missing key":
        arguments = ["--public-key", str(tmp_path / "none")]
    elif what == "short key":
        (tmp_path / "short").write_bytes(b"short")
        arguments = ["--public-key", str(tmp_path / "short")]
    else:
        shutil.rmtree(copy / "journal")
        copy.mkdir(exist_ok=True)
    ended_with, answer = verify(ended, copy, *arguments)
    assert ended_with == status
    assert "error" in answer


@pytest.mark.parametrize(
    ("arguments", "query"),
    [
        (("actor:ana", "since:24h"), "actor:ana since:24h"),
        (("actor:ana since:24h",), "actor:ana since:24h"),
        (("two words",), '"two words"'),
        (("agent:bot 7",), 'agent:"bot 7"'),
        (("-agent:bot 7",), '-agent:"bot 7"'),
        (('agent:"bot 7" tool:x',), 'agent:"bot 7" tool:x'),
    ],
)
def test_the_shell_may_have_taken_the_quotes(arguments: tuple[str, ...], query: str) -> None:
    assert query_of(arguments) == query
