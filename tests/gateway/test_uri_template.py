"""Whose a URI is, told from templates (RFC 6570)."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_platform.gateway.uri_template import matches


@pytest.mark.parametrize(
    ("template", "uri"),
    [
        ("test://template/{id}/data", "test://template/42/data"),
        ("file:///{+path}", "file:///a/b/c"),
        ("demo://resource/dynamic/text/{resourceId}", "demo://resource/dynamic/text/7"),
        ("db://{table}/{row}", "db://users/1"),
        ("search://q{?text,lang}", "search://q?text=a&lang=de"),
        ("a://b{/path*}", "a://b/c/d"),
        ("a://fixed", "a://fixed"),
    ],
)
def test_a_uri_that_the_template_makes_is_its(template: str, uri: str) -> None:
    assert matches(template, uri)


@pytest.mark.parametrize(
    ("template", "uri"),
    [
        ("test://template/{id}/data", "test://template/42/other"),
        ("test://template/{id}/data", "test://template/4/2/data"),
        ("test://template/{id}/data", "test://template/data"),
        ("db://{table}/{row}", "db://users"),
        ("a://fixed", "a://fixed/more"),
        ("a://{x}", "b://1"),
        ("x" * 3000 + "{a}", "x" * 3000 + "1"),
    ],
)
def test_any_other_is_not(template: str, uri: str) -> None:
    assert not matches(template, uri)


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_text_breaks_it(template: str, uri: str) -> None:
    matches(template, uri)


def test_a_template_made_to_be_slow_is_not() -> None:
    template = "a{x}" * 500
    before = time.process_time()
    matches(template, "a" * 2000 + "b")
    assert time.process_time() - before < 0.05
