"""`audit verify`: proves a copied folder whole with nothing but the public key. Needs no platform and no network."""

import time
from pathlib import Path
from typing import Any

import click

from mcp_platform.base import clock
from mcp_platform.cli.exit_codes import ExitCode
from mcp_platform.cli.late import Late
from mcp_platform.cli.page import Page
from mcp_platform.cli.session import Session, with_session

TOLD_EVERY_S = 0.5
_verify = Late("journal.verify")
_anchored = Late("journal.anchored")


@click.command(
    cls=Page,
    examples=[
        "mcp-platform audit verify --data ./mcp-platform-data",
        "mcp-platform audit verify --data ./copy --public-key journal.pub --anchor anchors.jsonl",
    ],
    exits=(ExitCode.OK, ExitCode.FAILED, ExitCode.USAGE, ExitCode.CONFIGURATION),
)
@click.option("--public-key", metavar="FILE", help="32 bytes, kept elsewhere. Without it: DATA/keys/journal.pub.")
@click.option("--anchor", "anchors", multiple=True, metavar="FILE", help="Checkpoints kept elsewhere. Repeatable.")
@with_session
def verify(session: Session, *, public_key: str | None, anchors: tuple[str, ...]) -> int:
    """Prove the record in a data folder, or a copy of one, and say exactly what was found. Offline; changes nothing.

    Ends with 0 where the record is intact and with 1 where anything speaks against it. Without --public-key the key
    is taken from the folder that it is to prove: then whoever changed the record may have changed the key as well.
    What was cut off after the last checkpoint is noticed only by --anchor.
    """
    key = None if public_key is None else Path(public_key).expanduser()
    teller = _Teller(session)
    report = _verify.verify(session.data.root, key, teller.tell)
    compared = None
    if anchors:
        files = [Path(each).expanduser() for each in anchors]
        compared = _anchored.compare(session.data.root, key, files, report, teller.tell)
        report = compared.report
    session.out.result(_as_object(report, compared))
    if not session.out.as_json:
        _explain(session, report, compared)
    return ExitCode.OK if report.intact else ExitCode.FAILED


class _Teller:
    """Progress on stderr, twice a second."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._next = time.monotonic() + TOLD_EVERY_S

    def tell(self, segment: str, done: int, total: int) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + TOLD_EVERY_S
        part = 100 * done // max(total, 1)
        self._session.out.progress(f"Verifying {segment}: {part} % of {total >> 20} MiB")


def _as_object(report: Any, compared: Any) -> dict[str, object]:  # noqa: ANN401  # a Report and a Compared, imported late
    return {
        "intact": report.intact,
        "key": report.key,
        "platform": report.platform,
        "segments": report.segments,
        "records": report.records,
        "bytes": report.bytes,
        "checkpoints": report.checkpoints,
        "signed_until": _moment(report.anchored_until),
        "anchors": 0 if compared is None else compared.checkpoints,
        "anchored_until": None if compared is None else _moment(compared.until),
        "findings": [
            {
                "kind": str(each.kind),
                "against": not each.is_note,
                "segment": each.segment,
                "index": each.index,
                "upto": each.upto,
                "says": each.says,
                "detail": each.detail,
            }
            for each in report.findings
        ],
        "more_findings": report.more_findings,
    }


def _moment(time_ns: int) -> str | None:
    return clock.rfc3339(time_ns / 1e9) if time_ns else None


def _explain(session: Session, report: Any, compared: Any) -> None:  # noqa: ANN401  # a Report and a Compared, imported late
    out = session.out
    for each in report.findings:
        mark = "note" if each.is_note else "AGAINST"
        detail = f" ({each.detail})" if each.detail else ""
        out.line(f"{mark}: {each.kind} in {each.segment}{_where(each)}: {each.says}{detail}")
    if report.more_findings:
        out.line(f"and {report.more_findings} more")
    until = _moment(report.anchored_until)
    signed = f"signed until {until}" if until else "signed by no checkpoint"
    verdict = "Intact" if report.intact else "NOT INTACT"
    out.line(f"{verdict}: {report.records} records in {report.segments} segments, {signed}.")
    if compared is not None:
        out.line(
            f"Compared with {compared.checkpoints} checkpoints kept elsewhere, the newest of {_moment(compared.until)}."
        )
    else:
        out.advice(
            "What was cut off after the last checkpoint here nobody can notice from the folder alone: use --anchor."
        )
    if report.key == "folder":
        out.warning("The public key was taken from the folder itself; give one kept elsewhere with --public-key.")


def _where(finding: Any) -> str:  # noqa: ANN401  # a Finding, imported late
    if finding.index is None:
        return ""
    upto = f" to {finding.upto}" if finding.upto not in (None, finding.index) else ""
    return f", record {finding.index}{upto}"
