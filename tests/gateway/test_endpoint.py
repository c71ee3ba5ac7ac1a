"""Whose a name is: tools, prompts and resources of several servers behind one URL."""

import pytest

from mcp_platform.features.rbac.check import Allowed
from mcp_platform.features.upstreams.model import PromptRow, ResourceRow, TemplateRow, ToolRow, UpstreamRow
from mcp_platform.gateway.endpoint import Endpoint, with_server
from mcp_platform.gateway.resource_names import as_callers_say
from mcp_platform.net.transports.model import Answer

ALL = Allowed.of(["*/*", "prompts:*/*", "resources:*/*"])
CAPABILITIES = b'{"resources":{}}'


def upstream(name: str, *, capabilities: bytes = CAPABILITIES, enabled: bool = True) -> UpstreamRow:
    return UpstreamRow(
        f"ups-{name}", name, "http", "http://127.0.0.1/", 1, False, True, 60.0, 1000, enabled, capabilities=capabilities
    )


def endpoint(*upstreams: UpstreamRow, curated: bool = False) -> Endpoint:
    tools = {"echo": ToolRow("ups-a", "a", "echo", "echo", b"{}", "h1", b"{}")}
    prompts = {"b.ask": PromptRow("ups-b", "b", "ask", "b.ask", b"{}", "h2")}
    resources = {
        "file:///x": ResourceRow("ups-a", "a", "file:///x", "file:///x", b"{}", "h3"),
        with_server("b", "file:///x"): ResourceRow(
            "ups-b", "b", "file:///x", with_server("b", "file:///x"), b"{}", "h4"
        ),
    }
    templates = {
        "any://{+all}": TemplateRow("ups-a", "a", "any://{+all}", "any://{+all}", b"{}", "h5"),
        "any://rows/{id}": TemplateRow("ups-b", "b", "any://rows/{id}", "any://rows/{id}", b"{}", "h6"),
    }
    return Endpoint("", {row.id: row for row in upstreams}, tools, prompts, resources, templates, curated=curated)


BOTH = endpoint(upstream("a"), upstream("b"))


@pytest.mark.parametrize(
    ("uri", "server", "own"),
    [
        ("file:///x", "a", "file:///x"),
        (with_server("b", "file:///x"), "b", "file:///x"),
        (with_server("b", "x://unlisted?a=b%20c"), "b", "x://unlisted?a=b%20c"),
        ("any://thing/else", "a", "any://thing/else"),
        ("any://rows/7", "b", "any://rows/7"),
    ],
)
def test_a_uri_belongs_to_one_server(uri: str, server: str, own: str) -> None:
    """The one that lists it, that it names, or whose template says most about it."""
    item = BOTH.resource(uri, ALL)
    assert item is not None
    assert (item.server, item.name, item.exposed) == (server, own, uri)


def test_an_unlisted_uri_goes_to_the_only_server_that_can_be_meant() -> None:
    alone = endpoint(upstream("a"), upstream("b", capabilities=b"{}"))
    found = alone.resource("unknown://1", ALL)
    assert found is not None
    assert found.server == "a"
    assert BOTH.resource("unknown://1", ALL) is None


def test_a_curated_endpoint_serves_nothing_that_was_not_chosen() -> None:
    curated = endpoint(upstream("a"), upstream("b", capabilities=b"{}"), curated=True)
    assert curated.resource("unknown://1", ALL) is None
    assert curated.resource(with_server("a", "file:///etc/passwd"), ALL) is None
    assert curated.resource("file:///x", ALL) is not None


def test_what_is_forbidden_looks_like_what_is_not_there() -> None:
    nobody, only_b = Allowed.of([]), Allowed.of(["resources:b/*"])
    assert BOTH.tool("echo", nobody) is None
    assert BOTH.prompt("b.ask", nobody) is None
    assert BOTH.resource("file:///x", only_b) is None
    assert BOTH.resource(with_server("b", "file:///x"), only_b) is not None


def test_a_rule_for_tools_opens_no_prompt_and_no_resource() -> None:
    tools = Allowed.of(["*/*"])
    assert BOTH.tool("echo", tools) is not None
    assert BOTH.prompt("b.ask", tools) is None
    assert BOTH.resource("file:///x", tools) is None


def test_a_disabled_server_offers_nothing() -> None:
    off = endpoint(upstream("a", enabled=False), upstream("b"))
    assert off.tool("echo", ALL) is None
    assert off.resource("file:///x", ALL) is None


def test_what_was_found_is_found_again_only_at_its_server() -> None:
    item = BOTH.resource("file:///x", ALL)
    assert item is not None
    assert BOTH.find(item, ALL) == item
    assert BOTH.find(item, Allowed.of([])) is None
    moved = endpoint(upstream("b"))
    assert moved.find(item, ALL) is None


def test_a_server_that_names_its_resource_is_understood_by_callers() -> None:
    """Links and contents of a server whose URI another had first carry the name that callers know."""
    item = BOTH.resource(with_server("b", "file:///x"), ALL)
    assert item is not None
    rewrite = as_callers_say(BOTH, item)
    assert rewrite is not None
    answer = Answer(result=b'{"contents":[{"uri":"file:///x","text":"1.50"}],"n":1.50}')
    name = with_server("b", "file:///x").encode()
    assert rewrite(answer).result == b'{"contents":[{"uri":"' + name + b'","text":"1.50"}],"n":1.50}'
    link = Answer(result=b'{"content":[{"type":"resource","resource":{"uri":"file:///x"}},{"type":"text","text":""}]}')
    assert name in (rewrite(link).result or b"")
    other = Answer(result=b'{"content":[{"type":"resource_link","uri":"file:///other"}]}')
    assert rewrite(other) is other


def test_a_server_whose_names_are_its_own_answers_verbatim() -> None:
    item = BOTH.resource("file:///x", ALL)
    assert item is not None
    assert as_callers_say(BOTH, item) is None
