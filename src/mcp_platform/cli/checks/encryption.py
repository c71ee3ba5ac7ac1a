"""Who speaks TLS, with which certificate and for how long; and what travels in the clear."""

from collections.abc import Iterator

from mcp_platform.base import clock
from mcp_platform.base.config.addresses import is_loopback
from mcp_platform.base.config.settings import Console, Gateway, Settings
from mcp_platform.base.errors import Fault
from mcp_platform.cli.checks.finding import Finding, Patient, fault, ok, warning
from mcp_platform.net.tls_development import is_development
from mcp_platform.net.tls_files import EXPIRES_SOON_S, Pair, expires_at, load


def examine(patient: Patient) -> Iterator[Finding]:
    if patient.loaded is None:
        return
    settings = patient.loaded.settings
    for name, surface in (("gateway", settings.gateway), ("console", settings.console)):
        pair = Pair.of(surface.tls_certificate, surface.tls_key)
        if pair is not None:
            yield _certificate(name, surface, pair, settings)
        elif not is_loopback(surface.host):
            yield _clear(name, surface)
    if settings.tls.minimum != "1.3":
        yield warning("tls.minimum", "TLS 1.2 is spoken too", "Set tls.minimum to 1.3 when no client needs it.")


def _certificate(name: str, surface: Gateway | Console, pair: Pair, settings: Settings) -> Finding:
    check = f"tls.{name}"
    try:
        _, leaf = load(pair, settings.tls.minimum)
    except Fault as found:
        return fault(check, found.text, "Correct the file; the platform takes it within seconds.")
    left_s = expires_at(leaf) - clock.now()
    ends = clock.rfc3339(expires_at(leaf))
    if left_s <= 0:
        return fault(check, f"the certificate of the {name} expired at {ends}", "Renew it; no restart is needed.")
    if left_s < EXPIRES_SOON_S:
        return warning(check, f"the certificate of the {name} expires at {ends}", "Renew it; no restart is needed.")
    if is_development(leaf) and not (is_loopback(surface.host) and surface.public_url is None):
        return warning(
            check,
            f"the {name} has a development certificate, which is good for this machine alone",
            f"Set {name}.tls_certificate and {name}.tls_key to files of an authority that its clients trust.",
        )
    return ok(check, f"the {name} speaks TLS {settings.tls.minimum} or newer; its certificate is good until {ends}")


def _clear(name: str, surface: Gateway | Console) -> Finding:
    return warning(
        f"exposure.{name}",
        f"{name} listens on {surface.host} without TLS, because tls.terminated_by_proxy is set: whoever reaches it "
        "past the proxy, or listens between the two, sees keys",
        f"Set {name}.tls_certificate and {name}.tls_key, or keep that network private.",
    )
