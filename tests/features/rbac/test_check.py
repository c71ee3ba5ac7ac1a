"""What roles allow."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_platform.features.rbac.check import Allowed, is_role_name, is_rule, is_tool_rule

SERVERS = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,31}", fullmatch=True)
TOOLS = st.text(
    st.characters(blacklist_characters="*", min_codepoint=0x20, blacklist_categories=["Cc", "Cs"]),
    min_size=1,
    max_size=60,
)


@pytest.mark.parametrize("rule", ["*/*", "git/*", "*/search", "git/commit", "git/a/b", "g-1_x/Tool.Name"])
def test_a_rule_is_server_slash_tool(rule: str) -> None:
    assert is_rule(rule)


@pytest.mark.parametrize(
    "rule",
    [
        "",
        "*",
        "git",
        "git/",
        "/x",
        "git/com*",
        "g*/x",
        "**/*",
        "*/**",
        "Git/x",
        "git /x",
        "git/x\n",
        "-git/x",
        "git/" + "x" * 300,
    ],
)
def test_a_star_is_only_ever_a_whole_side(rule: str) -> None:
    """Ours: `git/com*` must not be taken for a prefix; it allows nothing."""
    assert not is_rule(rule)
    assert not Allowed.of([rule]).permits("git", "commit")


@given(SERVERS, TOOLS)
def test_nothing_is_allowed_by_default(server: str, tool: str) -> None:
    assert not Allowed.of([]).permits(server, tool)
    assert not Allowed.of(["*/*"], scopes=[]).permits(server, tool)


@given(SERVERS, TOOLS, SERVERS, TOOLS)
def test_a_rule_allows_what_it_names_and_no_more(server: str, tool: str, other: str, name: str) -> None:
    assert Allowed.of(["*/*"]).permits(server, tool)
    assert Allowed.of([f"{server}/{tool}"]).permits(other, name) == ((other, name) == (server, tool))
    assert Allowed.of([f"{server}/*"]).permits(other, name) == (other == server)
    assert Allowed.of([f"*/{tool}"]).permits(other, name) == (name == tool)


@given(SERVERS, TOOLS)
def test_scopes_narrow_and_never_widen(server: str, tool: str) -> None:
    assert not Allowed.of([], scopes=["*/*"]).permits(server, tool)
    assert Allowed.of(["*/*"], scopes=[f"{server}/{tool}"]).permits(server, tool)
    assert not Allowed.of([f"{server}/{tool}"], scopes=["another/x"]).permits(server, tool)
    assert Allowed.of([f"{server}/*"]).permits(server, tool)


def test_role_names_are_plain() -> None:
    assert is_role_name("member")
    for wrong in ("", "Member", "a b", "a/b", "-a", "a" * 65, "a\n"):
        assert not is_role_name(wrong)


NAMES = st.text(
    st.characters(blacklist_characters="*", min_codepoint=0x20, blacklist_categories=["Cc", "Cs"]),
    min_size=1,
    max_size=60,
)
KINDS = ("", "prompts:", "resources:")


def _permits(allowed: Allowed, kind: str, server: str, name: str) -> bool:
    return {
        "": allowed.permits,
        "prompts:": allowed.permits_prompt,
        "resources:": allowed.permits_resource,
    }[kind](server, name)


def _rule(allowed: Allowed, kind: str, server: str, name: str) -> str:
    return {"": allowed.rule, "prompts:": allowed.rule_prompt, "resources:": allowed.rule_resource}[kind](server, name)


@given(st.sampled_from(KINDS), st.sampled_from(KINDS), SERVERS, NAMES, SERVERS, NAMES)
def test_a_rule_about_one_kind_of_thing_allows_no_other(
    kind: str, other_kind: str, server: str, name: str, other: str, other_name: str
) -> None:
    for sides, allows in (
        ("*/*", True),
        (f"{server}/*", other == server),
        (f"*/{name}", other_name == name),
        (f"{server}/{name}", (other, other_name) == (server, name)),
    ):
        rule = kind + sides
        assert is_rule(rule)
        allowed = Allowed.of([rule])
        expected = allows and kind == other_kind
        assert _permits(allowed, other_kind, other, other_name) == expected
        assert (_rule(allowed, other_kind, other, other_name) == rule) == expected
        narrowed = Allowed.of([f"{each}*/*" for each in KINDS], scopes=[rule])
        assert _permits(narrowed, other_kind, other, other_name) == expected
        assert not _permits(Allowed.of([rule], scopes=[]), other_kind, other, other_name)


@pytest.mark.parametrize(
    "rule",
    [
        "prompts:*/*",
        "prompts:wiki/summary",
        "resources:*/*",
        "resources:wiki/file:///a/b?c#d",
        "resources:*/x://1",
        "resources:wiki/" + "x" * 2048,
    ],
)
def test_rules_speak_of_prompts_and_resources(rule: str) -> None:
    assert is_rule(rule)
    assert not is_tool_rule(rule)


@pytest.mark.parametrize(
    "rule",
    [
        "prompts:",
        "prompts:/x",
        "prompts:wiki",
        "prompts:wi*/x",
        "Prompts:wiki/x",
        "prompts: wiki/x",
        "prompts:prompts:wiki/x",
        "tools:wiki/x",
        "templates:wiki/x",
        "resources:wiki/x*",
        "resources:wiki/a\nb",
        "resources:wiki/" + "x" * 2200,
        "prompts:wiki/" + "x" * 300,
    ],
)
def test_what_only_looks_like_such_a_rule_allows_nothing(rule: str) -> None:
    assert not is_rule(rule)
    allowed = Allowed.of([rule])
    for kind in KINDS:
        for name in ("x", "x*", "a\nb", "x" * 300):
            assert not _permits(allowed, kind, "wiki", name)
