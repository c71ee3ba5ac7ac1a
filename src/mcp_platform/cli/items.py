"""Items of virtual servers on the command line: `--server S`, `--tool SERVER/TOOL`, `--prompt`, `--resource` …"""

from collections.abc import Callable, Mapping
from typing import Any

import click

_KINDS = {"tool": "tools", "prompt": "prompts", "resource": "resources", "template": "templates"}
_OPTIONS = (
    ("--template", "SERVER/URI", "A resource template; SERVER/* is all. Repeatable."),
    ("--resource", "SERVER/URI", "A resource; SERVER/* is all. Repeatable."),
    ("--prompt", "SERVER/NAME", "A prompt; SERVER/* is all. Repeatable."),
    ("--tool", "SERVER/TOOL", "A tool by the server's own name. Repeatable."),
)


def named(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that name single items."""
    for option, metavar, text in _OPTIONS:
        command = click.option(option, multiple=True, metavar=metavar, help=text)(command)
    return command


def choice(command: Callable[..., Any]) -> Callable[..., Any]:
    """Those, and whole servers."""
    text = "A server: its tools that say they only read. Repeatable."
    return click.option("--server", multiple=True, metavar="SERVER", help=text)(named(command))


def asked(
    chosen: Mapping[str, tuple[str, ...]], *, exposed: str | None = None, description: str | None = None
) -> dict[str, Any]:
    """What control is asked for. A name or description is for exactly one item."""
    found: list[dict[str, object]] = []
    for option, kind in _KINDS.items():
        for text in chosen.get(option, ()):
            server, slash, own = text.partition("/")
            if not server or not slash or not own:
                raise click.UsageError(f"--{option}: expected the form SERVER/NAME.")
            found.append({"kind": kind, "server": server, "own": own})
    if exposed is not None or description is not None:
        if len(found) != 1:
            raise click.UsageError("--as and --describe are for exactly one item.")
        words = {"exposed": exposed, "description": description}
        found[0].update({name: text for name, text in words.items() if text is not None})
    whole = {"servers": list(chosen["server"])} if "server" in chosen else {}
    return {"items": found, **whole}


def count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
