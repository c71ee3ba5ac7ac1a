"""Every permission that an action can need: `area:thing:verb`, alphabetised."""

from enum import StrEnum


class Permission(StrEnum):
    """What an actor must hold. Nothing implies another."""

    AUDIT_CONTENT_ERASE = "audit:content:erase"
    AUDIT_CONTENT_READ = "audit:content:read"
    AUDIT_LOG_VERIFY = "audit:log:verify"
    AUDIT_RECORD_ANCHOR = "audit:record:anchor"
    AUDIT_RECORD_READ = "audit:record:read"
    IDENTITY_PRINCIPAL_CHANGE = "identity:principal:change"
    IDENTITY_PRINCIPAL_READ = "identity:principal:read"
    IDENTITY_SETUP_START = "identity:setup:start"
    JWT_ISSUER_CHANGE = "jwt:issuer:change"
    JWT_ISSUER_READ = "jwt:issuer:read"
    JWT_ISSUER_TEST = "jwt:issuer:test"
    JWT_LINK_CHANGE = "jwt:link:change"
    JWT_TOKEN_REVOKE = "jwt:token:revoke"  # noqa: S105 - a name, not a password
    KEYS_KEY_CREATE = "keys:key:create"
    KEYS_KEY_READ = "keys:key:read"
    KEYS_KEY_REVOKE = "keys:key:revoke"
    PLATFORM_STATUS_READ = "platform:status:read"
    RATELIMIT_LIMIT_CHANGE = "ratelimit:limit:change"
    RATELIMIT_LIMIT_READ = "ratelimit:limit:read"
    RBAC_GRANT_CHANGE = "rbac:grant:change"
    RBAC_ROLE_CHANGE = "rbac:role:change"
    RBAC_ROLE_READ = "rbac:role:read"
    TOKENS_TOKEN_CREATE = "tokens:token:create"  # noqa: S105 - a name, not a password
    TOKENS_TOKEN_READ = "tokens:token:read"  # noqa: S105 - a name, not a password
    TOKENS_TOKEN_REVOKE = "tokens:token:revoke"  # noqa: S105 - a name, not a password
    TOOLS_POLICY_CHANGE = "tools:policy:change"
    UPSTREAMS_SERVER_CHANGE = "upstreams:server:change"
    UPSTREAMS_SERVER_READ = "upstreams:server:read"
    UPSTREAMS_SERVER_REFRESH = "upstreams:server:refresh"
    UPSTREAMS_SERVER_TEST = "upstreams:server:test"
    UPSTREAMS_TOOL_APPROVE = "upstreams:tool:approve"
    VIRTUAL_SERVER_CHANGE = "virtual:server:change"
    VIRTUAL_SERVER_READ = "virtual:server:read"
