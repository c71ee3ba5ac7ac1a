"""Every action that control knows, in one place. What is not here cannot be asked for."""

from mcp_platform.control import status
from mcp_platform.control.anchor import actions as anchor
from mcp_platform.features.apikeys import actions as apikeys
from mcp_platform.features.audit import actions as audit
from mcp_platform.features.audit import content, erasure, reading
from mcp_platform.features.identity import actions as identity
from mcp_platform.features.jwt import actions as issuers
from mcp_platform.features.jwt import subjects
from mcp_platform.features.ratelimit import actions as ratelimit
from mcp_platform.features.rbac import actions as rbac
from mcp_platform.features.tokens import actions as tokens
from mcp_platform.features.toolpolicy import actions as toolpolicy
from mcp_platform.features.upstreams import actions as upstreams
from mcp_platform.features.upstreams import showing as servers
from mcp_platform.features.upstreams import waiting
from mcp_platform.features.virtualservers import actions as virtualservers
from mcp_platform.store.action import Action


def _by_name(*groups: tuple[Action, ...]) -> dict[str, Action]:
    found: dict[str, Action] = {}
    for group in groups:
        for action in group:
            assert action.name not in found, f"two actions are called {action.name}"
            found[action.name] = action
    return dict(sorted(found.items()))


ACTIONS = _by_name(
    anchor.ACTIONS,
    apikeys.ACTIONS,
    audit.ACTIONS,
    content.ACTIONS,
    erasure.ACTIONS,
    identity.ACTIONS,
    issuers.ACTIONS,
    reading.ACTIONS,
    ratelimit.ACTIONS,
    rbac.ACTIONS,
    servers.ACTIONS,
    status.ACTIONS,
    subjects.ACTIONS,
    tokens.ACTIONS,
    toolpolicy.ACTIONS,
    upstreams.ACTIONS,
    virtualservers.ACTIONS,
    waiting.ACTIONS,
)
