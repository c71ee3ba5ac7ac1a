"""What `doctor` says of checkpoints on a platform that was quiet: what it wrote itself a moment ago is no alarm."""

from pathlib import Path

import pytest

from mcp_platform.base.folder import DataFolder
from mcp_platform.cli.checks import record
from mcp_platform.cli.checks.finding import Level, Patient
from tests.journeys.platform import running_platform


def test_a_record_that_waits_for_its_next_checkpoint_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "UNSIGNED_S", 0.3)
    with running_platform(tmp_path, workers=1, config="[journal]\ncheckpoint_s = 3.0") as platform:
        patient = Patient(DataFolder(platform.data), None, True, None)

        def signed() -> tuple[Level, str]:
            (found,) = [each for each in record.examine(patient) if each.check == "record.signatures"]
            return found.level, found.says

        platform.wait_for(lambda: signed()[1].endswith("seconds ago"), "a quiet while", 20)
        platform.cli("role", "list")
        assert signed()[0] is Level.OK, signed()
