"""Each virtual server: whether everything that was chosen for it is offered, and whether somebody can come in."""

from collections.abc import Iterator

from mcp_platform.base.errors import Fault
from mcp_platform.cli.checks.finding import Finding, Patient, fault, ok, warning
from mcp_platform.cli.session import Session


def examine(patient: Patient, session: Session) -> Iterator[Finding]:
    if patient.status is None or "fault" in patient.status:
        return
    try:
        servers = session.ask("virtual.list")["virtual_servers"]
    except Fault as found:
        yield fault("virtual", f"the virtual servers cannot be listed: {found.text}", "See serve's log.")
        return
    for server in servers:
        name = str(server["name"])
        check, show = f"virtual.{name}", f"See `mcp-platform virtual show {name}`."
        if server["missing_count"]:
            left_out = f"{server['missing_count']} of {server['item_count']} items are left out"
            yield warning(check, f"virtual server {name}: {left_out}", f"{show} It says why of each.")
        elif server["roles_missing"]:
            roles = ", ".join(server["roles_missing"])
            yield warning(check, f"virtual server {name} is for roles that do not exist: {roles}", show)
        else:
            yield ok(check, f"virtual server {name} offers all of its {server['item_count']} items")
