"""The platform's own state over REST."""

import msgspec

from mcp_platform.control.status import ACTIONS
from mcp_platform.store.route import Route, by_name


class WorkerShown(msgspec.Struct, frozen=True):
    """A gateway worker as control sees it."""

    slot: int
    pid: int
    revision: int
    """The revision that it answers by."""
    silent_s: float
    """Seconds since it last spoke."""


class Status(msgspec.Struct, frozen=True):
    """Which platform this is, and how much it holds."""

    platform_id: str
    revision: int
    schema: str
    keys: int
    tools: int
    principals: int
    servers: int
    audit_rows: int
    workers: list[WorkerShown] = []


ROUTES = (Route("GET", "/status", by_name(ACTIONS)["status"], Status),)
