"""The inspector's command line as a client of the bridge: one process for each request, so only what needs no more."""

import json
from typing import Any

from tests.journeys.bridge.table import Step
from tests.journeys.clients import inspector

LISTS = {
    "tools": ("tools/list", "tools", "name"),
    "prompts": ("prompts/list", "prompts", "name"),
    "resources": ("resources/list", "resources", "uri"),
    "templates": ("resources/templates/list", "resourceTemplates", "uriTemplate"),
}


def outcomes(url: str, key: str, roots: list[str], steps: list[Step]) -> list[dict[str, Any]]:
    """As the other clients' programs; what it cannot do is never among the steps."""
    return [{"era": "2025-11-25"}, *(_outcome(url, key, step) for step in steps)]


def _outcome(url: str, key: str, step: Step) -> dict[str, Any]:
    try:
        if step["do"] == "list":
            return {kind: _listed(url, key, *how) for kind, how in LISTS.items()}
        if step["do"] == "call":
            line = ["tools/call", "--tool-name", step["tool"], *_pairs("--tool-arg", step["arguments"])]
            result = _asked(url, key, *line)
            return {"failed": bool(result.get("isError")), "text": _texts(result["content"])}
        if step["do"] == "prompt":
            line = ["prompts/get", "--prompt-name", step["name"], *_pairs("--prompt-args", step["arguments"])]
            return {"text": _texts([message["content"] for message in _asked(url, key, *line)["messages"]])}
        contents = _asked(url, key, "resources/read", "--uri", step["uri"])["contents"]
        return {"text": [part["text"] for part in contents if "text" in part]}
    except ChildProcessError as failed:
        return {"raised": str(failed)}


def _listed(url: str, key: str, method: str, member: str, name: str) -> list[str]:
    return [each[name] for each in _asked(url, key, method)[member]]


def _asked(url: str, key: str, method: str, *line: str) -> dict[str, Any]:
    done = inspector(url, key, "--method", method, *line)
    if done.returncode:
        raise ChildProcessError(f"{method} ended with {done.returncode}: {done.stdout}{done.stderr}")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def _pairs(option: str, arguments: dict[str, Any]) -> list[str]:
    given = {name: value if isinstance(value, str) else json.dumps(value) for name, value in arguments.items()}
    return [option, *(f"{name}={value}" for name, value in given.items())] if given else []


def _texts(content: list[dict[str, Any]]) -> list[str]:
    return [part["text"] for part in content if part["type"] == "text"]
