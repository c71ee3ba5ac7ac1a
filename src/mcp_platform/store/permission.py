"""Every permission that an action can need: `area:thing:verb`, alphabetised."""

from enum import StrEnum


class Permission(StrEnum):
    """What an actor must hold. Nothing implies another."""

    AUDIT_LOG_VERIFY = "audit:log:verify"
    IDENTITY_PRINCIPAL_CHANGE = "identity:principal:change"
    IDENTITY_PRINCIPAL_READ = "identity:principal:read"
    IDENTITY_SETUP_START = "identity:setup:start"
    KEYS_KEY_CREATE = "keys:key:create"
    KEYS_KEY_READ = "keys:key:read"
    KEYS_KEY_REVOKE = "keys:key:revoke"
    PLATFORM_STATUS_READ = "platform:status:read"
    RBAC_GRANT_CHANGE = "rbac:grant:change"
    RBAC_ROLE_CHANGE = "rbac:role:change"
    RBAC_ROLE_READ = "rbac:role:read"
    UPSTREAMS_SERVER_CHANGE = "upstreams:server:change"
    UPSTREAMS_SERVER_READ = "upstreams:server:read"
    UPSTREAMS_SERVER_TEST = "upstreams:server:test"
