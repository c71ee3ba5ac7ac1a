"""FastMCP's own proxy in front of a server; run by the Python of the peer `fastmcp`, not by ours.

Arguments: the server's URL, a port, and `connected` for a client that is connected once instead of for each call.
"""

import asyncio
import sys

from fastmcp import Client
from fastmcp.server import create_proxy


async def main(url: str, port: int, connected: bool) -> None:
    if not connected:
        await create_proxy(url).run_async(transport="http", port=port, show_banner=False, log_level="ERROR")
        return
    async with Client(url) as client:
        await create_proxy(client).run_async(transport="http", port=port, show_banner=False, log_level="ERROR")


asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3:] == ["connected"]))
