"""What control does is recorded before it happens: changes, reads, refusals, starts and stops."""

import os
from pathlib import Path

import pytest

from mcp_platform.base.errors import Fault
from mcp_platform.control.entry import local_actor
from mcp_platform.control.record import ControlRecord
from mcp_platform.features.audit.actions import Event
from mcp_platform.journal import place
from mcp_platform.journal.errors import JOURNAL_UNAVAILABLE
from mcp_platform.journal.read import entries
from mcp_platform.journal.record import Control
from mcp_platform.journal.verify import verify
from mcp_platform.store.action import Actor
from tests.control.worlds import World, world


async def opened(here: World) -> ControlRecord:
    record = await ControlRecord.open(here.data, here.settings, here.ring.platform_id)
    here.executor.record = record
    await record.started()
    return record


def recorded(here: World) -> list[Control]:
    return [
        entry.record
        for file in place.segments(here.data.journal)
        if file.writer == place.CONTROL
        for entry in entries(here.data.journal, file.name)
        if isinstance(entry.record, Control)
    ]


async def test_a_change_is_recorded_before_and_after_a_refusal_once_and_all_is_anchored(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        record = await opened(here)
        await here.ask("role.create", name="reader", rules=["files/*"])
        await here.ask("role.list")
        with pytest.raises(Fault):
            await here.ask("role.create", name="reader", rules=["files/*"])
        nobody = Actor(kind="local", id="local:99", permissions=frozenset())
        with pytest.raises(Fault):
            await here.executor.execute("role.create", {"name": "x", "rules": []}, nobody)
        with pytest.raises(Fault):
            await here.executor.execute("no.such", {}, local_actor(os.getuid()))
        await record.close()
        me = f"local:{os.getuid()}"
        said = [(each.event, each.actor, each.tag, each.outcome) for each in recorded(here)]
        assert said == [
            ("start", "system:control", "platform:control:start", "ok"),
            ("configuration", "system:control", "platform:control:start", "ok"),
            ("change", me, "rbac:role:create", "begun"),
            ("change", me, "rbac:role:create", "ok"),
            ("read", me, "rbac:role:list", "ok"),
            ("change", me, "rbac:role:create", "begun"),
            ("refusal", me, "rbac:role:create", "refused"),
            ("refusal", "local:99", "rbac:role:create", "refused"),
            ("refusal", me, "platform:request:unknown", "refused"),
            ("stop", "system:control", "platform:control:stop", "ok"),
        ]
        traces = [each.trace for each in recorded(here)]
        assert traces[2] == traces[3] != traces[5] == traces[6]
        assert recorded(here)[3].revision > 0
        report = verify(here.data.root, here.data.keys / "journal.pub")
        assert report.intact, report.findings
        assert report.checkpoints >= 1
        assert {each.segment[:10] for each in report.findings if each.kind == "unanchored_tail"} == set()


async def test_a_change_that_cannot_be_recorded_does_not_happen(tmp_path: Path) -> None:
    class Full:
        async def control(self, kind: str, event: Event, *, trace: str, revision: int = 0) -> None:
            raise Fault(JOURNAL_UNAVAILABLE)

    async with world(tmp_path) as here:
        unrecorded = here.executor.record
        here.executor.record = Full()
        with pytest.raises(Fault) as caught:
            await here.ask("role.create", name="reader", rules=["files/*"])
        assert caught.value.kind.code == "journal_unavailable"
        here.executor.record = unrecorded
        roles = await here.ask("role.list")
        assert "reader" not in str(roles)


async def test_the_journals_key_is_made_once_and_its_loss_is_not_papered_over(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        await (await opened(here)).close()
        public = (here.data.keys / "journal.pub").read_bytes()
        await (await opened(here)).close()
        assert (here.data.keys / "journal.pub").read_bytes() == public
        (here.data.keys / "journal.sealed").unlink()
        with pytest.raises(Fault) as caught:
            await opened(here)
        assert caught.value.kind.code == "keys_missing"


async def test_one_control_at_a_time_signs_checkpoints(tmp_path: Path) -> None:
    """A new control starts before the old one ends; both record, and the chain of checkpoints stays one."""
    async with world(tmp_path) as here:
        old = await opened(here)
        await here.ask("role.list")
        new = await opened(here)
        await here.ask("role.list")
        await old.close()
        await here.ask("role.list")
        await new.close()
        report = verify(here.data.root)
        assert report.intact, report.findings
        assert len([each for each in recorded(here) if each.event == "read"]) == 3
