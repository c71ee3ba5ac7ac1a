"""What holds of the platform's own confinement, and what does not."""

from collections.abc import Iterator
from pathlib import Path

from mcp_platform.cli.checks.finding import Finding, Patient, ok, warning

_CONTAINMENT = {
    "pid_namespace": (True, "stdio servers live in a process-id namespace: all end with the platform"),
    "user_namespace": (True, "stdio servers live in a user and process-id namespace: all end with the platform"),
    "subreaper": (False, "a keeper ends stdio servers with the platform; there is no namespace to make it certain"),
}


def examine(patient: Patient) -> Iterator[Finding]:
    if patient.loaded is not None:
        upstreams = patient.loaded.settings.upstreams
        if upstreams.isolation == "none" and not upstreams.require_isolation:
            yield warning(
                "isolation",
                "upstreams.isolation is none: a stdio server can do whatever the platform's user can, to its data too",
                "Add only stdio servers whose code you trust, or set upstreams.require_isolation.",
            )
        elif upstreams.isolation == "none":
            yield ok("isolation", "upstreams.require_isolation refuses every stdio server: nothing runs unconfined")
    known = _CONTAINMENT.get(str(patient.processes.get("containment")))
    if patient.running and known is not None:
        good, says = known
        yield (
            ok("containment", says)
            if good
            else warning("containment", says, "Run as root, or allow unprivileged user namespaces.")
        )
    if patient.running:
        yield from _privileges(patient)


def _privileges(patient: Patient) -> Iterator[Finding]:
    """What the kernel says about each process; unreadable where it is not ours or not dumpable."""
    without, roots, seen = [], [], 0
    for row in patient.processes.get("processes", []):
        facts = _kernel_facts(row.get("pid"))
        if facts is None:
            continue
        seen += 1
        name = str(row.get("role")) if row.get("slot") is None else f"{row.get('role')} {row.get('slot')}"
        if facts.get("NoNewPrivs") != "1":
            without.append(name)
        if facts.get("Uid", "").split()[1:2] == ["0"]:
            roots.append(name)
    if not seen:
        return
    if without:
        yield warning(
            "no_new_privileges", f"may still gain privileges: {', '.join(without)}", "Set NoNewPrivileges=yes."
        )
    else:
        yield ok("no_new_privileges", f"none of {seen} processes can gain privileges")
    if roots:
        yield warning("root", f"run as root: {', '.join(roots)}", "Run the platform as a user of its own.")
    else:
        yield ok("root", "no process runs as root")


def _kernel_facts(pid: object) -> dict[str, str] | None:
    try:
        text = Path(f"/proc/{int(str(pid))}/status").read_text()
    except (OSError, ValueError):
        return None
    return {name: value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}
