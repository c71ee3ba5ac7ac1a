"""Legacy sessions: which revision is agreed, how long an id is good, and for whom."""

from typing import Any

import pytest

from mcp_platform.base import clock
from mcp_platform.base.errors import Fault
from mcp_platform.features.identity.model import PrincipalRow
from mcp_platform.features.rbac.check import Allowed
from mcp_platform.gateway.errors import SESSION_UNKNOWN
from mcp_platform.gateway.identity import Identity
from mcp_platform.gateway.sealed import Seal
from mcp_platform.gateway.sessions import Session, Sessions
from tests.gateway.door import Door
from tests.gateway.wires import LegacySession, Wire, wires_to_each_worker
from tests.journeys.platform import Platform

pytestmark = pytest.mark.peers
SECRET = b"s" * 32
HOUR_S = 3600.0


def identity(principal: str, agent: str = "agent") -> Identity:
    row = PrincipalRow(principal, principal, "person", "default", ())
    return Identity(row, agent, "key", Allowed.of([]))


def sessions() -> Sessions:
    """As one worker has them; every worker has the same secret."""
    return Sessions(Seal(SECRET, "legacy session v2", Session), 24 * HOUR_S)


def refused(worker: Sessions, text: str, whose: Identity, endpoint: str = "") -> bool:
    try:
        worker.open(text, whose, endpoint)
    except Fault as fault:
        return fault.kind is SESSION_UNKNOWN
    return False


def test_a_session_works_after_twelve_idle_hours_and_not_after_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """On every worker, one that started since then too."""
    began = clock.now()
    text = sessions().begin(identity("ana"), "", "2025-11-25", b"{}", b"{}")
    monkeypatch.setattr(clock, "now", lambda: began + 12 * HOUR_S)
    assert sessions().open(text, identity("ana"), "").version == "2025-11-25"
    monkeypatch.setattr(clock, "now", lambda: began + 24 * HOUR_S + 1)
    assert refused(sessions(), text, identity("ana"))


def test_an_id_is_good_for_its_principal_agent_and_endpoint_alone() -> None:
    text = sessions().begin(identity("ana"), "tools", "2025-11-25", b"{}", b"{}")
    assert not refused(sessions(), text, identity("ana"), "tools")
    assert refused(sessions(), text, identity("bob"), "tools")
    assert refused(sessions(), text, identity("ana", "another"), "tools")
    assert refused(sessions(), text, identity("ana"), "")
    assert refused(sessions(), text[:-2] + "xx", identity("ana"), "tools")


def test_an_ended_session_is_over_where_its_end_is_known() -> None:
    here, there = sessions(), sessions()
    text = here.begin(identity("ana"), "", "2025-11-25", b"{}", b"{}")
    ended = here.end(here.open(text, identity("ana"), ""))
    there.ended(ended)
    assert refused(here, text, identity("ana"))
    assert refused(there, text, identity("ana"))


@pytest.mark.parametrize(
    ("asked", "agreed"),
    [(each, each) for each in ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")]
    + [("1999-01-01", "2025-11-25"), ("2026-07-28", "2025-11-25")],
)
def test_the_revision_that_was_asked_for_is_agreed_or_else_the_latest_legacy_one(
    platform: Platform, asked: str, agreed: str
) -> None:
    session = LegacySession(Wire(platform), platform.api_key, version=asked)
    assert session.initialized["protocolVersion"] == agreed
    for header in (agreed, None, "2025-03-26"):
        session.headers.pop("MCP-Protocol-Version", None)
        if header is not None:
            session.headers["MCP-Protocol-Version"] = header
        assert session.request("ping", {}).json()["result"] == {}
    session.headers["MCP-Protocol-Version"] = "1999-01-01"
    assert session.request("ping", {}).status == 400


def test_an_ended_session_is_worthless_on_every_worker_at_once(platform: Platform) -> None:
    """When the end is answered, no worker takes the id any more; nobody else could end it."""
    door = Door(platform)
    thief = door.ask("key.create", principal="session-thief", agent="x", roles=["member"])["api_key"]
    wires = list(wires_to_each_worker(platform).values())
    for _ in range(20):
        session = LegacySession(wires[0], platform.api_key)
        stolen: dict[str, Any] = {**session.headers, "Authorization": f"Bearer {thief}"}
        for wire in wires:
            assert wire.ask(b"", stolen, "DELETE").status == 404
        assert wires[1].ask(b"", session.headers, "DELETE").status == 200
        for wire in wires:
            assert session.request("ping", {}, wire=wire).status == 404
            assert wire.ask(b"", session.headers, "DELETE").status == 404
