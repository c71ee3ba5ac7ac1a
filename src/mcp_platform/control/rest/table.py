"""Every route of the REST API, and every action that has none, with the reason."""

from mcp_platform.control import status_routes
from mcp_platform.features.apikeys import routes as apikeys
from mcp_platform.features.audit import routes as audit
from mcp_platform.features.identity import routes as identity
from mcp_platform.features.jwt import routes as issuers
from mcp_platform.features.ratelimit import routes as ratelimit
from mcp_platform.features.rbac import routes as rbac
from mcp_platform.features.tokens import routes as tokens
from mcp_platform.features.toolpolicy import routes as toolpolicy
from mcp_platform.features.upstreams import routes as upstreams
from mcp_platform.features.virtualservers import routes as virtualservers
from mcp_platform.store.route import Route

ROUTES: tuple[Route, ...] = (
    *status_routes.ROUTES,
    *identity.ROUTES,
    *apikeys.ROUTES,
    *rbac.ROUTES,
    *upstreams.ROUTES,
    *toolpolicy.ROUTES,
    *virtualservers.ROUTES,
    *issuers.ROUTES,
    *ratelimit.ROUTES,
    *tokens.ROUTES,
    *audit.ROUTES,
)
UNROUTED = {
    "audit.anchor": "It writes to places that the machine's own user can reach; it is asked for there.",
    "audit.follow": "It only begins what a reader of the journal's files goes on with, at the machine.",
    "issuer.rotate": "Only the platform itself may ask for it.",
    "server.stale": "Only the platform itself may ask for it.",
    "setup.start": "Only the platform itself may ask for it.",
    "token.create": "A token that makes tokens would never end; one is made at the machine.",
}
"""Actions that have no route, and why."""


def states() -> dict[str, Route]:
    """The routes that show one resource, by path: what If-Match speaks of."""
    return {route.path: route for route in ROUTES if route.one is not None}
