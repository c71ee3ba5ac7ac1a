"""The query language: what it takes, what it refuses, and that it judges a row as the database does."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_platform.base.errors import Fault
from mcp_platform.control.ingest import Ingestion
from mcp_platform.control.ingest_row import row_of
from mcp_platform.features.audit import index
from mcp_platform.features.audit.errors import QUERY_INVALID
from mcp_platform.features.audit.model import Row
from mcp_platform.features.audit.query import NS, Query, Term, matches, moment, parse
from mcp_platform.features.audit.search import Span, page
from mcp_platform.journal.record import Intent
from tests.control.journals import NOW, calls, control_records, write_segment

AT = 1_800_000_000.0
CALL = Row(
    time=int(AT) * NS,
    kind="call",
    principal="prn_ana",
    agent="bot 7",
    server="github",
    tool="create_issue",
    method="tools/call",
    outcome="ok",
    error="",
    address="10.0.0.1",
    trace="ab" * 16,
    revision=4,
)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("actor:ana", [Term("principal", ("ana",))]),
        ("principal:ana", [Term("principal", ("ana",))]),
        ("ACTOR:Ana", [Term("principal", ("Ana",))]),
        ("tool:github/*", [Term("server", ("github",))]),
        ("tool:*/create", [Term("tool", ("create",))]),
        ("tool:github/create", [Term("server", ("github",)), Term("tool", ("create",))]),
        ("-tool:github/*", [Term("server", ("github",), negated=True)]),
        ("tool:create", [Term("tool", ("create",))]),
        ("outcome:refused,error", [Term("outcome", ("refused", "error"))]),
        ('agent:"bot 7"', [Term("agent", ("bot 7",))]),
        ('agent:""x', None),
        ("agent:-ci,bot", [Term("agent", ("ci", "bot"), negated=True)]),
        ("-agent:ci", [Term("agent", ("ci",), negated=True)]),
        ('agent:"-ci"', [Term("agent", ("-ci",))]),
        ("-agent:-ci", [Term("agent", ("-ci",), negated=True)]),
        ("tool:-github/*", [Term("server", ("github",), negated=True)]),
        ("action:keys:key:create", [Term("tag", ("keys:key:create",))]),
        ("ip:::1", [Term("address", ("::1",))]),
        ("  key:a\tkey:b\n", [Term("credential", ("a",)), Term("credential", ("b",))]),
        ("revision:12", [Term("revision", ("12",))]),
    ],
)
def test_fields_are_read(text: str, terms: list[Term] | None) -> None:
    if terms is None:
        with pytest.raises(Fault):
            parse(text, AT)
    else:
        assert list(parse(text, AT).terms) == terms


def test_words_and_times_are_read() -> None:
    query = parse('Ana "two words" since:24h until:2026-11-22T10:00:00+01:00', AT)
    assert query.words == ("ana", "two words")
    assert query.since == int(AT - 86400) * NS
    assert query.until == moment("2026-11-22T09:00:00Z", AT)
    assert parse("", AT) == Query()


@pytest.mark.parametrize(
    "text",
    [
        "password:hunter2",
        "tool:a/b,c/d",
        "tool:/x",
        "-tool:a/b",
        "actor:",
        "actor:,",
        "revision:many",
        "revision:99999999999999999999",
        "since:yesterday",
        "since:99999999999d",
        "until:2026-13-01",
        "-word",
        'half"quoted',
        '"open',
        "x" * 3000,
        " ".join(["a"] * 40),
        "actor:" + ",".join("abcdefghijklmnopqrstuvwxyzabcdefghijklm"),
        "::",
    ],
)
def test_what_is_no_query_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(Fault) as caught:
        parse(text, AT)
    assert caught.value.kind is QUERY_INVALID
    assert "hunter2" not in caught.value.text


@given(st.text(max_size=200))
@settings(max_examples=300)
def test_any_text_is_a_query_or_refused(text: str) -> None:
    try:
        query = parse(text, AT)
    except Fault:
        return
    matches(query, CALL)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("actor:prn_ana", True),
        ("actor:prn_*", True),
        ("actor:PRN_ana", False),
        ("-actor:prn_ana", False),
        ("-actor:other", True),
        ("tool:github/create_*", True),
        ("tool:gitlab/*", False),
        ("outcome:ok,error", True),
        ("outcome:open", False),
        ("revision:4", True),
        ("CREATE", True),
        ("bot", True),
        ("nobody", False),
        ("bot nobody", False),
        ("since:1h", True),
        ("until:1h", False),
    ],
)
def test_a_row_is_judged(text: str, expected: bool) -> None:
    assert matches(parse(text, AT), CALL) is expected


def test_a_call_without_an_outcome_is_open() -> None:
    assert matches(parse("outcome:open", AT), row_of(Intent(time=1), b"", 1))
    assert not matches(parse("outcome:open", AT), Row(time=1, kind="segment"))


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Row]]:
    """An index, and all of its rows."""
    folder = tmp_path_factory.mktemp("indexed")
    write_segment(folder / "journal", "worker-0", 1, calls(1500, overlap=40), sealed=False)
    write_segment(folder / "journal", "worker-1", 1, list(calls(300, seed=3))[:-20], sealed=False)
    write_segment(folder / "journal", "control", 1, control_records(60), sealed=False)
    Ingestion(folder / "journal", folder / "record.db", 2.0).catch_up()
    engine = index.open_to_read(folder / "record.db")
    rows = page(engine, Query(), Span(0, 1 << 62), 1_000_000, {})
    engine.dispose()
    return folder / "record.db", rows


QUERIES = [
    "actor:prn_00000000000000000042",
    "actor:prn_0000000000000000001*",
    "agent:agent-7,agent-8",
    "key:key000000003",
    "address:10.0.1.*",
    "method:tools/call -server:server3",
    "tool:server3/*",
    "tool:server3/tool_3",
    "decision:deny",
    "outcome:error",
    "outcome:open",
    "outcome:open,error",
    "-outcome:ok",
    "outcome:-open",
    "outcome:open",
    "outcome:open actor:prn_00000000000000000042",
    "error:forbidden",
    "-error:*",
    "kind:control outcome:refused",
    "tag:keys:*",
    "target:key000000007",
    "revision:7",
    "rule:member outcome:error",
    "tenant:default kind:refusal",
    "server1 agent-2",
    "forbidden",
    "UPSTREAM_down server1",
    "nothing",
    "actor:none",
    "-actor:none kind:segment",
    "kind:segment,control",
]


@pytest.mark.parametrize("text", QUERIES)
@pytest.mark.parametrize("oldest_first", [False, True])
def test_the_database_finds_what_the_language_means(
    indexed: tuple[Path, list[Row]], text: str, oldest_first: bool
) -> None:
    """The rows that match one by one, in pages, from either end."""
    path, rows = indexed
    query = parse(text, AT)
    expected = sorted((row.time for row in rows if matches(query, row)), reverse=not oldest_first)
    engine = index.open_to_read(path)
    found: list[int] = []
    span = Span(0, 1 << 62, oldest_first)
    while some := page(engine, query, span, 37, {}):
        found += [row.time for row in some]
        last = found[-1]
        span = Span(last + 1, span.high, True) if oldest_first else Span(span.low, last)
    engine.dispose()
    assert found == expected


@pytest.mark.parametrize("limits", [(NOW, NOW + 200_000_000), (NOW + 50_000_000, NOW + 50_000_001)])
def test_times_bound_the_search(indexed: tuple[Path, list[Row]], limits: tuple[int, int]) -> None:
    path, rows = indexed
    engine = index.open_to_read(path)
    found = page(engine, parse("kind:call", AT), Span(*limits), 1_000_000, {})
    engine.dispose()
    assert len(found) == sum(limits[0] <= row.time < limits[1] and row.kind == "call" for row in rows)


def test_a_trace_leads_to_its_call(indexed: tuple[Path, list[Row]]) -> None:
    path, rows = indexed
    trace = next(row.trace for row in rows if row.trace)
    engine = index.open_to_read(path)
    assert [row.trace for row in page(engine, parse(f"trace:{trace}", AT), Span(0, 1 << 62), 10, {})] == [trace]
    engine.dispose()


@pytest.mark.parametrize(
    "trace", ["", "ab" * 16, "AB" * 16, "x", "=", "=" * 17, "0" * 15, "ab " * 10 + "ab", "0123456789abcdef"]
)
def test_any_trace_is_kept_as_it_was(trace: str) -> None:
    assert index.trace_of(index.trace_key(trace)) == trace


def test_a_principals_name_stands_for_its_id(indexed: tuple[Path, list[Row]]) -> None:
    path, rows = indexed
    engine = index.open_to_read(path)
    wanted = "prn_00000000000000000042"
    for text in ("actor:ana", "ana"):
        found = page(engine, parse(text, AT), Span(0, 1 << 62), 1000, {"ana": (wanted,)})
        assert len(found) == sum(row.principal == wanted for row in rows) > 0
    engine.dispose()
