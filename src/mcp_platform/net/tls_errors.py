"""What is wrong with a listener's certificate or with who connects to it."""

from mcp_platform.base.errors import define

TLS_PAIR_UNUSABLE = define(
    "tls_pair_unusable",
    http=500,
    jsonrpc=-31426,
    text="A TLS certificate or its key cannot be used; see the settings tls_certificate and tls_key.",
    whose="caller",
)
HTTP_ON_TLS = define(
    "http_on_tls",
    http=400,
    jsonrpc=-31425,
    text="This port speaks TLS: use https:// in the URL.",
    whose="caller",
)
