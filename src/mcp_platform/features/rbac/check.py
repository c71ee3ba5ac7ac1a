"""What roles allow. Pure; compiled once for each principal and key, asked on every call. Deny is the default."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

MAX_RULE_CHARACTERS = 256
"""Characters of one rule: a server name (32), a slash, and a tool name of any length that an upstream had a use for."""

_RULE = re.compile(r"(\*|[a-z0-9][a-z0-9_-]{0,31})/(\*|[^*\x00-\x1f\x7f]+)")
_ROLE_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)


def is_role_name(text: str) -> bool:
    return _ROLE_NAME.fullmatch(text) is not None


def is_rule(text: str) -> bool:
    """True where `text` is `server/tool` with `*` only as the whole of a side."""
    return len(text) <= MAX_RULE_CHARACTERS and _RULE.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class _Rules:
    every: bool
    servers: frozenset[str]
    """Servers of which every tool is allowed."""
    tools: frozenset[str]
    """Tool names that are allowed on every server."""
    pairs: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, rules: Iterable[str]) -> "_Rules":
        """A rule that has not the form allows nothing."""
        sides = [(rule.partition("/")[0], rule.partition("/")[2]) for rule in rules if is_rule(rule)]
        return cls(
            every=("*", "*") in sides,
            servers=frozenset(server for server, tool in sides if tool == "*" and server != "*"),
            tools=frozenset(tool for server, tool in sides if server == "*" and tool != "*"),
            pairs=frozenset((server, tool) for server, tool in sides if server != "*" and tool != "*"),
        )

    def rule(self, server: str, tool: str) -> str:
        """The broadest rule that allows it; empty where none does."""
        if self.every:
            return "*/*"
        if server in self.servers:
            return f"{server}/*"
        if tool in self.tools:
            return f"*/{tool}"
        return f"{server}/{tool}" if (server, tool) in self.pairs else ""

    def permits(self, server: str, tool: str) -> bool:
        return self.every or server in self.servers or tool in self.tools or (server, tool) in self.pairs


@dataclass(frozen=True, slots=True)
class Allowed:
    """The tools that a caller may see and call: what its roles allow, narrowed by its key's scopes."""

    _rules: _Rules
    _scopes: _Rules | None

    @classmethod
    def of(cls, rules: Iterable[str], scopes: Iterable[str] | None = None) -> "Allowed":
        """`rules` of all roles together; `scopes` None narrows nothing, an empty one narrows to nothing."""
        return cls(_Rules.of(rules), None if scopes is None else _Rules.of(scopes))

    def rule(self, server: str, tool: str) -> str:
        """The rule of a role that allows it, for the record; empty where none does."""
        return self._rules.rule(server, tool)

    def permits(self, server: str, tool: str) -> bool:
        """`tool` by the name that its server gave it."""
        return self._rules.permits(server, tool) and (self._scopes is None or self._scopes.permits(server, tool))
