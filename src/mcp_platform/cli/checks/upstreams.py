"""Each MCP server behind the platform: whether it is reached now, and whether its tools are as approved."""

from collections.abc import Iterator
from typing import Any

from mcp_platform.base.errors import Fault
from mcp_platform.cli.checks.finding import Finding, Patient, fault, ok, warning
from mcp_platform.cli.session import Session


def examine(patient: Patient, session: Session) -> Iterator[Finding]:
    if patient.status is None or "fault" in patient.status:
        return
    try:
        servers = session.ask("server.list")["servers"]
    except Fault as found:
        yield fault("upstreams", f"the servers cannot be listed: {found.text}", "See serve's log.")
        return
    if not servers:
        yield warning(
            "upstreams", "no MCP server is behind the platform yet", "Add one: mcp-platform server add --help"
        )
    for server in servers:
        yield from _one(server, session)
        yield from _listed(server)


def _one(server: dict[str, Any], session: Session) -> Iterator[Finding]:
    name = str(server["name"])
    check = f"upstream.{name}"
    try:
        answer = session.ask("server.test", name=name)
    except Fault as found:
        stage = f" ({found.data['stage']})" if "stage" in found.data else ""
        yield fault(
            check, f"server {name}: {found.text}{stage}", f"See `mcp-platform server test {name}`, and its log."
        )
        return
    # What waits already is said once, with how to approve it: see _listed.
    kinds = ("gone",) if server.get("awaiting") else ("new", "gone", "changed")
    differs = [f"{len(answer[kind])} {kind}" for kind in kinds if answer.get(kind)]
    if differs:
        yield warning(
            check,
            f"server {name} answers, but its tools are not as approved: {', '.join(differs)}",
            f"See `mcp-platform server tools {name}`."
            if differs == [f"{len(answer['gone'])} gone"]
            else f"Run `mcp-platform server refresh {name}`, then see `mcp-platform server approve {name} --show`.",
        )
    else:
        as_approved = "" if server.get("awaiting") else " as approved"
        yield ok(check, f"server {name} answers after {answer['ms']:.0f} ms, {answer['tool_count']} tools{as_approved}")


def _listed(server: dict[str, Any]) -> Iterator[Finding]:
    """What control says of it."""
    name = server["name"]
    if server.get("stale"):
        yield warning(
            f"upstream.{name}.stale",
            f"what agents see of server {name} is what it listed last: {server['stale']}",
            f"It is tried again by itself; `mcp-platform server refresh {name}` tries now.",
        )
    if server.get("awaiting"):
        yield warning(
            f"upstream.{name}.awaiting",
            f"{server['awaiting']} tools of server {name} are new or changed and await approval",
            f"See `mcp-platform server approve {name} --show`, then `mcp-platform server approve {name} TOOL...`.",
        )
    for kind, code in sorted(server.get("problems", {}).items()):
        yield warning(
            f"upstream.{name}.{kind}",
            f"server {name} says that it has {kind}, and cannot list them: {code}",
            f"Tell whoever runs it; then `mcp-platform server refresh {name}`.",
        )
    if server.get("accept_changes"):
        yield warning(
            f"upstream.{name}.accepts",
            f"server {name} may change what its tools say and do without anybody looking (--accept-changes)",
            f"Remove and add it without, once it is trusted no more than others: mcp-platform server remove {name}",
        )
