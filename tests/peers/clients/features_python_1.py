"""The official Python client 1.x, trying every feature: URL and key as arguments (see features.py).

Run by the Python of the peer `mcp1`, never by the product's.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from features import ANSWERS, Heard, main
from mcp import ClientSession, McpError, types
from mcp.client.streamable_http import create_mcp_http_client, streamable_http_client
from pydantic import AnyUrl

CHANGED = {
    types.ToolListChangedNotification: "tools",
    types.PromptListChangedNotification: "prompts",
    types.ResourceListChangedNotification: "resources",
}


class Python1:
    """The client, connected."""

    session: ClientSession
    era: str

    def __init__(self, roots: list[str]) -> None:
        self.heard = Heard()
        self.roots = [types.Root.model_validate({"uri": uri, "name": "a root"}) for uri in roots]

    async def elicit(self, context: Any, params: types.ElicitRequestParams) -> types.ElicitResult:
        self.heard.add("asked", f"elicitation/create {params.mode}")
        if isinstance(params, types.ElicitRequestURLParams):
            return types.ElicitResult(action="accept")
        known, wanted = ANSWERS["elicitation/create"], params.requestedSchema["properties"]
        return types.ElicitResult(action="accept", content={name: known[name] for name in known if name in wanted})

    async def sample(self, context: Any, params: types.CreateMessageRequestParams) -> types.CreateMessageResult:
        self.heard.add("asked", "sampling/createMessage")
        said = types.TextContent(type="text", text=ANSWERS["sampling/createMessage"])
        return types.CreateMessageResult(role="assistant", content=said, model="none")

    async def list_roots(self, context: Any) -> types.ListRootsResult:
        self.heard.add("asked", "roots/list")
        return types.ListRootsResult(roots=self.roots)

    async def note_log(self, params: types.LoggingMessageNotificationParams) -> None:
        self.heard.add("log", params.level)

    async def note(self, message: Any) -> None:
        told = getattr(message, "root", None)
        if isinstance(told, types.ResourceUpdatedNotification):
            self.heard.add("updated", str(told.params.uri))
        elif type(told) in CHANGED:
            self.heard.add("changed", CHANGED[type(told)])

    async def listed(self, kind: str) -> list[str]:
        if kind == "tools":
            return [tool.name for tool in (await self.session.list_tools()).tools]
        if kind == "prompts":
            return [prompt.name for prompt in (await self.session.list_prompts()).prompts]
        if kind == "resources":
            return [str(resource.uri) for resource in (await self.session.list_resources()).resources]
        return [each.uriTemplate for each in (await self.session.list_resource_templates()).resourceTemplates]

    async def called(self, tool: str, arguments: dict[str, Any], level: str | None = None) -> tuple[bool, list[str]]:
        async def note(done: float, total: float | None, message: str | None) -> None:
            self.heard.add("progress", done)

        number = self.session._request_id  # this SDK gives a user no other way to name what he cancels
        try:
            result = await self.session.call_tool(tool, arguments, progress_callback=note)
        except asyncio.CancelledError:
            told = types.CancelledNotification(params=types.CancelledNotificationParams(requestId=number))
            await self.session.send_notification(types.ClientNotification(told))
            raise
        return bool(result.isError), [part.text for part in result.content if part.type == "text"]

    async def prompted(self, name: str, arguments: dict[str, str]) -> list[str]:
        messages = (await self.session.get_prompt(name, arguments)).messages
        return [message.content.text for message in messages if message.content.type == "text"]

    async def resource(self, uri: str) -> list[str]:
        contents = (await self.session.read_resource(AnyUrl(uri))).contents
        return [part.text for part in contents if isinstance(part, types.TextResourceContents)]

    async def completed(self, prompt: str | None, template: str | None, argument: str, value: str) -> list[str]:
        ref: Any = types.ResourceTemplateReference(type="ref/resource", uri=template or "")
        if prompt is not None:
            ref = types.PromptReference(type="ref/prompt", name=prompt)
        return (await self.session.complete(ref, {"name": argument, "value": value})).completion.values

    async def hear_of_logs(self, level: Any) -> None:
        await self.session.set_logging_level(level)

    @asynccontextmanager
    async def listening(self, uri: str | None, kind: str | None) -> AsyncIterator[None]:
        if uri is not None:
            await self.session.subscribe_resource(AnyUrl(uri))
        yield
        if uri is not None:
            await self.session.unsubscribe_resource(AnyUrl(uri))


@asynccontextmanager
async def connect(url: str, key: str, roots: list[str]) -> AsyncIterator[Python1]:
    peer = Python1(roots)
    async with (
        create_mcp_http_client(headers={"Authorization": f"Bearer {key}"}) as http,
        streamable_http_client(url, http_client=http) as (reading, writing, _),
        ClientSession(
            reading,
            writing,
            sampling_callback=peer.sample,
            elicitation_callback=peer.elicit,
            list_roots_callback=peer.list_roots,
            logging_callback=peer.note_log,
            message_handler=peer.note,
        ) as peer.session,
    ):
        peer.era = str((await peer.session.initialize()).protocolVersion)
        yield peer


if __name__ == "__main__":
    main(connect, McpError)
