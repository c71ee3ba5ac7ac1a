"""What a legacy server can tell, and which of it a listener wants."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_platform.net.transports.model import Wanted
from mcp_platform.net.transports.offers import TASK, TOOLS, UPDATED, Offers, is_heard, of_capabilities, subject_of

EVERYTHING = Wanted(tools=True, prompts=True, resources=True, uris=frozenset({"a://1"}))


@pytest.mark.parametrize(
    ("capabilities", "offered"),
    [
        (b"{}", Offers()),
        (b'{"tools":{}}', Offers()),
        (b'{"tools":{"listChanged":true,"x":1},"x":[]}', Offers(tools=True)),
        (b'{"prompts":{"listChanged":true}}', Offers(prompts=True)),
        (b'{"resources":{"subscribe":true}}', Offers(subscribe=True)),
        (b'{"resources":{"listChanged":true}}', Offers(resources=True)),
        (b'{"logging":{}}', Offers(logging=True)),
        (b'{"logging":null,"tools":null}', Offers()),
        (b'{"tools":{"listChanged":"yes"}}', Offers()),
        (b"[]", Offers()),
        (b"", Offers()),
    ],
)
def test_only_what_is_declared_plainly_is_offered(capabilities: bytes, offered: Offers) -> None:
    assert of_capabilities(capabilities) == offered


def test_what_is_not_offered_is_not_honoured() -> None:
    assert Offers(prompts=True).of(EVERYTHING) == Wanted(prompts=True)
    assert Offers(subscribe=True).of(EVERYTHING) == Wanted(uris=frozenset({"a://1"}))
    assert Offers(tools=True, subscribe=True).of(Wanted()) == Wanted()


@pytest.mark.parametrize(
    ("uri", "heard"),
    [
        ("a://x/y", True),
        ("a://x/y/part", True),
        ("a://x/y#part", True),
        ("a://x/y?q=/1", True),
        ("b://dir/file", True),
        ("a://x/yy", False),
        ("a://x", False),
        ("a://x/", False),
        ("b://dir", False),
        ("", False),
    ],
)
def test_an_update_of_what_lies_below_is_heard_and_of_what_lies_beside_is_not(uri: str, heard: bool) -> None:
    wanted = Wanted(uris=frozenset({"a://x/y", "b://dir/"}))
    assert is_heard(wanted, UPDATED, uri) is heard


@given(st.text(alphabet="ab/?#:", max_size=30), st.text(alphabet="ab/?#:", max_size=30))
def test_an_update_is_heard_only_by_who_wants_it_or_what_it_begins_with(wanted: str, uri: str) -> None:
    heard = is_heard(Wanted(uris=frozenset({wanted})), UPDATED, uri)
    assert not heard or uri.startswith(wanted)
    assert heard or uri != wanted


def test_the_subject_of_an_update_or_a_task_that_names_none_is_none() -> None:
    for method in (UPDATED, TASK):
        assert subject_of(method, b"{}") is None
        assert subject_of(method, b"[") is None
    assert subject_of(UPDATED, b'{"uri":"a://1","taskId":"1"}') == "a://1"
    assert subject_of(TASK, b'{"uri":"a://1","taskId":"1"}') == "1"
    assert subject_of(TOOLS, b"[") == ""


def test_news_of_a_task_are_heard_by_who_wants_that_task() -> None:
    assert is_heard(Wanted(task_ids=frozenset({"1"})), TASK, "1")
    assert not is_heard(Wanted(uris=frozenset({"1"})), TASK, "1")
    assert not is_heard(Wanted(task_ids=frozenset({"1"})), UPDATED, "1")
