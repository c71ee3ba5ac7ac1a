"""Roles: named lists of what is allowed. What no rule allows is denied."""

import msgspec


class RoleRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A role as a worker knows it."""

    name: str
    rules: tuple[str, ...]
    """`server/tool` patterns; either side may be `*`. `*/*` is every approved tool."""


MEMBER = RoleRow(name="member", rules=("*/*",))
"""Built in: every approved tool. The first key's principal holds it."""
