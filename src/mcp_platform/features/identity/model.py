"""Who calls: a principal (person or service account). The agent that acts for it stands beside it in every decision."""

import msgspec

TENANT = "default"
"""There is one tenant in this version; it is in every row so that no table has to change for more."""


class PrincipalRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A principal as a worker knows it."""

    id: str
    name: str
    kind: str
    """`person` or `service`."""
    tenant: str
    roles: tuple[str, ...]
    """Names of the roles granted to it."""
    disabled: bool = False
