"""Every kind of entry in the audit log of control: `source:subject:action`, alphabetised."""

from enum import StrEnum


class Tag(StrEnum):
    """What happened. A tag is never given a second meaning."""

    AUDIT_CONTENT_SEARCH = "audit:content:search"
    AUDIT_LOG_VERIFY = "audit:log:verify"
    AUDIT_RECORD_ANCHOR = "audit:record:anchor"
    AUDIT_RECORD_FOLLOW = "audit:record:follow"
    AUDIT_RECORD_SEARCH = "audit:record:search"
    IDENTITY_PRINCIPAL_DISABLE = "identity:principal:disable"
    IDENTITY_PRINCIPAL_ENABLE = "identity:principal:enable"
    IDENTITY_PRINCIPAL_LIST = "identity:principal:list"
    IDENTITY_SETUP_START = "identity:setup:start"
    JWT_ISSUER_ADD = "jwt:issuer:add"
    JWT_ISSUER_LIST = "jwt:issuer:list"
    JWT_ISSUER_REFRESH = "jwt:issuer:refresh"
    JWT_ISSUER_REMOVE = "jwt:issuer:remove"
    JWT_ISSUER_ROTATE = "jwt:issuer:rotate"
    JWT_ISSUER_TEST = "jwt:issuer:test"
    JWT_LINK_CHANGE = "jwt:link:change"
    JWT_TOKEN_REVOKE = "jwt:token:revoke"  # noqa: S105 - a name, not a password
    KEYS_KEY_CREATE = "keys:key:create"
    KEYS_KEY_LIST = "keys:key:list"
    KEYS_KEY_REVOKE = "keys:key:revoke"
    PLATFORM_CONTROL_START = "platform:control:start"
    PLATFORM_CONTROL_STOP = "platform:control:stop"
    PLATFORM_FIRST_RUN = "platform:first:run"
    PLATFORM_REQUEST_UNKNOWN = "platform:request:unknown"
    PLATFORM_STATUS_READ = "platform:status:read"
    RATELIMIT_LIMIT_LIST = "ratelimit:limit:list"
    RATELIMIT_LIMIT_REMOVE = "ratelimit:limit:remove"
    RATELIMIT_LIMIT_SET = "ratelimit:limit:set"
    RBAC_ROLE_CREATE = "rbac:role:create"
    RBAC_ROLE_DELETE = "rbac:role:delete"
    RBAC_ROLE_GRANT = "rbac:role:grant"
    RBAC_ROLE_LIST = "rbac:role:list"
    RBAC_ROLE_REVOKE = "rbac:role:revoke"
    TOKENS_TOKEN_CREATE = "tokens:token:create"  # noqa: S105 - a name, not a password
    TOKENS_TOKEN_LIST = "tokens:token:list"  # noqa: S105 - a name, not a password
    TOKENS_TOKEN_REFUSE = "tokens:token:refuse"  # noqa: S105 - a name, not a password
    TOKENS_TOKEN_REVOKE = "tokens:token:revoke"  # noqa: S105 - a name, not a password
    TOOLS_POLICY_MARK = "tools:policy:mark"
    UPSTREAMS_SERVER_ADD = "upstreams:server:add"
    UPSTREAMS_SERVER_LIST = "upstreams:server:list"
    UPSTREAMS_SERVER_PROMPTS = "upstreams:server:prompts"
    UPSTREAMS_SERVER_REFRESH = "upstreams:server:refresh"
    UPSTREAMS_SERVER_REMOVE = "upstreams:server:remove"
    UPSTREAMS_SERVER_RESOURCES = "upstreams:server:resources"
    UPSTREAMS_SERVER_STALE = "upstreams:server:stale"
    UPSTREAMS_SERVER_TEST = "upstreams:server:test"
    UPSTREAMS_SERVER_TOOLS = "upstreams:server:tools"
    UPSTREAMS_TOOL_APPROVE = "upstreams:tool:approve"
