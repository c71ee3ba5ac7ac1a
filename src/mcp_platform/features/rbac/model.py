"""Roles: named lists of what is allowed. What no rule allows is denied."""

import msgspec


class RoleRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A role as a worker knows it."""

    name: str
    rules: tuple[str, ...]
    """`server/tool`, `prompts:server/name` and `resources:server/uri`; either side of the slash may be `*`. `*/*` is
    every approved tool."""


MEMBER = RoleRow(name="member", rules=("*/*", "prompts:*/*", "resources:*/*"))
"""Built in: every approved tool, every prompt and every resource. The first key's principal holds it."""
