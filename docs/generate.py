"""Writes docs/reference from the code, so that no page says what the program does not do.

`python docs/generate.py` writes; with `--check` it only says which pages are stale, and ends with 1.
"""

import ast
import importlib
import inspect
import json
import pkgutil
import runpy
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import click

import mcp_platform
from mcp_platform.base.config.schema import Setting, all_settings, documentation, sections
from mcp_platform.base.config.sources import OWN_VARIABLES
from mcp_platform.base.errors import ErrorKind, catalogue
from mcp_platform.cli.exit_codes import MEANING
from mcp_platform.cli.main import root
from mcp_platform.cli.page import Page

FOLDER = Path(__file__).parent / "reference"
NOTE = "<!-- Written by docs/generate.py from the code; change it there. -->"
NOT_IMPORTED = ("mcp_platform.store.migrations",)
"""Alembic runs these; importing them would migrate something."""


def settings_page() -> str:
    lines = [
        "# Settings",
        "",
        f"{len(all_settings())} settings, in one TOML file, `DATA/mcp-platform.toml`. A value is taken from the first "
        "of these that has it: flag, environment, secret file, file, default. "
        "`mcp-platform config show --origin` says which; `mcp-platform config check` finds mistakes.",
        "",
        "A setting `gateway.port` is `port` in the section `[gateway]` of the file, the variable "
        "`MCP_PLATFORM_GATEWAY__PORT`, and the secret file `gateway.port` (or `gateway__port`) in the folder that "
        "`MCP_PLATFORM_SECRETS_DIR` or systemd's `CREDENTIALS_DIRECTORY` names, or in `/run/secrets/mcp-platform`. In "
        "the environment and in secret files a list is written with commas.",
        "",
        "A name that is not a setting is an error, not ignored. No message ever holds a value.",
    ]
    for section in sections():
        lines += ["", f"## {section}", "", documentation()[section], ""]
        lines += table(
            ["Setting", "Value", "Default", "What it is"],
            [
                [f"`{s.name}`", allowed(s), default(s), documentation()[s.name]]
                for s in all_settings().values()
                if s.section == section
            ],
        )
    lines += ["", "## Other environment variables", ""]
    lines += table(["Variable", "What it is"], [[f"`{name}`", text] for name, text in OWN_VARIABLES.items()])
    return page(lines)


def allowed(setting: Setting) -> str:
    """What the setting takes, in words."""
    words = {"int": "whole number", "float": "number", "bool": "`true` or `false`", "str": "text", "list": "list"}
    kind = words[setting.kind]
    # A rule says what it expected of a value that no rule allows.
    said = [rule.expected(float("nan") if setting.kind in ("int", "float") else " ") for rule in setting.rules]
    limits = "; ".join(text for text in said if text)
    if setting.kind in ("int", "float"):
        return limits.replace("a number", f"a {kind}") if limits else kind
    return (f"{kind} of: {limits}" if setting.kind == "list" else limits) if limits else kind


def default(setting: Setting) -> str:
    if setting.default is None:
        return "None"
    if setting.default == ():
        return "none"
    value = setting.default
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def cli_page() -> str:
    lines = [
        "# Command line",
        "",
        (root.help or "").strip(),
        "",
        "Every command that touches a platform takes `--data DIR` (or `MCP_PLATFORM_DATA`; `./mcp-platform-data` "
        "otherwise), `--json` (exactly one JSON object on stdout, errors too) and `--quiet`. Progress and warnings go "
        "to stderr. `NO_COLOR` is obeyed. [Exit codes](exit-codes.md).",
    ]
    for path, command in commands(root, ("mcp-platform",)):
        lines += ["", f"## {' '.join(path[1:])}", "", *explain(path, command)]
    return page(lines)


def commands(group: click.Group, path: tuple[str, ...]) -> Iterable[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, "a group has what it lists"
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


def explain(path: tuple[str, ...], command: click.Command) -> list[str]:
    context = click.Context(command, info_name=" ".join(path))
    usage = " ".join([*path, *command.collect_usage_pieces(context)])
    lines = ["```text", usage, "```", "", *paragraphs(command.help or ""), ""]
    options = [p for p in command.params if isinstance(p, click.Option)]
    rows = []
    for option in options:
        record = option.get_help_record(context)
        assert record is not None, "no option is hidden"
        rows.append([f"`{record[0]}`", record[1]])
    lines += table(["Option", "What it does"], rows)
    if isinstance(command, Page):
        if command.examples:
            lines += ["", "```console", *(f"$ {example}" for example in command.examples), "```"]
        lines += ["", f"Ends with {', '.join(str(int(code)) for code in command.exits)}."]
    return lines


def paragraphs(text: str) -> list[str]:
    """The docstring without its indentation."""
    return [line.strip() for line in text.strip().splitlines()]


def errors_page() -> str:
    everything = import_all()
    lines = [
        "# Errors",
        "",
        "Programs should look at the code: it is stable, the sentence is not. Over JSON-RPC the code stands in "
        "`error.data.code`; with `--json` in `error.code`. Our own JSON-RPC codes lie outside -32768 to -32000.",
        "",
        "*Whose* says who can do something about it: the caller, the operator of the upstream server, or the "
        "operator of this platform.",
        "",
    ]
    assert everything, "there are modules"
    lines += table(
        ["Code", "HTTP", "JSON-RPC", "Whose", "What it says"],
        [
            [f'<a id="{kind.code}"></a>`{kind.code}`', str(kind.http), str(kind.jsonrpc), kind.whose, kind.text]
            for _, kind in sorted(catalogue().items())
        ],
    )
    return page(lines)


def import_all() -> list[str]:
    """Import every module of ours, so that every error is defined."""
    names = [
        found.name
        for found in pkgutil.walk_packages(mcp_platform.__path__, "mcp_platform.")
        if not found.name.startswith(NOT_IMPORTED) and not found.name.endswith("__main__")
    ]
    for name in names:
        importlib.import_module(name)
    return names


def exit_codes_page() -> str:
    lines = ["# Exit codes", "", "The same for every command of `mcp-platform`.", ""]
    lines += table(["Code", "Meaning"], [[str(int(code)), text] for code, text in MEANING.items()])
    return page(lines)


def permissions_page() -> str:
    registry = importlib.import_module("mcp_platform.control.registry")
    permission = importlib.import_module("mcp_platform.store.permission").Permission
    actions = registry.ACTIONS.values()
    lines = [
        "# Actions and permissions",
        "",
        "Whatever is changed or read through control is one of these actions. Each needs one permission, and each "
        "leaves a row with its tag in the audit log, refusals too. Nothing implies another permission. The command "
        "line acts as `local:<user id>`, who holds them all.",
        "",
        "## Actions",
        "",
    ]
    lines += table(
        ["Action", "Permission", "Audit tag", "What it does"],
        [[f"`{a.name}`", f"`{a.permission}`", f"`{a.audit}`", a.summary] for a in actions],
    )
    lines += ["", "## Permissions", ""]
    lines += table(
        ["Permission", "Needed for"],
        [[f"`{p}`", ", ".join(f"`{a.name}`" for a in actions if a.permission is p) or "-"] for p in permission],
    )
    return page(lines)


def record_format_page() -> str:
    """From the structs of journal/record.py: msgspec says the order, the source says what each field means."""
    record = importlib.import_module("mcp_platform.journal.record")
    chain = importlib.import_module("mcp_platform.journal.chain")
    meanings = field_docstrings(Path(record.__file__).read_text(encoding="utf-8"))
    lines = [
        "# Record format",
        "",
        f"Format {record.FORMAT}, frozen: a record written today is read by every later version. Fields are only added "
        "at the end of a kind, and kinds at the end of the list; a reader passes over what it does not know and keeps "
        "its bytes. [Why it is so](../explanation/journal.md).",
        "",
        "## Segment file",
        "",
        "`DATA/journal/<node>-<writer>-<sequence>.seg`, mode 0600; `.seg.gz` once closed and compressed (gzip, whose "
        "comment is the BLAKE2b-256 in hex of all that follows the header). A prepared file is called `.new`. Integers "
        "are big-endian.",
        "",
        f"- magic: {len(chain.MAGIC)} bytes, `{chain.MAGIC.hex()}` (`MCPJRNL` and the format's number)",
        "- frames, one for each record: length of the body (4 bytes) · body · chain hash (32 bytes)",
        "- a length of zero is the end of what has been written; the file is filled with zeros ahead of the writer",
        "",
        f"Chain hash: BLAKE2b-256 over `{chain.DOMAIN.decode().rstrip(chr(0))}` and a zero byte, the hash of the frame "
        f"before (32 zero bytes before the first), the length, the body. A body has at most {chain.MAX_BODY_BYTES} "
        "bytes.",
        "",
        "A body is a MessagePack array: the kind's number, then the kind's fields in this order. Every kind begins "
        "with `index`, `time` and `trace`.",
        "",
        "A signature is Ed25519 (RFC 8032) over the MessagePack array of `mcp-platform journal <kind> v1`, the "
        "platform id and all fields of the record but `index` and `signature`.",
    ]
    for kind in (*record.KINDS, record.Content, record.Head):
        tag = kind.__struct_config__.tag
        heading = f"{kind.__name__} ({tag})" if tag is not None else kind.__name__
        lines += ["", f"## {heading}", "", " ".join((kind.__doc__ or "").split()), ""]
        annotations = {name: hint for base in reversed(kind.__mro__) for name, hint in annotated(base).items()}
        rows = []
        for name in kind.__struct_fields__:
            said = [meanings[base.__name__, name] for base in kind.__mro__ if (base.__name__, name) in meanings]
            rows.append([f"`{name}`", f"`{annotations[name]}`", said[0] if said else ""])
        lines += table(["Field", "Type", "What it is"], rows)
    return page(lines)


def annotated(kind: type) -> dict[str, str]:
    hints = inspect.get_annotations(kind)
    return {
        name: getattr(hint, "__name__", "")
        if isinstance(hint, type)
        else str(hint).replace("mcp_platform.journal.record.", "")
        for name, hint in hints.items()
    }


def field_docstrings(source: str) -> dict[tuple[str, str], str]:
    """(class, field) → the text under the field."""
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef):
            for field, text in zip(node.body, node.body[1:], strict=False):
                is_text = isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and is_text:
                    found[node.name, field.target.id] = " ".join(str(text.value.value).split())
    return found


def findings_page() -> str:
    findings = importlib.import_module("mcp_platform.journal.findings")
    lines = [
        "# Findings of `audit verify`",
        "",
        "Each finding names a segment, and where it can the first and the last record it is about. *Note*: it does not "
        "speak against the record.",
        "",
    ]
    rows = [[f"`{kind}`", "note" if kind in findings.NOTES else "", findings.MEANING[kind]] for kind in findings.Kind]
    return page([*lines, *table(["Finding", "", "What it means"], rows)])


def rest_page() -> str:
    """The table of routes: the whole document is openapi.json."""
    routes = importlib.import_module("mcp_platform.control.rest.table")
    openapi = importlib.import_module("mcp_platform.control.rest.openapi")
    lines = [
        "# REST API",
        "",
        "Below `/api/v1` on the console's listener, for programs: [how to use it](../how-to/use-the-rest-api.md). "
        "[openapi.json](openapi.json) is the whole of it in OpenAPI 3.1, with every field and example; a running "
        "platform answers it at `/api/v1/openapi.json` to whoever has a token.",
        "",
        "## Resources",
        "",
        "`HEAD` is taken wherever `GET` is. *State*: the answer has an ETag, or the change needs `If-Match`.",
        "",
    ]
    lines += table(
        ["Method", "Path", "Permission", "State", "Answers", "What it does"],
        [
            [
                route.method,
                f"`{route.path}`",
                f"`{route.permission}`",
                "ETag" if route.has_state else "If-Match" if route.guarded else "",
                ", ".join(map(str, [route.status, *sorted({kind.http for kind in specific(openapi, route)})])),
                route.summary,
            ]
            for route in routes.ROUTES
        ],
    )
    lines += ["", "## Answers of every request", ""]
    lines += table(
        ["Status", "Codes"],
        [[str(status), codes] for status, codes in by_status((*openapi.ALWAYS, *openapi.ACTING))],
    )
    lines += ["", "## Actions without a resource", ""]
    lines += table(["Action", "Why"], [[f"`{name}`", why] for name, why in sorted(routes.UNROUTED.items())])
    return page(lines)


def specific(openapi: Any, route: Any) -> set[ErrorKind]:  # noqa: ANN401  # modules and routes, imported late
    """What a route can refuse with besides what every one can."""
    return set(openapi.kinds(route)) - set(openapi.ALWAYS) - set(openapi.ACTING)


def by_status(kinds: Iterable[ErrorKind]) -> list[tuple[int, str]]:
    found: dict[int, list[str]] = {}
    for kind in sorted(kinds, key=lambda each: (each.http, each.code)):
        found.setdefault(kind.http, []).append(f"[`{kind.code}`](errors.md#{kind.code})")
    return [(status, ", ".join(codes)) for status, codes in found.items()]


def openapi_json() -> str:
    document = importlib.import_module("mcp_platform.control.rest.openapi").document()
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def audited_page() -> str:
    import_all()
    return page(beside("audited.py"))


def beside(name: str) -> list[str]:
    """The lines of a page that is made by a file beside this one, which no package holds."""
    lines: list[str] = runpy.run_path(str(Path(__file__).with_name(name)))["lines"](table)
    return lines


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(cell.replace('|', chr(92) + '|').replace(chr(10), ' ') for cell in cells)} |"

    return [line(heads), line(["---"] * len(heads)), *(line(row) for row in rows)]


def page(lines: list[str]) -> str:
    return "\n".join([lines[0], "", NOTE, *lines[1:]]).rstrip() + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "cli.md": cli_page,
    "errors.md": errors_page,
    "exit-codes.md": exit_codes_page,
    "permissions.md": permissions_page,
    "rest.md": rest_page,
    "openapi.json": openapi_json,
    "record-format.md": record_format_page,
    "findings.md": findings_page,
    "audited.md": audited_page,
    "conformance.md": lambda: page(beside("conformance.py")),
    "bridge.md": lambda: page(beside("bridge.py")),
}


def stale(folder: Path = FOLDER) -> list[str]:
    """The pages in `folder` that are not what the code says."""
    return [
        name
        for name, make in PAGES.items()
        if not (folder / name).exists() or (folder / name).read_text(encoding="utf-8") != make()
    ]


def main(arguments: Sequence[str]) -> int:
    if "--check" in arguments:
        old = stale()
        for name in old:
            print(f"docs/reference/{name} is stale; run: ./dev docs", file=sys.stderr)
        return 1 if old else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, make in PAGES.items():
        (FOLDER / name).write_text(make(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
