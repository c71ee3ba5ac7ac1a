"""The lines that `./dev run` prints: each is complete and works when it is pasted into a shell.

They read the key from its file, so that neither the terminal's scroll-back nor a screenshot holds it.
"""

import json
import shlex
import shutil
import subprocess
from pathlib import Path

from tests.peers.environments import python_of

INSPECTOR = "@modelcontextprotocol/inspector@2.12.0"
INSPECTOR_NEEDS = (22, 19)
"""The Node.js that this inspector asks for."""
VERSION = "2026-07-28"
TOOL = "get_current_time"
ARGUMENTS = {"timezone": "Asia/Tokyo"}

PYTHON = """\
{python} - <<'END'
import asyncio, pathlib
from mcp import Client
from mcp.client.streamable_http import create_mcp_http_client, streamable_http_client

async def main():
    key = pathlib.Path({key_file!r}).read_text().strip()
    http = create_mcp_http_client(headers={{"Authorization": f"Bearer {{key}}"}})
    async with http, Client(streamable_http_client({url!r}, http_client=http)) as client:
        print([tool.name for tool in (await client.list_tools()).tools])
        print((await client.call_tool({tool!r}, {arguments!r})).content[0].text)

asyncio.run(main())
END"""


def lines_to_try(address: str, key_file: Path) -> str:
    """Blocks of shell, each under a comment that says what it is."""
    url = f"{address}/mcp"
    bearer = f'"Authorization: Bearer $(cat {shlex.quote(str(key_file))})"'
    python = shlex.quote(str(python_of("time")))
    client = PYTHON.format(python=python, key_file=str(key_file), url=url, tool=TOOL, arguments=ARGUMENTS)
    return f"""
MCP Platform answers agents at {url}; the key is in {key_file}.
Paste any of these into another terminal:

# curl
{_curl(url, bearer)}

# MCP inspector
{_npx()} -y {INSPECTOR} --cli {url} --transport http --method tools/call \\
  --tool-name {TOOL} --tool-arg timezone={ARGUMENTS["timezone"]} --header {bearer}

# Claude Code
claude mcp add --transport http mcp-platform {url} --header {bearer}

# Python
{client}"""


def _curl(url: str, bearer: str) -> str:
    meta = {
        "io.modelcontextprotocol/protocolVersion": VERSION,
        "io.modelcontextprotocol/clientInfo": {"name": "curl", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params = {"name": TOOL, "arguments": ARGUMENTS, "_meta": meta}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    return f"""\
curl -sS {url} -H {bearer} \\
  -H 'Content-Type: application/json' -H 'Accept: application/json, text/event-stream' \\
  -H 'MCP-Protocol-Version: {VERSION}' -H 'Mcp-Method: tools/call' -H 'Mcp-Name: {TOOL}' \\
  -d {shlex.quote(body)}"""


def _npx() -> str:
    """npx of the machine where its Node.js is new enough for the inspector, otherwise of one out of a wheel."""
    if shutil.which("npx") and _node_version() >= INSPECTOR_NEEDS:
        return "npx"
    return f"PATH={shlex.quote(str(python_of('node').parent))}:$PATH npx"


def _node_version() -> tuple[int, ...]:
    try:
        said = subprocess.run(["node", "--version"], capture_output=True, text=True, timeout=10, check=True).stdout
        return tuple(int(part) for part in said.strip().removeprefix("v").split("."))
    except (OSError, subprocess.SubprocessError, ValueError):
        return (0,)
