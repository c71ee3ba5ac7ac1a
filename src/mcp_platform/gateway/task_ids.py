"""What a client's task id says: sealed, so that it names a server's task to its owner and nothing to anybody else."""

import msgspec

from mcp_platform.gateway.sealed import Seal


class TaskId(msgspec.Struct, frozen=True, array_like=True):
    """What a client's task id says."""

    tenant: str
    principal: str
    endpoint: str
    tool: str
    """The tool's name at that endpoint."""
    upstream: str
    inner: str
    """The server's own id."""


def task_seal(secret: bytes) -> Seal[TaskId]:
    return Seal(secret, "task id v1", TaskId)
