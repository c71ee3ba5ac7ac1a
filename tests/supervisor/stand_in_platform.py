"""Runs the supervisor over the stand-in roles: `stand_in_platform.py DATA SETTINGS.json [CONTAINMENT]`."""

import dataclasses
import json
import sys
from pathlib import Path

from stand_in_roles import ROLES

from mcp_platform.base.config import Settings
from mcp_platform.base.errors import CONFIGURATION, Fault
from mcp_platform.base.folder import DataFolder
from mcp_platform.supervisor.containment import Containment
from mcp_platform.supervisor.run import run


def settings(path: Path) -> Settings:
    """Settings from `{"topic": {"name": value}}`."""
    found = Settings()
    try:
        for topic, values in json.loads(path.read_text()).items():
            found = dataclasses.replace(found, **{topic: dataclasses.replace(getattr(found, topic), **values)})
    except (ValueError, TypeError, AttributeError) as error:
        raise Fault(CONFIGURATION) from error
    return found


def main() -> int:
    data, path = DataFolder(Path(sys.argv[1])), Path(sys.argv[2])
    containment = Containment(sys.argv[3]) if len(sys.argv) > 3 else None
    try:
        return run(
            data,
            settings(path),
            reload=lambda: settings(path),
            on_ready=lambda ports: print(json.dumps(dataclasses.asdict(ports)), flush=True),
            roles=ROLES,
            containment=containment,
        )
    except Fault as fault:
        print(json.dumps({"code": fault.kind.code, "text": fault.text, **fault.data}), flush=True)
        return 78


if __name__ == "__main__":
    sys.exit(main())
