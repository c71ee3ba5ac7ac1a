"""Secrets are shown once: to a terminal, or in the object of --json. Anywhere else (a pipe, a service's log) they go
to a file of mode 0600 that is named instead.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

from mcp_platform.base.folder import write_private
from mcp_platform.cli.session import Session


def reveal(session: Session, secrets: Mapping[str, str], file_name: str) -> Path | None:
    """Show `secrets` (label → value) to a terminal, or write them to `file_name` in the data folder and return its
    path. With --json nothing happens: the caller's object carries them."""
    if session.out.as_json:
        return None
    if sys.stdout.isatty():
        width = max(len(label) for label in secrets)
        for label, value in secrets.items():
            session.out.line(f"{label:{width}}  {value}")
        return None
    path = session.data.root / file_name
    write_private(path, "".join(f"{label}: {value}\n" for label, value in secrets.items()).encode())
    session.out.line(f"Secrets are in {path} (mode 0600): read it, then delete it.")
    return path
