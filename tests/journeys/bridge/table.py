"""Which server has which feature, how it is tried, and which client can do what.

Plain data that imports nothing of the project: the tests hold the platform to it, docs/bridge.py makes a page of it.
In steps and expectations `{cell}` is a word of this client's own, `{folder}` the folder that the servers work in, and
`{root}` the URI of the one root that every client has.
"""

from dataclasses import dataclass, field
from typing import Any

Step = dict[str, Any]

FEATURES = {
    "list": "Tools, prompts, resources and templates are listed, each under the name that the platform gives it.",
    "call": "A tool is called; stock servers: one that reads and one that writes, where they have it.",
    "progress": "Notifications of progress arrive in order while the call runs.",
    "cancel": "A call under way is cancelled by the client; a server that counts what was cancelled has counted it.",
    "elicitation": "The server asks the user to fill in a form, and goes on with the answer; for a prompt, too.",
    "url": "The server asks the user to open a URL.",
    "sampling": "The server asks the client's model.",
    "roots": "The server learns the client's roots.",
    "logging": "The server's log messages arrive once the client has named a level.",
    "prompt": "A prompt is rendered with its arguments.",
    "read": "A resource is read, and one that a template describes.",
    "subscribe": "A resource is subscribed to, changes, and the client hears of it.",
    "list changed": "Lists change, and the client hears of it.",
    "complete": "Arguments of a prompt and of a template are completed.",
}


@dataclass(frozen=True, slots=True)
class Trial:
    """One step of a client's program (tests/peers/clients/features.py), and what must come of it."""

    step: Step
    expects: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Server:
    """A server as the clients meet it behind the platform."""

    name: str
    what: str
    transport: str
    era: str
    trials: dict[str, list[Trial]] = field(default_factory=dict)
    """By feature; a feature that is not here the server does not offer."""


def call(tool: str, arguments: dict[str, Any] | None = None, **expects: Any) -> Trial:  # as JSON has it
    return Trial({"do": "call", "tool": tool, "arguments": arguments or {}}, expects)


def prompt(name: str, arguments: dict[str, str], **expects: Any) -> Trial:  # as JSON has it
    return Trial({"do": "prompt", "name": name, "arguments": arguments}, expects)


def read(uri: str, text: str) -> Trial:
    return Trial({"do": "read", "uri": uri}, {"text": text})


def changes(kind: str, tool: str, arguments: dict[str, Any] | None = None) -> Trial:
    return Trial({"do": "change", "kind": kind, "tool": tool, "arguments": arguments or {}}, {"heard": [kind]})


FORM, URL, SAMPLING, ROOTS = "elicitation/create form", "elicitation/create url", "sampling/createMessage", "roots/list"
MODEL = "a model's words"
LIST = [Trial({"do": "list"}, {})]
LONG = "trigger-long-running-operation"

EVERYTHING: dict[str, list[Trial]] = {
    "list": LIST,
    "roots": [call("get-roots-list", text="{root}")],  # first, because it asks for them a moment after it began
    "call": [call("get-sum", {"a": 20, "b": 22}, text="42"), call("echo", {"message": "{cell}"}, text="{cell}")],
    "progress": [call(LONG, {"duration": 0.3, "steps": 3}, progress=[1, 2, 3], text="completed")],
    "cancel": [Trial({"do": "cancel", "tool": LONG, "arguments": {"duration": 60, "steps": 300}}, {})],
    "elicitation": [call("trigger-elicitation-request", asked=[FORM], text="ada@example.com")],
    "url": [call("trigger-url-elicitation", {"url": "https://sign.in.example/7"}, asked=[URL], text="User completed")],
    "sampling": [call("trigger-sampling-request", {"prompt": "hello"}, asked=[SAMPLING], text=MODEL)],
    "logging": [
        Trial({"do": "log", "level": "debug", "tool": "toggle-simulated-logging", "arguments": {}}, {"heard": []})
    ],
    "prompt": [prompt("args-prompt", {"city": "Ulm"}, text="weather in Ulm")],
    "read": [
        read("demo://resource/static/document/features.md", "Features"),
        read("demo://resource/dynamic/text/7", "Resource 7"),
    ],
    "subscribe": [
        Trial(
            {
                "do": "update",
                "uri": "demo://resource/static/document/features.md",
                "tool": "toggle-subscriber-updates",
                "arguments": {},
            },
            {"heard": ["demo://resource/static/document/features.md"]},
        )
    ],
    "list changed": [
        changes("resources", "gzip-file-as-resource", {"name": "{cell}.gz", "data": "data:text/plain,hello"})
    ],
    "complete": [
        Trial(
            {"do": "complete", "prompt": "completable-prompt", "argument": "department", "value": "S"},
            {"values": ["Sales", "Support"]},
        ),
        Trial(
            {
                "do": "complete",
                "template": "demo://resource/dynamic/text/{resourceId}",
                "argument": "resourceId",
                "value": "7",
            },
            {"values": ["7"]},
        ),
    ],
}

WATCHED = "test://watched-resource"
SDK: dict[str, list[Trial]] = {
    "list": LIST,
    "call": [call("bridge_echo", {"text": "{cell}"}, text="{cell}")],
    "progress": [call("test_tool_with_progress", progress=[0, 50, 100], text="done")],
    "cancel": [
        Trial(
            {"do": "cancel", "tool": "bridge_hang", "arguments": {}, "counted_by": "bridge_cancellations"},
            {"told": 1},
        )
    ],
    "elicitation": [
        call("test_elicitation", {"message": "Who are you?"}, asked=[FORM], text="ada@example.com"),
        call("test_input_required_result_multi_round", asked=[FORM, FORM], text="blue"),
        prompt("test_input_required_result_prompt", {}, asked=[FORM], text="Context: tea"),
    ],
    "url": [call("bridge_url", asked=[URL], text="accept")],
    "sampling": [call("test_sampling", {"prompt": "hello"}, asked=[SAMPLING], text=MODEL)],
    "roots": [
        call("test_input_required_result_list_roots", asked=[ROOTS], text="{root}"),
        call("test_input_required_result_multiple_inputs", asked=[FORM, ROOTS, SAMPLING], text="state-ok"),
    ],
    "logging": [
        Trial({"do": "log", "level": "info", "tool": "test_tool_with_logging", "arguments": {}}, {"heard": ["info"]})
    ],
    "prompt": [
        prompt("test_prompt_with_arguments", {"arg1": "{cell}", "arg2": "b"}, text="arg1='{cell}'"),
    ],
    "read": [
        read("test://static-text", "content of the static text resource"),
        read("test://template/7/data", "Data for ID: 7"),
    ],
    "subscribe": [
        Trial(
            {"do": "update", "uri": WATCHED, "tool": "test_update_watched_resource", "arguments": {}},
            {"heard": [WATCHED]},
        )
    ],
    "list changed": [
        changes("tools", "test_trigger_tool_change"),
        changes("prompts", "test_trigger_prompt_change"),
        changes("resources", "test_trigger_resource_change"),
    ],
    "complete": [
        Trial(
            {"do": "complete", "prompt": "test_prompt_with_arguments", "argument": "arg1", "value": "par"},
            {"values": ["paris", "park", "party"]},
        ),
        Trial(
            {"do": "complete", "template": "test://template/{id}/data", "argument": "id", "value": "12"},
            {"values": ["123", "124"]},
        ),
    ],
}

FILESYSTEM = {
    "list": LIST,
    "call": [
        call("list_allowed_directories", text="directories"),  # the process starts, asks for roots, and does not wait
        call("write_file", {"path": "{folder}/root/{cell}", "content": "by {cell}"}, text="Successfully wrote"),
        call("read_text_file", {"path": "{folder}/root/{cell}"}, text="by {cell}"),
    ],
    "roots": [call("list_allowed_directories", text="directories:\n{folder}/root")],
}
ENTITY = {"name": "{cell}", "entityType": "client", "observations": ["was here"]}
MEMORY = {
    "list": LIST,
    "call": [
        call("create_entities", {"entities": [ENTITY]}, text="was here"),
        call("search_nodes", {"query": "{cell}"}, text="was here"),
    ],
    "read": [read("memory://knowledge-graph", "{cell}")],
    "subscribe": [
        Trial(
            {
                "do": "update",
                "uri": "memory://knowledge-graph",
                "tool": "create_entities",
                "arguments": {"entities": [{**ENTITY, "name": "{cell} again"}]},
            },
            {"heard": ["memory://knowledge-graph"]},
        )
    ],
}
REPOSITORY = {"repo_path": "{folder}/repository"}
GIT = {
    "list": LIST,
    "call": [
        call("git_create_branch", {**REPOSITORY, "branch_name": "{cell}"}, text="{cell}"),
        call("git_branch", {**REPOSITORY, "branch_type": "local"}, text="{cell}"),
    ],
}
TIME = {
    "list": LIST,
    "call": [
        call("get_current_time", {"timezone": "Asia/Tokyo"}, text="Asia/Tokyo"),
        call(
            "convert_time",
            {"source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Tokyo"},
            text="T21:00",
        ),
    ],
}
SQLITE = {
    "list": LIST,
    "call": [
        call("write_query", {"query": "INSERT INTO notes VALUES ('{cell}')"}, text="affected_rows"),
        call("read_query", {"query": "SELECT note FROM notes"}, text="{cell}"),
    ],
    "prompt": [prompt("mcp-demo", {"topic": "tea for {cell}"}, text="tea for {cell}")],
    "read": [read("memo://insights", "No business insights")],
}
FASTMCP = {"list": LIST, "call": [call("add", {"a": 20, "b": 22}, text="42")]}

NPM = "npm `@modelcontextprotocol/server-"
SERVERS = {
    server.name: server
    for server in (
        Server("everything-stdio", f"{NPM}everything`", "stdio", "legacy", EVERYTHING),
        Server("everything-http", f"{NPM}everything`", "http", "legacy", EVERYTHING),
        Server("everything-sse", f"{NPM}everything`", "sse", "legacy", EVERYTHING),
        Server("filesystem", f"{NPM}filesystem`", "stdio", "legacy", FILESYSTEM),
        Server("memory", f"{NPM}memory`", "stdio", "legacy", MEMORY),
        Server("git", "PyPI `mcp-server-git`", "stdio", "modern", GIT),
        Server("time", "PyPI `mcp-server-time`", "stdio", "modern", TIME),
        Server("sqlite", "PyPI `mcp-server-sqlite`", "stdio", "legacy", SQLITE),
        Server("fastmcp", "a server on FastMCP 4", "http", "modern", FASTMCP),
        Server("modern-stdio", "our test server on the official SDK 2.3", "stdio", "modern", SDK),
        Server("modern-http", "our test server on the official SDK 2.3", "http", "modern", SDK),
        Server("legacy-stdio", "our test server on the official SDK 2.3", "stdio", "legacy", SDK),
        Server("legacy-http", "our test server on the official SDK 2.3", "http", "legacy", SDK),
    )
}


@dataclass(frozen=True, slots=True)
class Client:
    """An official client; it speaks streamable HTTP to the platform."""

    name: str
    what: str
    era: str
    can: tuple[str, ...] = tuple(FEATURES)
    why: str = ""
    """Why it can no more."""

    @property
    def lacks(self) -> list[str]:
        return [feature for feature in FEATURES if feature not in self.can]


CLIENTS = {
    client.name: client
    for client in (
        Client("python-1.30", "PyPI `mcp` 1.30", "legacy"),
        Client("python-2.3", "PyPI `mcp` 2.3", "modern"),
        Client("typescript-1.32", "npm `@modelcontextprotocol/sdk` 1.32", "legacy"),
        Client("typescript-2.4", "npm `@modelcontextprotocol/client` 2.4", "modern"),
        Client(
            "inspector-2.12",
            "npm `@modelcontextprotocol/inspector` 2.12, its command line",
            "legacy",
            ("list", "call", "prompt", "read"),
            "Its command line makes one request, prints what came of it, and has nobody to ask.",
        ),
    )
}
