"""What can go wrong with keys and sealed values."""

from mcp_platform.base.errors import define

VAULT_UNSEAL_FAILED = define(
    "vault_unseal_failed",
    http=500,
    jsonrpc=-31520,
    text="A sealed value could not be opened: it was changed, moved or sealed with another key; restore the key files.",
    whose="platform",
)
KEK_UNUSABLE = define(
    "kek_unusable",
    http=500,
    jsonrpc=-31521,
    text="The key-encryption key is missing, unreadable, not 32 bytes, or readable by others; see `vault.kek_file`.",
    whose="platform",
)
KEYS_MISSING = define(
    "keys_missing",
    http=500,
    jsonrpc=-31522,
    text="The data folder holds no complete set of keys; restore DATA/keys from a backup or run `mcp-platform init`.",
    whose="platform",
)
KEYS_EXIST = define(
    "keys_exist",
    http=409,
    jsonrpc=-31523,
    text="The data folder holds a platform's keys already; they are never overwritten.",
    whose="caller",
)
