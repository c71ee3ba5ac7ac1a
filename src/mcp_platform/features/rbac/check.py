"""What roles allow. Pure; compiled once for each principal and key, asked on every call. Deny is the default."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

MAX_RULE_CHARACTERS = 256
"""Characters of a rule about tools or prompts: a server name (32), a slash, and a name of any length that an upstream
had a use for."""
MAX_RESOURCE_RULE_CHARACTERS = 2100
"""Characters of a rule about resources: a kind, a server name, and a URI of 2048, as long as a server's own may be."""
TOOLS, PROMPTS, RESOURCES = "", "prompts:", "resources:"
"""How a rule begins that is about tools, about prompts or about resources."""
RULE_FORM = (
    "A rule has the form `server/tool`, `prompts:server/name` or `resources:server/uri`; either side of the slash may "
    "be `*` as a whole."
)
"""For whoever wrote another."""

_RULE = re.compile(r"(prompts:|resources:|)((?:\*|[a-z0-9][a-z0-9_-]{0,31})/(?:\*|[^*\x00-\x1f\x7f]+))")
_ROLE_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)


def is_role_name(text: str) -> bool:
    return _ROLE_NAME.fullmatch(text) is not None


def is_rule(text: str) -> bool:
    """True where `text` is `server/tool`, `prompts:server/name` or `resources:server/uri`, with `*` only as the whole
    of a side."""
    return _read(text) is not None


def is_tool_rule(text: str) -> bool:
    """True where `text` is a rule about tools."""
    rule = _read(text)
    return rule is not None and rule[0] == TOOLS


def _read(text: str) -> tuple[str, str, str] | None:
    """What a rule is about, its server and its name; None where it has not the form."""
    form = _RULE.fullmatch(text) if len(text) <= MAX_RESOURCE_RULE_CHARACTERS else None
    if form is None or (form[1] != RESOURCES and len(text) > MAX_RULE_CHARACTERS):
        return None
    server, _, name = form[2].partition("/")
    return form[1], server, name


@dataclass(frozen=True, slots=True)
class _Rules:
    """The rules about one kind of thing."""

    kind: str
    every: bool
    servers: frozenset[str]
    """Servers of which every one is allowed."""
    names: frozenset[str]
    """Names that are allowed on every server."""
    pairs: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, kind: str, rules: Iterable[tuple[str, str, str]]) -> "_Rules":
        sides = [(server, name) for about, server, name in rules if about == kind]
        return cls(
            kind=kind,
            every=("*", "*") in sides,
            servers=frozenset(server for server, name in sides if name == "*" and server != "*"),
            names=frozenset(name for server, name in sides if server == "*" and name != "*"),
            pairs=frozenset((server, name) for server, name in sides if server != "*" and name != "*"),
        )

    def rule(self, server: str, name: str) -> str:
        """The broadest rule that allows it; empty where none does."""
        if self.every:
            return f"{self.kind}*/*"
        if server in self.servers:
            return f"{self.kind}{server}/*"
        if name in self.names:
            return f"{self.kind}*/{name}"
        return f"{self.kind}{server}/{name}" if (server, name) in self.pairs else ""

    def permits(self, server: str, name: str) -> bool:
        return self.every or server in self.servers or name in self.names or (server, name) in self.pairs


@dataclass(frozen=True, slots=True)
class _All:
    """Rules, by what they are about."""

    tools: _Rules
    prompts: _Rules
    resources: _Rules

    @classmethod
    def of(cls, rules: Iterable[str]) -> "_All":
        """A rule that has not the form allows nothing."""
        read = [rule for rule in map(_read, rules) if rule is not None]
        return cls(_Rules.of(TOOLS, read), _Rules.of(PROMPTS, read), _Rules.of(RESOURCES, read))


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a caller may see and use: what its roles allow, narrowed by its key's scopes.

    Tools and prompts are asked for by the names, resources by the URIs that their server gave them.
    """

    _rules: _All
    _scopes: _All | None = field(default=None)

    @classmethod
    def of(cls, rules: Iterable[str], scopes: Iterable[str] | None = None) -> "Allowed":
        """`rules` of all roles together; `scopes` None narrows nothing, an empty one narrows to nothing."""
        return cls(_All.of(rules), None if scopes is None else _All.of(scopes))

    def rule(self, server: str, tool: str) -> str:
        """The rule of a role that allows it, for the record; empty where none does."""
        return self._rules.tools.rule(server, tool)

    def permits(self, server: str, tool: str) -> bool:
        return self._rules.tools.permits(server, tool) and (
            self._scopes is None or self._scopes.tools.permits(server, tool)
        )

    def rule_prompt(self, server: str, name: str) -> str:
        """As `rule`, of a prompt."""
        return self._rules.prompts.rule(server, name)

    def permits_prompt(self, server: str, name: str) -> bool:
        return self._rules.prompts.permits(server, name) and (
            self._scopes is None or self._scopes.prompts.permits(server, name)
        )

    def rule_resource(self, server: str, uri: str) -> str:
        """As `rule`, of a resource."""
        return self._rules.resources.rule(server, uri)

    def permits_resource(self, server: str, uri: str) -> bool:
        """Whether the resource `uri` may be read. A template is seen by whom a rule allows its own text, `{…}` and
        all: that of every resource of its server does."""
        return self._rules.resources.permits(server, uri) and (
            self._scopes is None or self._scopes.resources.permits(server, uri)
        )
