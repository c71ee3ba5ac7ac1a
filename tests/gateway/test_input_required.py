"""A modern server's question in the words of a legacy client."""

import msgspec
import pytest

from mcp_platform.gateway.input_required import InputRequest, legacy_params

URL = '{"mode":"url","message":"Sign in","url":"https://sign.in.example/7"}'


def request(params: str, method: str = "elicitation/create") -> InputRequest:
    return InputRequest(method, msgspec.Raw(params.encode()))


def test_a_question_that_leads_to_a_url_gets_the_name_that_2025_11_25_wants() -> None:
    first, second = (msgspec.json.decode(legacy_params(request(URL))) for _ in range(2))
    assert first.keys() == msgspec.json.decode(URL).keys() | {"elicitationId"}
    assert first["elicitationId"] != second["elicitationId"]


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("elicitation/create", '{"message": "Who?", "requestedSchema": {"type": "object"}}'),
        ("elicitation/create", '{"mode": "form", "message": "Who?"}'),
        ("elicitation/create", '{"mode": "url", "elicitationId": "theirs"}'),
        ("elicitation/create", "[]"),
        ("sampling/createMessage", '{"mode": "url"}'),
    ],
)
def test_every_other_passes_as_it_is(method: str, params: str) -> None:
    assert legacy_params(request(params, method)) == params.encode()
