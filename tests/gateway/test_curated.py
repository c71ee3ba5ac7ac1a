"""What a virtual server offers of a revision, and whose lists and cursors are whose."""

import msgspec
import pytest

from mcp_platform.base.errors import Fault
from mcp_platform.features.identity.model import PrincipalRow
from mcp_platform.features.jwt.model import Token
from mcp_platform.features.rbac.check import Allowed
from mcp_platform.features.upstreams.model import PromptRow, ResourceRow, TemplateRow, ToolRow, UpstreamRow
from mcp_platform.features.virtualservers.model import VirtualItem, VirtualRow
from mcp_platform.gateway import about
from mcp_platform.gateway.endpoints import Endpoints, name_of
from mcp_platform.gateway.errors import CURSOR_INVALID
from mcp_platform.gateway.identity import Identity
from mcp_platform.gateway.listing import PAGE_ITEMS, cursor_seal
from mcp_platform.snapshot.model import Snapshot

ALL = Allowed.of(["*/*", "prompts:*/*", "resources:*/*"])
SEAL = cursor_seal(b"s" * 32)


def caller(*roles: str, allowed: Allowed = ALL, only: frozenset[str] | None = None, principal: str = "p1") -> Identity:
    token = None
    if only is not None:
        token = Token("iss", b"", "EdDSA", "s", None, None, None, None, 1e12, roles, only)
    return Identity(PrincipalRow(principal, "p", "person", "t", roles), "agent", "key", allowed, token)


def tool(server: str, name: str, exposed: str) -> ToolRow:
    definition = msgspec.json.encode({"name": exposed, "description": "theirs", "inputSchema": {"x": 1}})
    return ToolRow(f"ups-{server}", server, name, exposed, definition, f"hash of {server}/{name}", b"{}")


def snapshot(*virtuals: VirtualRow, enabled: bool = True) -> Snapshot:
    rows = [UpstreamRow(f"ups-{n}", n, "http", "http://h/", 1, False, True, 9.0, 9, enabled or n == "a") for n in "ab"]
    tools = [tool("a", "echo", "echo"), tool("b", "echo", "b.echo"), tool("a", "add", "add")]
    return Snapshot(
        revision=7,
        upstreams={row.id: row for row in rows},
        tools={row.exposed: row for row in tools},
        prompts={"ask": PromptRow("ups-b", "b", "ask", "ask", b'{"name":"ask"}', "h")},
        resources={"file:///x": ResourceRow("ups-b", "b", "file:///x", "file:///x", b'{"uri":"file:///x"}', "h")},
        templates={"t://{a}": TemplateRow("ups-b", "b", "t://{a}", "t://{a}", b'{"uriTemplate":"t://{a}"}', "h")},
        virtuals={row.name: row for row in virtuals},
    )


def virtual(name: str, *items: VirtualItem, roles: tuple[str, ...] = (), **more: object) -> VirtualRow:
    usual = {"title": "", "description": "", "instructions": "", "tool_search": False}
    return VirtualRow(f"vsr-{name}", name, roles=roles, items=items, **{**usual, **more})  # type: ignore[arg-type]  # by name


CHOSEN = (
    VirtualItem("tools", "b", "echo", "say", "ours"),
    VirtualItem("tools", "a", "echo", "echo"),
    VirtualItem("tools", "a", "gone", "gone"),
    VirtualItem("tools", "c", "echo", "c.echo"),
    VirtualItem("prompts", "b", "ask", "ask.b"),
    VirtualItem("resources", "b", "file:///x"),
    VirtualItem("resources", "b", "file:///y"),
    VirtualItem("templates", "b", "t://{a}", description="ours"),
)


def test_what_is_there_is_offered_under_its_name_here_and_the_rest_left_out() -> None:
    endpoint = Endpoints(snapshot(virtual("v", *CHOSEN)), SEAL).at("v", caller())
    assert endpoint is not None
    assert (sorted(endpoint.tools), list(endpoint.prompts)) == (["echo", "say"], ["ask.b"])
    assert (list(endpoint.resources), list(endpoint.templates)) == (["file:///x"], ["t://{a}"])
    item = endpoint.tool("say", ALL)
    assert item is not None
    assert (item.server, item.name, item.exposed, item.definition) == ("b", "echo", "say", "hash of b/echo")
    assert endpoint.tool("b.echo", ALL) is None
    assert endpoint.tool("add", ALL) is None
    assert endpoint.resource("t://1", ALL) is not None
    assert endpoint.resource("file:///y", ALL) is None


def test_lists_are_in_the_operators_words_and_otherwise_verbatim() -> None:
    endpoints = Endpoints(snapshot(virtual("v", *CHOSEN)), SEAL)
    endpoint = endpoints.at("v", caller())
    assert endpoint is not None
    lists = endpoints.lists(endpoint)
    pages = {kind: lists.page(kind, caller(), None)[0].items for kind in ("tools", "prompts", "resourceTemplates")}
    assert pages["tools"] == (
        b'[{"name":"echo","description":"theirs","inputSchema":{"x":1}},'
        b'{"name":"say","description":"ours","inputSchema":{"x":1}}]'
    )
    assert pages["prompts"] == b'[{"name":"ask.b"}]'
    assert pages["resourceTemplates"] == b'[{"uriTemplate":"t://{a}","description":"ours"}]'


def test_a_disabled_server_is_left_out() -> None:
    endpoint = Endpoints(snapshot(virtual("v", *CHOSEN), enabled=False), SEAL).at("v", caller())
    assert endpoint is not None
    assert endpoint.tool("say", ALL) is None
    assert endpoint.tool("echo", ALL) is not None


def test_a_virtual_server_widens_nothing() -> None:
    endpoint = Endpoints(snapshot(virtual("v", *CHOSEN)), SEAL).at("v", caller())
    assert endpoint is not None
    only_a = Allowed.of(["a/*"])
    assert endpoint.tool("say", only_a) is None
    assert endpoint.tool("echo", only_a) is not None
    assert endpoint.prompt("ask.b", only_a) is None
    assert endpoint.resource("file:///x", only_a) is None


def test_roles_and_tokens_decide_who_comes_in() -> None:
    endpoints = Endpoints(snapshot(virtual("v", *CHOSEN, roles=("x", "y")), virtual("w")), SEAL)
    assert endpoints.at("v", caller("y")) is not None
    assert endpoints.at("v", caller("z")) is None
    assert endpoints.at("v", caller()) is None
    assert endpoints.at("w", caller(only=frozenset({"w"}))) is not None
    assert endpoints.at("w", caller(only=frozenset({"v"}))) is None
    assert endpoints.at("", caller(only=frozenset({"w"}))) is None
    assert endpoints.at("nothing", caller("x")) is None


def test_a_cursor_is_worthless_at_another_endpoint_and_for_another_principal() -> None:
    many = [tool("a", f"t{n:04}", f"t{n:04}") for n in range(PAGE_ITEMS + 1)]
    items = [VirtualItem("tools", "a", row.name, row.exposed) for row in many]
    base = snapshot(virtual("v", *items), virtual("w", *items))
    endpoints = Endpoints(
        Snapshot(1, upstreams=base.upstreams, tools={row.exposed: row for row in many}, virtuals=base.virtuals), SEAL
    )
    cursors = {}
    for name in ("", "v", "w"):
        endpoint = endpoints.at(name, caller())
        assert endpoint is not None
        page, cursors[name] = endpoints.lists(endpoint).page("tools", caller(), None)
        assert len(msgspec.json.decode(page.items)) == PAGE_ITEMS
    for name, cursor in cursors.items():
        for other in cursors:
            endpoint = endpoints.at(other, caller())
            assert endpoint is not None
            if other == name:
                page, after = endpoints.lists(endpoint).page("tools", caller(), cursor)
                assert (len(msgspec.json.decode(page.items)), after) == (1, None)
            for who in [caller(principal="p2")] + ([caller()] if other != name else []):
                with pytest.raises(Fault) as refused:
                    endpoints.lists(endpoint).page("tools", who, cursor)
                assert refused.value.kind is CURSOR_INVALID


def test_instructions_of_its_own_stand_alone() -> None:
    rows = (virtual("v", *CHOSEN, instructions="Only this."), virtual("w", *CHOSEN, title="W", tool_search=True))
    endpoints = Endpoints(snapshot(*rows), SEAL)
    said = {}
    for name in ("v", "w"):
        endpoint = endpoints.at(name, caller())
        assert endpoint is not None
        said[name] = about.instructions(endpoint, ALL)
    assert said["v"] == "Only this."
    assert said["w"].startswith("W\n\nFind the tool you need with `search_tools`")


PATHS = {"/mcp": "", "/mcp/a": "a", "/mcp/a-b_1": "a-b_1"} | dict.fromkeys(
    ("/mcp/", "/mcp/A", "/mcp/a/", "/mcp/a/b", "/mcpa", "/mcp/a\n", "/mcp/%61", "/", "/mcp/-a", f"/mcp/{'x' * 33}"),
    None,
)


@pytest.mark.parametrize(("path", "name"), PATHS.items())
def test_a_path_has_one_spelling(path: str, name: str | None) -> None:
    assert name_of(path) == name
