"""The search of tools: a query in words finds the tool that is meant, among hundreds, the same way every time."""

import asyncio
import json
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_platform.features.rbac.check import Allowed
from mcp_platform.features.upstreams.model import ToolRow, UpstreamRow
from mcp_platform.gateway.endpoint import Endpoint
from mcp_platform.gateway.searches import MAX_KEPT, Searches
from mcp_platform.gateway.tool_index import Document, ToolIndex, spread

THINGS = (
    "issue", "pull request", "branch", "commit", "release", "milestone", "label", "workflow run", "calendar event",
    "email message", "contact", "spreadsheet row", "document page", "invoice", "customer", "subscription", "payment",
    "order", "product", "warehouse item", "database table", "virtual machine", "container image", "log entry", "alert",
)  # fmt: skip
DEEDS = (
    ("list", "Lists every {} that matches a filter, newest first."),
    ("get", "Shows one {} with all of its details."),
    ("create", "Makes a new {} from the given fields."),
    ("update", "Changes fields of an existing {}."),
    ("delete", "Removes a {} for good; it cannot be restored."),
    ("search", "Looks for a {} by words in its text."),
    ("export", "Writes a {} to a file in CSV or PDF."),
    ("import", "Reads a {} from an uploaded file."),
    ("archive", "Moves a {} out of the way without removing it."),
    ("share", "Gives another person access to a {}."),
    ("watch", "Notifies you when a {} changes."),
    ("copy", "Duplicates a {} under another name."),
    ("count", "Tells how many of a {} there are in a period."),
    ("merge", "Joins a {} with another one of its kind."),
    ("assign", "Hands a {} to a team member who is to deal with it."),
    ("comment", "Writes a remark below a {}."),
    ("restore", "Brings a {} back from the archive."),
    ("validate", "Checks that a {} is complete and right."),
    ("schedule", "Plans when a {} is processed."),
    ("history", "Shows who changed a {} and when."),
)
ARGUMENTS = {"list": "filter", "create": "fields", "export": "format", "share": "recipient", "schedule": "startAt"}


def definition(name: str, text: str, *arguments: str) -> bytes:
    properties = {argument: {"type": "string"} for argument in arguments}
    schema = {"type": "object", "properties": properties}
    return json.dumps({"name": name, "description": text, "inputSchema": schema}).encode()


def five_hundred() -> list[Document]:
    """Names in the styles that servers have: snake_case, camelCase, with dots and dashes."""
    documents = []
    for number, thing in enumerate(THINGS):
        for deed, text in DEEDS:
            words = [deed, *thing.split()]
            camel = words[0] + "".join(word.title() for word in words[1:])
            name = ("_".join(words), camel, ".".join(words), "-".join(words))[number % 4]
            said = definition(name, text.format(thing), "id", ARGUMENTS.get(deed, "options"))
            documents.append(Document(name, ("server", name), said))
    return sorted(documents)


INDEX = ToolIndex(five_hundred())


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("list open issues", "list_issue"),
        ("delete a calendar event", "delete_calendar_event"),
        ("create pull request", "createPullRequest"),
        ("export invoices as PDF", "exportInvoice"),
        ("assign the issue to somebody on the team", "assign_issue"),
        ("who changed this document page and when", "history_document_page"),
        ("searchEmailMessage", "searchEmailMessage"),
        ("get_log_entry", "get-log-entry"),
        ("give a colleague access to a spreadsheet row", "share-spreadsheet-row"),
        ("bring a customer back from the archive", "restore.customer"),
        ("how many orders were there in a period", "countOrder"),
        ("schedule workflow run startAt", "schedule-workflow-run"),
        ("DUPLICATE PRODUCT", "copy.product"),
        ("Container-Images auflisten list", "list.container.image"),
    ],
)
def test_a_query_in_words_finds_its_tool_among_five_hundred(query: str, name: str) -> None:
    assert len(five_hundred()) == 500
    assert name in INDEX.find(query, 5)


def test_every_tool_is_found_by_its_own_words() -> None:
    """Name, and description without the name: in the first five of five hundred."""
    missed = [
        (document.name, by)
        for document in five_hundred()
        for by in (document.name, json.loads(document.definition)["description"])
        if document.name not in INDEX.find(by, 5)
    ]
    assert len(missed) <= 5, missed


def test_equals_come_in_the_order_of_their_names_every_time() -> None:
    names = sorted(f"tool{number:03}" for number in range(200))
    same = [Document(name, (), definition("x", "Says something.")) for name in names]
    found = [ToolIndex(same).find("says", 20) for _ in range(3)]
    assert found[0] == found[1] == found[2] == names[:20]


@pytest.mark.parametrize(
    "query", ["", " ", "the of and", "zzzzqqq", "*", "title:*", "+-", "((", '"', "x" * 1000, "\0", "/.*/"]
)
def test_a_query_is_words_and_never_a_command(query: str) -> None:
    assert INDEX.find(query, 5) == []


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200), st.integers(1, 20))
def test_whatever_is_asked_gets_at_most_what_was_asked_for(query: str, limit: int) -> None:
    found = INDEX.find(query, limit)
    assert len(found) <= limit
    assert len(set(found)) == len(found)


ODD = (b"{}", b"[]", b"", b'{"title":7,"description":[],"inputSchema":[]}', b'{"inputSchema":{"properties":7}}')


@pytest.mark.parametrize("raw", ODD)
def test_a_definition_that_says_nothing_is_found_by_its_name(raw: bytes) -> None:
    assert ToolIndex([Document("plain_tool", (), raw)]).find("plain", 5) == ["plain_tool"]
    assert ToolIndex([]).find("plain", 5) == []


def test_humps_are_joints() -> None:
    assert spread("getCurrentTime HTTPServer x2Y") == "get Current Time HTTP Server x2 Y"


def endpoint(tools: int) -> Endpoint:
    upstream = UpstreamRow("ups-a", "a", "http", "http://127.0.0.1/", 1, False, True, 60.0, 1000)
    words = [f"word{n}" for n in range(3000)]
    picked = random.Random(7)
    rows = {}
    for number in range(tools):
        name = f"tool_{number}"
        said = definition(name, " ".join(picked.choices(words, k=60)), *picked.choices(words, k=5))
        rows[name] = ToolRow("ups-a", "a", name, name, said, f"h{number}", b"{}")
    return Endpoint("v", {"ups-a": upstream}, rows, {}, {}, {}, curated=True, tool_search=True)


@pytest.mark.anyio
async def test_only_what_a_caller_may_use_is_found() -> None:
    searches, place = Searches(), endpoint(50)
    everything = await searches.index(1, place, Allowed.of(["*/*"]))
    one = await searches.index(1, place, Allowed.of(["a/tool_7"]))
    none = await searches.index(1, place, Allowed.of([]))
    assert (len(everything.find("tool", 20)), one.find("tool", 20), none.find("tool", 20)) == (20, ["tool_7"], [])


@pytest.mark.anyio
async def test_an_index_is_made_once_for_what_can_be_found() -> None:
    """Callers who may use the same share it, and revisions that change nothing of it."""
    searches, place = Searches(), endpoint(20)
    first, second = await asyncio.gather(
        searches.index(1, place, Allowed.of(["*/*"])), searches.index(1, place, Allowed.of(["a/*"]))
    )
    assert first is second is await searches.index(2, endpoint(20), Allowed.of(["*/*"]))
    assert await searches.index(3, endpoint(21), Allowed.of(["*/*"])) is not first


@pytest.mark.anyio
async def test_no_more_indexes_are_kept_than_the_ceiling() -> None:
    searches, place = Searches(), endpoint(MAX_KEPT + 10)
    for number in range(MAX_KEPT + 10):
        found = await searches.index(1, place, Allowed.of([f"a/tool_{number}"]))
        assert found.find("tool", 5) == [f"tool_{number}"]
    assert len(searches._kept) == MAX_KEPT
    again = await searches.index(1, place, Allowed.of(["a/tool_0"]))
    assert again.find("tool", 5) == ["tool_0"]


@pytest.mark.alone
@pytest.mark.anyio
async def test_ten_thousand_tools_are_indexed_without_holding_the_loop() -> None:
    """20 ms is the most that a call may wait for somebody else's index; two turns may be the machine's."""
    searches, place = Searches(), endpoint(10_000)
    made = asyncio.ensure_future(searches.index(1, place, Allowed.of(["*/*"])))
    held, last = [], time.perf_counter()
    while not made.done():
        await asyncio.sleep(0.001)
        now = time.perf_counter()
        held.append(now - last - 0.001)
        last = now
    index = made.result()
    began = time.perf_counter()
    assert len(index.find("word1 word2 word3 word4 word5", 20)) == 20
    took = time.perf_counter() - began
    assert sorted(held)[-3] < 0.02, sorted(held)[-5:]
    assert took < 0.02
