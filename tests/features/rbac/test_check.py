"""What roles allow."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_platform.features.rbac.check import Allowed, is_role_name, is_rule

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
