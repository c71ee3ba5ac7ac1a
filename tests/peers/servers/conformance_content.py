"""What the conformance upstream offers, as plain data: the names and shapes that the official suite asks for.

Nothing here speaks a protocol; conformance.py does. The names that begin with `bridge_` are not the suite's: they are
for the bridge's own tests (tests/journeys/bridge).
"""

import base64
import struct
import zlib
from typing import Any

Json = dict[str, Any]

DIALECT = "/".join(("https:", "", "json-schema.org", "draft", "2020-12", "schema"))
NOTHING: Json = {"type": "object", "properties": {}}


def tiny_png() -> str:
    """One red pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0\xff\0\0")
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + parts).decode()


def tiny_wav() -> str:
    """Two samples of silence."""
    samples = b"\0\0\0\0"
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 16000, 2, 16)
    body = b"WAVE" + form + struct.pack("<4sI", b"data", len(samples)) + samples
    return base64.b64encode(struct.pack("<4sI", b"RIFF", len(body)) + body).decode()


PNG = tiny_png()
IMAGE: Json = {"type": "image", "data": PNG, "mimeType": "image/png"}
AUDIO: Json = {"type": "audio", "data": tiny_wav(), "mimeType": "audio/wav"}


def text(value: str) -> Json:
    return {"type": "text", "text": value}


def embedded(uri: str, value: str, mime_type: str = "text/plain") -> Json:
    return {"type": "resource", "resource": {"uri": uri, "mimeType": mime_type, "text": value}}


CONTENT: dict[str, list[Json]] = {
    "test_simple_text": [text("This is a simple text response for testing.")],
    "test_image_content": [IMAGE],
    "test_audio_content": [AUDIO],
    "test_embedded_resource": [embedded("test://embedded-resource", "This is an embedded resource content.")],
    "test_multiple_content_types": [
        text("Multiple content types test:"),
        IMAGE,
        embedded("test://mixed-content-resource", '{"test":"data","value":123}', "application/json"),
    ],
}
"""Tools that only answer."""


def form(message: str, properties: Json, required: list[str] | None = None) -> Json:
    schema = {"type": "object", "properties": properties, "required": required or list(properties)}
    return {"method": "elicitation/create", "params": {"message": message, "requestedSchema": schema}}


def sampling(prompt: str, max_tokens: int = 100) -> Json:
    params = {"messages": [{"role": "user", "content": text(prompt)}], "maxTokens": max_tokens}
    return {"method": "sampling/createMessage", "params": params}


ROOTS: Json = {"method": "roots/list", "params": {}}
NAME: Json = {"name": {"type": "string"}}
OK: Json = {"ok": {"type": "boolean"}}

DEFAULTS = form(
    "Please review these details",
    {
        "name": {"type": "string", "default": "John Doe"},
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        "verified": {"type": "boolean", "default": True},
    },
    [],
)
OPTIONS = ["option1", "option2", "option3"]
TITLED = [{"const": f"value{n}", "title": f"{word} Choice"} for n, word in enumerate(("First", "Second", "Third"), 1)]
ENUMS = form(
    "Please choose",
    {
        "untitledSingle": {"type": "string", "enum": OPTIONS},
        "titledSingle": {"type": "string", "oneOf": TITLED},
        "legacyEnum": {"type": "string", "enum": ["opt1", "opt2"], "enumNames": ["Option One", "Option Two"]},
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": OPTIONS}},
        "titledMulti": {"type": "array", "items": {"anyOf": TITLED}},
    },
    [],
)
URL: Json = {
    "method": "elicitation/create",
    "params": {"mode": "url", "message": "Please sign in", "url": "https://sign.in.example/start?flow=7"},
}

QUESTIONS: dict[str, dict[str, Json]] = {
    "test_input_required_result_elicitation": {"user_name": form("What is your name?", NAME)},
    "test_input_required_result_sampling": {"capital_question": sampling("What is the capital of France?")},
    "test_input_required_result_list_roots": {"client_roots": ROOTS},
    "test_input_required_result_request_state": {"confirm": form("Please confirm", OK)},
    "test_input_required_result_tampered_state": {"confirm": form("Please confirm", OK)},
    "test_input_required_result_multiple_inputs": {
        "user_name": form("What is your name?", NAME),
        "greeting": sampling("Generate a greeting", 50),
        "client_roots": ROOTS,
    },
    "test_input_required_result_capabilities": {
        "name": form("What is your name?", NAME),
        "greeting": sampling("Generate a greeting", 50),
    },
    "test_elicitation_sep1034_defaults": {"details": DEFAULTS},
    "test_elicitation_sep1330_enums": {"choices": ENUMS},
    "test_streaming_elicitation": {"user_name": form("What is your name?", NAME)},
    "bridge_url": {"sign_in": URL},
}
"""What the tools that only ask ask for."""

STATEFUL = frozenset(
    f"test_input_required_result_{name}" for name in ("request_state", "tampered_state", "multiple_inputs")
)
"""Those of them whose answer must come back with the state that was given out."""

SCHEMA_2020_12: Json = {
    "$schema": DIALECT,
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}
HEADER_SCHEMA: Json = {
    "type": "object",
    "properties": {"region": {"type": "string", "x-mcp-header": "Region"}},
    "required": ["region"],
}


def _one(name: str, kind: str = "string") -> Json:
    return {"type": "object", "properties": {name: {"type": kind}}, "required": [name]}


ARGUMENTS: dict[str, Json] = {
    "test_sampling": _one("prompt"),
    "test_elicitation": _one("message"),
    "json_schema_2020_12_tool": SCHEMA_2020_12,
    "test_x_mcp_header": HEADER_SCHEMA,
    "bridge_echo": _one("text"),
}
OTHER_TOOLS = (
    "bridge_cancellations",
    "bridge_echo",
    "bridge_hang",
    "json_schema_2020_12_tool",
    "test_elicitation",
    "test_error_handling",
    "test_input_required_result_multi_round",
    "test_logging_tool",
    "test_missing_capability",
    "test_reconnection",
    "test_sampling",
    "test_tool_with_logging",
    "test_tool_with_progress",
    "test_trigger_prompt_change",
    "test_trigger_resource_change",
    "test_trigger_tool_change",
    "test_update_watched_resource",
    "test_x_mcp_header",
)
"""Tools that do more than answer or ask; conformance.py says what."""
CHANGING_TOOL, CHANGING_PROMPT, CHANGING_RESOURCE = "test_changing_tool", "test_changing_prompt", "test://changing"
"""These come and go with the `test_trigger_…_change` tools."""


def tools(*, changed: bool) -> list[Json]:
    names = [*CONTENT, *QUESTIONS, *OTHER_TOOLS, *([CHANGING_TOOL] if changed else [])]
    return [
        {"name": name, "description": f"Conformance tool {name}", "inputSchema": ARGUMENTS.get(name, NOTHING)}
        for name in sorted(names)
    ]


def _argument(name: str) -> Json:
    return {"name": name, "description": f"Test argument {name}", "required": True}


PROMPT_ARGUMENTS = {
    "test_simple_prompt": [],
    "test_prompt_with_arguments": [_argument("arg1"), _argument("arg2")],
    "test_prompt_with_embedded_resource": [_argument("resourceUri")],
    "test_prompt_with_image": [],
    "test_input_required_result_prompt": [],
}
PROMPT_QUESTION = {"user_context": form("What context should the prompt use?", {"context": {"type": "string"}})}


def prompts(*, changed: bool) -> list[Json]:
    named = {**PROMPT_ARGUMENTS, **({CHANGING_PROMPT: []} if changed else {})}
    return [
        {"name": name, "description": f"Conformance prompt {name}", "arguments": arguments}
        for name, arguments in named.items()
    ]


def prompt(name: str, arguments: dict[str, str]) -> list[Json] | None:
    """The messages' contents; None for a name that is not offered."""
    if name == "test_simple_prompt":
        return [text("This is a simple prompt for testing.")]
    if name == "test_prompt_with_arguments":
        return [text(f"Prompt with arguments: arg1='{arguments['arg1']}', arg2='{arguments['arg2']}'")]
    if name == "test_prompt_with_embedded_resource":
        resource = embedded(arguments["resourceUri"], "Embedded resource content for testing.")
        return [resource, text("Please process the embedded resource above.")]
    if name == "test_prompt_with_image":
        return [IMAGE, text("Please analyze the image above.")]
    return [text("I come and go.")] if name == CHANGING_PROMPT else None


WATCHED = "test://watched-resource"
RESOURCES: dict[str, Json] = {
    "test://static-text": {"mimeType": "text/plain", "text": "This is the content of the static text resource."},
    "test://static-binary": {"mimeType": "image/png", "blob": PNG},
    WATCHED: {"mimeType": "text/plain", "text": "Watched resource content."},
}
TEMPLATE = "test://template/{id}/data"
TEMPLATES: list[Json] = [
    {
        "uriTemplate": TEMPLATE,
        "name": "template",
        "description": "Conformance resource template",
        "mimeType": "application/json",
    }
]


def resources(*, changed: bool) -> list[Json]:
    known = [(uri, held["mimeType"]) for uri, held in RESOURCES.items()]
    return [
        {
            "uri": uri,
            "name": uri.removeprefix("test://"),
            "description": f"Conformance resource {uri}",
            "mimeType": kind,
        }
        for uri, kind in [*known, *([(CHANGING_RESOURCE, "text/plain")] if changed else [])]
    ]


def read(uri: str) -> Json | None:
    """The contents at `uri`; None where there is nothing."""
    if uri == CHANGING_RESOURCE:
        return {"uri": uri, "mimeType": "text/plain", "text": "I come and go."}
    if uri in RESOURCES:
        return {"uri": uri, **RESOURCES[uri]}
    head, tail = TEMPLATE.split("{id}")
    if not (uri.startswith(head) and uri.endswith(tail)):
        return None
    name = uri.removeprefix(head).removesuffix(tail)
    return {
        "uri": uri,
        "mimeType": "application/json",
        "text": f'{{"id":"{name}","templateTest":true,"data":"Data for ID: {name}"}}',
    }


COMPLETIONS = {"arg1": ["paris", "park", "party", "test-value"], "id": ["123", "124", "456"]}


def complete(argument: str, begun: str) -> list[str]:
    return [value for value in COMPLETIONS.get(argument, []) if value.startswith(begun)]
