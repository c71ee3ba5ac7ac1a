"""The console's pages: whole, fixed texts. Nothing that was sent ever stands in one."""


def _page(title: str, text: str) -> bytes:
    return (
        "<!doctype html>\n"
        '<html lang="en">\n'
        "<head>\n"
        '<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title} · MCP Platform</title>\n"
        "</head>\n"
        "<body>\n"
        "<main>\n"
        f"<h1>{title}</h1>\n"
        f"<p>{text}</p>\n"
        "</main>\n"
        "</body>\n"
        "</html>\n"
    ).encode()


RUNNING = _page(
    "Your gateway is running",
    "Set-up comes with the console. Until then, <code>mcp-platform --help</code> on this machine shows what "
    "you can do.",
)
LINK_WRONG = _page(
    "This is not the set-up link",
    "The link is not the one that this platform printed. Copy it whole from where <code>mcp-platform init</code> or "
    "<code>serve</code> printed it.",
)
LINK_EXPIRED = _page(
    "The set-up link has expired",
    "It was good for 15 minutes after the first start. Your gateway works without it: manage it with "
    "<code>mcp-platform</code> on this machine.",
)
ROOT = _page(
    "MCP Platform",
    "The console comes with a later version. Until then, <code>mcp-platform --help</code> on this machine shows what "
    "you can do.",
)
