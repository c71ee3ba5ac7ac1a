"""The URIs that agents see resources by."""

from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st

from mcp_platform.features.upstreams.uris import (
    exposed_uri,
    is_uri,
    qualified_template,
    qualified_uri,
)

SERVERS = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,31}", fullmatch=True)
URIS = st.text(st.characters(min_codepoint=0x21, blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=80).filter(
    is_uri
)


@given(SERVERS, URIS)
def test_a_qualified_uri_means_one_resource_of_one_server(server: str, uri: str) -> None:
    exposed = qualified_uri(server, uri)
    assert exposed.startswith(f"mcpp://{server}/")
    assert unquote(exposed.removeprefix(f"mcpp://{server}/")) == uri
    assert exposed.isascii()


@given(SERVERS, URIS, SERVERS, URIS)
def test_two_of_them_are_equal_only_where_they_mean_the_same(one: str, a: str, other: str, b: str) -> None:
    assert (qualified_uri(one, a) == qualified_uri(other, b)) == ((one, a) == (other, b))


@given(SERVERS, URIS, SERVERS)
def test_nobody_sees_a_uri_that_is_another_servers(server: str, uri: str, other: str) -> None:
    """Ours: neither one that was assigned, nor the form that names a server."""
    first = exposed_uri(server, uri, {})
    taken = {first: server} if first == uri else {}
    second = exposed_uri(other, uri, taken)
    assert (first == second) == (server == other or second == first)
    if server != other:
        assert first != second or first != uri
    forged = qualified_uri(server, uri)
    if server != other:
        assert exposed_uri(other, forged, {}) != forged
        assert exposed_uri(other, forged.replace("mcpp", "MCPP"), {}).startswith(f"mcpp://{other}/")


def test_a_template_keeps_its_expressions() -> None:
    assert qualified_template("fs", "file:///{+path}{?a,b}") == "mcpp://fs/file%3A%2F%2F%2F{+path}{?a,b}"
    assert exposed_uri("b", "x://{id}", {"x://{id}": "a"}, template=True) == "mcpp://b/x%3A%2F%2F{id}"
    assert exposed_uri("a", "x://{id}", {"x://{id}": "a"}, template=True) == "x://{id}"
