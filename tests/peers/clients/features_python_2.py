"""The official Python client 2.x, trying every feature: URL and key as arguments (see features.py).

Run by the Python of the peer `mcp2`, never by the product's.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import mcp_types as types
from features import ANSWERS, Heard, heard_by, main
from mcp import Client, MCPError
from mcp.client.streamable_http import create_mcp_http_client, streamable_http_client
from mcp.client.subscriptions import PromptsListChanged, ResourcesListChanged, ResourceUpdated, ToolsListChanged

CHANGED = {ToolsListChanged: "tools", PromptsListChanged: "prompts", ResourcesListChanged: "resources"}
LEVEL = "io.modelcontextprotocol/logLevel"


class Python2:
    """The client, connected."""

    client: Client
    era: str

    def __init__(self, roots: list[str]) -> None:
        self.heard = Heard()
        self.roots = [types.Root.model_validate({"uri": uri, "name": "a root"}) for uri in roots]

    async def elicit(self, context: Any, params: Any) -> types.ElicitResult:
        self.heard.add("asked", f"elicitation/create {params.mode}")
        if isinstance(params, types.ElicitRequestURLParams):
            return types.ElicitResult(action="accept")
        known, wanted = ANSWERS["elicitation/create"], params.requested_schema["properties"]
        return types.ElicitResult(action="accept", content={name: known[name] for name in known if name in wanted})

    async def sample(self, context: Any, params: Any) -> types.CreateMessageResult:
        self.heard.add("asked", "sampling/createMessage")
        said = types.TextContent(type="text", text=ANSWERS["sampling/createMessage"])
        return types.CreateMessageResult(role="assistant", content=said, model="none")

    async def list_roots(self, context: Any) -> types.ListRootsResult:
        self.heard.add("asked", "roots/list")
        return types.ListRootsResult(roots=self.roots)

    async def note_log(self, params: Any) -> None:
        self.heard.add("log", params.level)

    async def listed(self, kind: str) -> list[str]:
        if kind == "tools":
            return [tool.name for tool in (await self.client.list_tools()).tools]
        if kind == "prompts":
            return [prompt.name for prompt in (await self.client.list_prompts()).prompts]
        if kind == "resources":
            return [str(resource.uri) for resource in (await self.client.list_resources()).resources]
        return [each.uri_template for each in (await self.client.list_resource_templates()).resource_templates]

    async def called(self, tool: str, arguments: dict[str, Any], level: str | None = None) -> tuple[bool, list[str]]:
        async def note(done: float, total: float | None, message: str | None) -> None:
            self.heard.add("progress", done)

        meta: Any = {LEVEL: level} if level else None
        result = await self.client.call_tool(tool, arguments, progress_callback=note, meta=meta)
        return bool(result.is_error), [part.text for part in result.content if part.type == "text"]

    async def prompted(self, name: str, arguments: dict[str, str]) -> list[str]:
        messages = (await self.client.get_prompt(name, arguments)).messages
        return [message.content.text for message in messages if message.content.type == "text"]

    async def resource(self, uri: str) -> list[str]:
        contents = (await self.client.read_resource(uri)).contents
        return [part.text for part in contents if isinstance(part, types.TextResourceContents)]

    async def completed(self, prompt: str | None, template: str | None, argument: str, value: str) -> list[str]:
        ref: Any = types.ResourceTemplateReference(type="ref/resource", uri=template or "")
        if prompt is not None:
            ref = types.PromptReference(type="ref/prompt", name=prompt)
        return (await self.client.complete(ref, {"name": argument, "value": value})).completion.values

    async def hear_of_logs(self, level: str) -> None:
        """Nothing: in this era each request says for itself what it wants to hear."""

    @asynccontextmanager
    async def listening(self, uri: str | None, kind: str | None) -> AsyncIterator[None]:
        def note(event: Any) -> None:
            if isinstance(event, ResourceUpdated):
                self.heard.add("updated", event.uri)
            else:
                self.heard.add("changed", CHANGED[type(event)])

        wanted: Any = {f"{kind}_list_changed": True} if kind else {"resource_subscriptions": [uri]}
        async with self.client.listen(**wanted) as stream, heard_by(aiter(stream), note):
            yield


@asynccontextmanager
async def connect(url: str, key: str, roots: list[str]) -> AsyncIterator[Python2]:
    peer = Python2(roots)
    async with (
        create_mcp_http_client(headers={"Authorization": f"Bearer {key}"}) as http,
        Client(
            streamable_http_client(url, http_client=http),
            sampling_callback=peer.sample,
            elicitation_callback=peer.elicit,
            list_roots_callback=peer.list_roots,
            logging_callback=peer.note_log,
        ) as peer.client,
    ):
        peer.era = peer.client.protocol_version
        yield peer


if __name__ == "__main__":
    main(connect, MCPError)
