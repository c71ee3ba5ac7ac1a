"""Whether anything slows guessing and callers that run wild, and whether limits by address see whose address it is."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from mcp_platform.base.config.settings import Settings
from mcp_platform.base.errors import Fault
from mcp_platform.cli.checks.finding import Finding, Patient, fault, ok, warning
from mcp_platform.cli.session import Session


def examine(patient: Patient, session: Session) -> Iterator[Finding]:
    if patient.loaded is not None:
        yield from _proxies(patient.loaded.settings)
    if patient.status is None or "fault" in patient.status:
        return
    try:
        limits = session.ask("limit.list")["limits"]
    except Fault as found:
        yield fault("limits", f"the limits cannot be listed: {found.text}", "See serve's log.")
        return
    yield from _limits(limits)


def _proxies(settings: Settings) -> Iterator[Finding]:
    gateway = settings.gateway
    public = gateway.public_url is not None and urlsplit(gateway.public_url).scheme == "https"
    in_front = settings.tls.terminated_by_proxy or (public and gateway.tls_certificate is None)
    if in_front and not gateway.trusted_proxies:
        yield warning(
            "limits.proxies",
            "a proxy is in front, but gateway.trusted_proxies names none: its address stands for every client, in "
            "limits by address and in the record",
            "Set gateway.trusted_proxies to the address that the proxy connects from.",
        )


def _limits(limits: list[dict[str, Any]]) -> Iterator[Finding]:
    enforced = [limit for limit in limits if not limit["shadow"]]
    if not any(limit["by"] == "address" and limit["endpoint"] in ("*", "/mcp") for limit in enforced):
        yield warning(
            "limits.address",
            "no limit counts requests without a good credential: guessing is not slowed, and forged tokens are "
            "verified as fast as they come",
            "mcp-platform limit set failed-authentication --rate 300/m --by address --endpoint /mcp",
        )
    if not any(limit["by"] != "address" for limit in enforced):
        yield warning(
            "limits.callers",
            "no limit counts callers: one that runs wild, or a leaked key, takes the whole machine",
            "mcp-platform limit set each-principal --rate 1000/s --burst 10000",
        )
    shadows = len(limits) - len(enforced)
    reporting = f", {shadows} more only report" if shadows else ""
    yield ok("limits", f"{len(enforced)} limits are enforced{reporting}")
