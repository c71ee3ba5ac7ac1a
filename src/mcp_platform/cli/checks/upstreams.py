"""Each MCP server behind the platform: whether it is reached now, and whether its tools are as approved."""

from collections.abc import Iterator

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
        yield from _one(str(server["name"]), session)


def _one(name: str, session: Session) -> Iterator[Finding]:
    check = f"upstream.{name}"
    try:
        answer = session.ask("server.test", name=name)
    except Fault as found:
        stage = f" ({found.data['stage']})" if "stage" in found.data else ""
        yield fault(
            check, f"server {name}: {found.text}{stage}", f"See `mcp-platform server test {name}`, and its log."
        )
        return
    differs = [f"{len(answer[kind])} {kind}" for kind in ("new", "gone", "changed") if answer.get(kind)]
    if differs:
        yield warning(
            check,
            f"server {name} answers, but its tools are not as approved: {', '.join(differs)}",
            f"See `mcp-platform server test {name}`; remove and add it to approve them as they are.",
        )
    else:
        yield ok(check, f"server {name} answers after {answer['ms']:.0f} ms, {answer['tool_count']} tools as approved")
