"""What can be wrong with a token, as its bearer sees it, and with an issuer, as the operator sees it.

A bearer is told one thing whatever was wrong: which check failed stands in the log alone.
"""

from mcp_platform.base.errors import define

TOKEN_INVALID = define(
    "token_invalid",
    http=401,
    jsonrpc=-31407,
    text="The token is not one that this platform accepts; get a new one from your identity provider.",
    whose="caller",
)
ISSUER_EXISTS = define(
    "issuer_exists",
    http=409,
    jsonrpc=-32602,
    text="There is an issuer of that name or URL; remove it first, or choose another name.",
    whose="caller",
)
ISSUER_UNKNOWN = define(
    "issuer_unknown",
    http=404,
    jsonrpc=-32602,
    text="No issuer has that name; `mcp-platform issuer list` shows those that exist.",
    whose="caller",
)
ISSUER_KEYS_UNREACHABLE = define(
    "issuer_keys_unreachable",
    http=502,
    jsonrpc=-31540,
    text="The issuer's key set could not be fetched: it must answer with status 200, without redirect, in time.",
    whose="upstream",
)
ISSUER_KEYS_INVALID = define(
    "issuer_keys_invalid",
    http=422,
    jsonrpc=-31541,
    text="The issuer's key set is not one that can be used; it must be a JSON Web Key Set (RFC 7517) of public keys.",
    whose="upstream",
)
ISSUER_KEY_WEAK = define(
    "issuer_key_weak",
    http=422,
    jsonrpc=-31542,
    text="The issuer's key set holds a key that can be broken; the issuer must replace it.",
    whose="upstream",
)
ISSUER_URL_INSECURE = define(
    "issuer_url_insecure",
    http=422,
    jsonrpc=-32602,
    text="The URL of a key set begins with https://; http:// is only taken to this machine itself (127.0.0.1, ::1).",
    whose="caller",
)
