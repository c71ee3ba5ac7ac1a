"""What the suite's client scenarios run as the client under test: a platform whose upstream is the scenario's server,
and an end client in front of it, so that the platform's own client side does what the scenario checks.

    CLIENT_ERA=modern|legacy CLIENT_REPORT=FILE python -m tests.conformance.client URL

Whatever it is answered is judged here, too: many a scenario passes when its server is asked for nothing. The report is
written last, with what was seen.
"""

import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.conformance.end_client import EndClient, Json, Legacy, Modern
from tests.journeys.platform import running_platform

INVALID = (
    "invalid_empty_header",
    "invalid_object_header",
    "invalid_array_header",
    "invalid_null_header",
    "invalid_number_header",
    "invalid_duplicate_same_case",
    "invalid_duplicate_diff_case",
    "invalid_space_in_name",
    "invalid_colon_in_name",
    "invalid_non_ascii_name",
    "invalid_control_char_name",
)
"""Tools of http-invalid-tool-headers that nobody may call."""


def text_of(answer: Json) -> str:
    """The text of a result that is none of an error."""
    result = answer["result"]
    assert not result.get("isError"), answer
    return "".join(each.get("text", "") for each in result["content"])


def names(client: EndClient) -> list[str]:
    return [tool["name"] for tool in client.tools()]


def initialize(client: EndClient) -> list[str]:
    """Adding the server was enough: it offers nothing."""
    assert names(client) == []
    return []


def tools_call(client: EndClient) -> list[str]:
    text = text_of(client.call("add_numbers", {"a": 5, "b": 3}))
    assert text == "The sum of 5 and 3 is 8"
    return [text]


def request_metadata(client: EndClient) -> list[str]:
    return names(client)


def standard_headers(client: EndClient) -> list[str]:
    seen = names(client)
    for name in ("test_headers", "my-hyphenated-tool"):
        assert text_of(client.call(name, {})) == "Headers test completed"
    resources = [each["uri"] for each in client.ask("resources/list", {})["result"]["resources"]]
    assert len(resources) == 2
    for uri in resources:
        assert client.ask("resources/read", {"uri": uri})["result"]["contents"] == []
    prompts = [each["name"] for each in client.ask("prompts/list", {})["result"]["prompts"]]
    for name in prompts:
        assert client.ask("prompts/get", {"name": name})["result"]["messages"] == []
    return [*seen, *resources, *prompts]


def custom_headers(client: EndClient) -> list[str]:
    """As the scenario's context says; but a null that the tool's own schema forbids is refused before the server sees
    it, and left out it must be mirrored no more."""
    context = json.loads(os.environ["MCP_CONFORMANCE_CONTEXT"])
    seen = names(client)
    for call in context["toolCalls"]:
        given = call["arguments"]
        if None in given.values():
            refused = client.call(call["name"], given)
            assert "error" in refused or refused["result"]["isError"], refused
            given = {name: value for name, value in given.items() if value is not None}
        assert text_of(client.call(call["name"], given)) == "Custom headers test completed"
    return seen


def invalid_tool_headers(client: EndClient) -> list[str]:
    """Every invalid tool is asked for by name."""
    seen = names(client)
    assert seen == ["valid_tool"]
    text_of(client.call("valid_tool", {"region": "us-west1"}))
    for name in INVALID:
        assert "error" in client.call(name, {"value": "x"}), name
    return seen


def retry(client: EndClient) -> list[str]:
    text = text_of(client.call("test_reconnection", {}))
    assert text == "Reconnection test completed successfully"
    return [text]


def no_dereference(client: EndClient) -> list[str]:
    """A tool whose arguments cannot be judged without the network is not offered, and not called under its name."""
    assert names(client) == []
    assert "error" in client.call("lookup_user", {"id": "a"})
    return []


def preservation(client: EndClient) -> list[str]:
    schemas = {tool["name"]: tool["inputSchema"] for tool in client.tools()}
    assert text_of(client.call("json_schema_echo", {"schema": schemas["json_schema_2020_12_tool"]})) == "echoed"
    return list(schemas)


def elicitation_defaults(client: EndClient) -> list[str]:
    """The end client fills in the defaults: what is seen is that question and answer pass unharmed."""
    return [text_of(client.call("test_client_elicitation_defaults", {}))]


def request_state(client: EndClient) -> list[str]:
    """Another call is made while one waits for its answers."""
    assert len(names(client)) == 4
    texts = []

    def other() -> None:
        texts.append(text_of(client.call("test_mrtr_unrelated", {})))

    texts.append(text_of(client.call("test_mrtr_echo_state", {}, between=other)))
    texts += [text_of(client.call(name, {})) for name in ("test_mrtr_no_state", "test_mrtr_no_result_type")]
    assert texts == ["unrelated-ok", "echo-state-ok", "no-state-ok", "no-result-type-test-ok"]
    return texts


SCENARIOS: dict[str, Callable[[EndClient], list[str]]] = {
    "initialize": initialize,
    "tools_call": tools_call,
    "request-metadata": request_metadata,
    "http-standard-headers": standard_headers,
    "http-custom-headers": custom_headers,
    "http-invalid-tool-headers": invalid_tool_headers,
    "sse-retry": retry,
    "json-schema-ref-no-deref": no_dereference,
    "json-schema-2020-12-preservation": preservation,
    "elicitation-sep1034-client-defaults": elicitation_defaults,
    "sep-2322-client-request-state": request_state,
}


def main(url: str) -> None:
    scenario = os.environ["MCP_CONFORMANCE_SCENARIO"]
    with tempfile.TemporaryDirectory() as folder, running_platform(Path(folder)) as platform:
        platform.cli("server", "add", "upstream", url)
        client = Modern(platform) if os.environ["CLIENT_ERA"] == "modern" else Legacy(platform)
        seen = SCENARIOS[scenario](client)
    Path(os.environ["CLIENT_REPORT"]).write_text(json.dumps(seen))


if __name__ == "__main__":
    main(sys.argv[-1])
