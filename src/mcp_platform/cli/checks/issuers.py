"""Each trusted issuer: whether its keys are where they were, and whether what it is trusted with is wise."""

from collections.abc import Iterator
from typing import Any

from mcp_platform.base.errors import Fault
from mcp_platform.cli.checks.finding import Finding, Patient, fault, ok, warning
from mcp_platform.cli.session import Session


def examine(patient: Patient, session: Session) -> Iterator[Finding]:
    if patient.status is None or "fault" in patient.status:
        return
    try:
        issuers = session.ask("issuer.list")["issuers"]
    except Fault as found:
        yield fault("issuers", f"the trusted issuers cannot be listed: {found.text}", "See serve's log.")
        return
    for issuer in issuers:
        yield from _policy(issuer)
        yield _keys(issuer, session)


def _policy(issuer: dict[str, Any]) -> Iterator[Finding]:
    check, name = f"issuer.{issuer['name']}", issuer["name"]
    if "jwt" in issuer["types"]:
        yield warning(
            check,
            f"issuer {name} may use plain tokens (typ JWT), so one made for a login passes for an access token",
            "Have it say at+jwt (RFC 9068), remove the issuer and add it without --type JWT.",
        )
    if not issuer["role_map"] and not issuer["default_roles"] and not issuer["links"]:
        yield warning(
            check,
            f"tokens of issuer {name} are given no role, so they may call nothing",
            "Remove it and add it with --roles-claim and --role, or with --default-role; or link its subjects.",
        )


def _keys(issuer: dict[str, Any], session: Session) -> Finding:
    check, name = f"issuer.{issuer['name']}", issuer["name"]
    if issuer["shared_secret"]:
        return ok(check, f"issuer {name} has a shared secret")
    try:
        answer = session.ask("issuer.test", name=name)
    except Fault as found:
        stage = f" ({found.data['stage']})" if "stage" in found.data else ""
        return fault(
            check, f"issuer {name}: {found.text}{stage}", "See serve's log; its keys are trusted for a day without."
        )
    if answer["weak"]:
        return fault(
            check,
            f"issuer {name} publishes a key that can be broken, which is not taken: {answer['weak'][0]}",
            "Tell whoever runs it to replace that key, and tokens under it.",
        )
    if not answer["keys"]:
        return fault(check, f"issuer {name} has no key, so none of its tokens is taken", "See what it publishes.")
    if answer["new"] or answer["gone"]:
        return warning(
            check,
            f"issuer {name} publishes other keys than those in use",
            f"They are taken on schedule; at once by `mcp-platform issuer refresh {name}`.",
        )
    return ok(check, f"issuer {name} publishes the keys in use ({len(answer['keys'])})")
