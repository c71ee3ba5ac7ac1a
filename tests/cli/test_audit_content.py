"""`audit search --content`: what was said in calls, as far as it can be read; over a real platform that records it."""

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.journeys.platform import Platform, running_platform
from tests.journeys.test_kill import SERVER
from tests.journeys.test_rest import ask

SEARCH = "/audit/content-search"
TEXTS = ("Invoice 4711 for ANA", 'she said "later"', "Größe: 3 m²", *(f"nothing special {n}" for n in range(9)))


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Everything that was said is recorded in full; one agent's words, `ben`'s, were spoken with a key of his own."""
    folder = tmp_path_factory.mktemp("spoken")
    with running_platform(folder, config='[journal]\ncontent = "full"') as platform:
        platform.cli("server", "add", "echo", "--", sys.executable, str(SERVER), str(folder / "echo.log"), "20")
        for text in TEXTS:
            assert platform.call("echo", {"text": text}).status == 200
        ben = platform.cli("key", "create", "--principal", "ben", "--role", "member")["api_key"]
        assert platform.call("echo", {"text": "a word of ben about invoice 9"}, key=ben).status == 200
        count = len(TEXTS) + 1
        platform.wait_for(lambda: len(rows(platform)) == count, "all calls in the index", 15)
        yield platform


def rows(platform: Platform) -> list[Any]:
    found: list[Any] = platform.cli("audit", "search", "kind:call", "outcome:ok", "--limit", "500")["rows"]
    return found


def sought(platform: Platform, text: str, *more: str) -> dict[str, Any]:
    answer: dict[str, Any] = platform.cli("audit", "search", "--content", text, *more)
    return answer


def test_a_text_is_found_in_arguments_and_results_whatever_its_case(spoken: Platform) -> None:
    answer = sought(spoken, "invoice 4711 FOR ana")
    (row,) = answer["rows"]
    assert [each["where"] for each in row["found"]] == ["arguments", "result"]
    assert all("Invoice 4711 for ANA" in each["text"] for each in row["found"])
    assert (row["tool"], row["outcome"]) == ("echo", "ok")
    assert answer["examined"] == len(TEXTS) + 1
    assert set(answer["unread"].values()) == {0}
    assert answer["next"] is None


@pytest.mark.parametrize("text", ['said "later"', "GRÖSSE", "größe", "4711", '"text":"she'])
def test_escapes_and_other_letters_are_no_obstacle(spoken: Platform, text: str) -> None:
    """JSON writes a quote with a backslash before it; one who searches does not. `ß` and `SS` are two texts."""
    assert len(sought(spoken, text)["rows"]) == (0 if text == "GRÖSSE" else 1)


def test_only_what_the_query_finds_is_looked_into(spoken: Platform) -> None:
    answer = sought(spoken, "invoice", "actor:ben")
    assert [row["actor"] for row in answer["rows"]] == ["ben"]
    assert answer["examined"] == 1
    assert sought(spoken, "invoice", "until:1h")["examined"] == 0


def test_a_search_says_how_far_it_came_and_goes_on_from_there(spoken: Platform) -> None:
    found, examined, cursor = [], 0, []
    for _ in range(20):
        answer = sought(spoken, "nothing special", "--examine", "5", "--limit", "4", *cursor)
        assert answer["examined"] <= 5
        found += [row["time"] for row in answer["rows"]]
        examined += answer["examined"]
        if answer["next"] is None:
            break
        cursor = ["--cursor", answer["next"]]
    assert examined == len(TEXTS) + 1
    assert len(found) == len(set(found)) == 9
    shown = spoken.run("audit", "search", "--content", "nothing special", "--examine", "5").stdout
    assert "Looked into 5 calls (at most 5)." in shown


def test_the_search_is_in_the_record_and_what_was_sought_is_not(spoken: Platform) -> None:
    """A text to look for may be as much of a secret as where it stands, and the record forgets nothing."""
    sought(spoken, "a-text-that-nobody-said")

    def of_searches() -> list[Any]:
        found: list[Any] = spoken.cli("audit", "search", "tag:audit:content:search", "outcome:ok")["rows"]
        return [row["detail"] for row in found]

    spoken.wait_for(lambda: bool(of_searches()), "the search in the record", 15)
    assert all(detail["content"] == "<withheld>" for detail in of_searches())
    for file in (spoken.data / "journal").iterdir():
        assert b"a-text-that-nobody-said" not in file.read_bytes()


def test_over_rest_it_needs_a_permission_of_its_own(spoken: Platform) -> None:
    reads = spoken.cli("token", "create", "--permission", "audit:record:read")["token"]
    opens = spoken.cli("token", "create", "--permission", "audit:content:read")["token"]
    assert ask(spoken, "POST", SEARCH, reads, {"content": "invoice"})[0] == 403
    status, answer, _ = ask(spoken, "POST", SEARCH, opens, {"content": "invoice", "query": "actor:ben"})
    assert status == 200
    assert [row["actor"] for row in answer["rows"]] == ["ben"]
    assert ask(spoken, "POST", SEARCH, opens, {"content": ""})[0] == 422


def test_what_cannot_be_read_is_counted_by_its_reason(spoken: Platform) -> None:
    """Last, for it erases a key: then nobody reads what ben said, and everything else is read as before."""
    ben = sought(spoken, "word of ben")["rows"][0]["principal"]
    spoken.cli("audit", "erase", "ben", status=2)
    assert spoken.cli("audit", "erase", "nobody", "--yes", status=1)["error"]["code"] == "principal_unknown"
    assert spoken.cli("audit", "erase", "ben", "--yes")["erased"]
    assert not spoken.cli("audit", "erase", ben, "--yes")["erased"]
    answer = sought(spoken, "invoice")
    assert len(answer["rows"]) == 1
    assert answer["unread"] == {"none": 0, "hashed": 0, "erased": 2, "damaged": 0}
    shown = spoken.run("audit", "search", "--content", "invoice").stdout
    assert "2 erased with the subject's key" in shown
    assert spoken.cli("audit", "verify")["intact"]
