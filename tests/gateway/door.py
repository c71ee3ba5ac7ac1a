"""Control's local door, spoken to directly: a test of hundreds of changes need not start hundreds of commands."""

import json
import socket
from typing import Any

from tests.journeys.platform import Platform


class Door:
    """One connection to DATA/control.sock for each request: newline-delimited JSON."""

    def __init__(self, platform: Platform) -> None:
        self._path = str(platform.data / "control.sock")

    def ask(self, action: str, **params: Any) -> dict[str, Any]:
        """The result of an action; fails where it is refused."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(30)
            sock.connect(self._path)
            sock.sendall(json.dumps({"action": action, "params": params}).encode() + b"\n")
            with sock.makefile("rb") as stream:
                for line in stream:
                    reply = json.loads(line)
                    if "ok" in reply:
                        assert reply["ok"], reply
                        result: dict[str, Any] = reply["result"]
                        return result
        raise AssertionError("control closed the door without an answer")
