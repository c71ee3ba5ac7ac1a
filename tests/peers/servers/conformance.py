"""A conformance upstream of our own on the official SDK 2.3: everything that the official suite asks a server for.

    python conformance.py --http           # streamable HTTP on a free port; prints `PORT n` first
    python conformance.py                  # stdio
    … --only legacy | --only modern        # knows one era only, and refuses the other as such servers do
    … --log FILE                           # one JSON line per request, so that a test can tell who was asked what

The same tools serve both eras: what they ask is pushed to a legacy client and put into `input_required` for a modern
one. Run it with the Python of peer `mcp2`.
"""

import argparse
import asyncio
import contextlib
import json
import socket
import sys
import warnings
from typing import Any

import conformance_content as content
import mcp_types as types
import uvicorn
from conformance_transport import OneEra, Replay, answer_stdio
from mcp.server import Server
from mcp.server.lowlevel.server import NotificationOptions
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.server.session import ServerSession
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    ListenHandler,
    PromptsListChanged,
    ResourcesListChanged,
    ResourceUpdated,
    ServerEvent,
    ToolsListChanged,
)
from mcp.shared.exceptions import MCPDeprecationWarning, MCPError
from mcp.shared.message import ServerMessageMetadata

warnings.simplefilter("ignore", MCPDeprecationWarning)

MODERN = "2026-07-28"
CAPABILITY_OF = {"elicitation/create": "elicitation", "sampling/createMessage": "sampling", "roots/list": "roots"}
LEVELS = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
RETRY_MS = 50
PAUSE_S = 0.05
"""Seconds between the notifications of one call; the suite asks for about so much."""


class Unanswered(Exception):
    """The client must answer questions first (modern era)."""

    def __init__(self, questions: dict[str, content.Json], state: str | None) -> None:
        super().__init__()
        self.result = types.InputRequiredResult(inputRequests=questions or None, requestState=state)


class Upstream:
    """The server's handlers and what they remember."""

    def __init__(self, log: str | None) -> None:
        self.log = open(log, "a", buffering=1) if log else None
        self.bus = InMemorySubscriptionBus()
        self.changed: set[str] = set()
        """Which of the lists hold the item that comes and goes."""
        self.sessions: dict[str, ServerSession] = {}
        """Legacy sessions by id, for notifications that belong to no request."""
        self.levels: dict[str, str] = {}
        self.watchers: dict[str, set[str]] = {}
        """Legacy sessions subscribed to a resource, by its URI."""
        self.cancelled = 0

    def server(self) -> Server[Any]:
        server = Server(
            "conformance-upstream",
            version="1",
            instructions="Ask for anything that the conformance suite asks for.",
            get_tool_input_schema=lambda name: content.ARGUMENTS.get(name, content.NOTHING),
            on_list_tools=self.list_tools,
            on_call_tool=self.call_tool,
            on_list_resources=self.list_resources,
            on_list_resource_templates=self.list_templates,
            on_read_resource=self.read_resource,
            on_subscribe_resource=self.subscribe,
            on_unsubscribe_resource=self.unsubscribe,
            on_subscriptions_listen=ListenHandler(self.bus),
            on_list_prompts=self.list_prompts,
            on_get_prompt=self.get_prompt,
            on_completion=self.complete,
            on_set_logging_level=self.set_level,
        )
        server.middleware.append(self.observe)
        security = RequestStateSecurity(keys=[b"conformance".ljust(32, b"-")])
        server.middleware.append(RequestStateBoundary(security, default_audience=server.name))
        return server

    async def observe(self, ctx: Any, call_next: Any) -> Any:
        """Write down what was asked, and know legacy sessions."""
        if ctx.method == "notifications/initialized":
            self.sessions[session_of(ctx)] = ctx.session
        if self.log is not None:
            params = dict(ctx.params or {})
            headers = dict(ctx.request.headers) if ctx.request is not None else {}
            row = {
                "method": ctx.method,
                "version": ctx.protocol_version,
                "name": params.get("name", params.get("uri")),
                "meta": params.get("_meta", {}),
                "session": session_of(ctx),
                "headers": {name: value for name, value in headers.items() if name.startswith(("mcp-", "trace"))},
            }
            self.log.write(json.dumps(row) + "\n")
        return await call_next(ctx)

    async def list_tools(self, ctx: Any, params: Any) -> types.ListToolsResult:
        return types.ListToolsResult.model_validate({"tools": content.tools(changed="tools" in self.changed)})

    async def list_prompts(self, ctx: Any, params: Any) -> types.ListPromptsResult:
        return types.ListPromptsResult.model_validate({"prompts": content.prompts(changed="prompts" in self.changed)})

    async def list_resources(self, ctx: Any, params: Any) -> types.ListResourcesResult:
        found = content.resources(changed="resources" in self.changed)
        return types.ListResourcesResult.model_validate({"resources": found})

    async def list_templates(self, ctx: Any, params: Any) -> types.ListResourceTemplatesResult:
        return types.ListResourceTemplatesResult.model_validate({"resourceTemplates": content.TEMPLATES})

    async def read_resource(self, ctx: Any, params: Any) -> types.ReadResourceResult:
        found = content.read(str(params.uri))
        if found is None:
            code = types.INVALID_PARAMS if ctx.protocol_version == MODERN else -32002
            raise MCPError(code, "Resource not found", {"uri": str(params.uri)})
        return types.ReadResourceResult.model_validate({"contents": [found]})

    async def subscribe(self, ctx: Any, params: Any) -> types.EmptyResult:
        self.watchers.setdefault(str(params.uri), set()).add(session_of(ctx))
        return types.EmptyResult()

    async def unsubscribe(self, ctx: Any, params: Any) -> types.EmptyResult:
        self.watchers.get(str(params.uri), set()).discard(session_of(ctx))
        return types.EmptyResult()

    async def set_level(self, ctx: Any, params: Any) -> types.EmptyResult:
        self.levels[session_of(ctx)] = params.level
        return types.EmptyResult()

    async def complete(self, ctx: Any, params: Any) -> types.CompleteResult:
        values = content.complete(params.argument.name, params.argument.value)
        found = {"values": values, "total": len(values), "hasMore": False}
        return types.CompleteResult.model_validate({"completion": found})

    async def get_prompt(self, ctx: Any, params: Any) -> Any:
        if params.name == "test_input_required_result_prompt":
            try:
                answers = await self.ask(ctx, params, content.PROMPT_QUESTION)
            except Unanswered as unanswered:
                return unanswered.result
            found = [content.text(f"Context: {answers['user_context']['content']['context']}")]
        else:
            known = content.prompt(params.name, params.arguments or {})
            if known is None:
                raise MCPError(types.INVALID_PARAMS, "Unknown prompt")
            found = known
        messages = [{"role": "user", "content": part} for part in found]
        return types.GetPromptResult.model_validate({"messages": messages})

    async def call_tool(self, ctx: Any, params: Any) -> Any:
        try:
            said = await self.said(ctx, params)
        except Unanswered as unanswered:
            return unanswered.result
        failed = said is None or params.name == "test_error_handling"
        parts = said if said is not None else [content.text("Unknown tool")]
        return types.CallToolResult.model_validate({"content": parts, "isError": failed})

    async def said(self, ctx: Any, params: Any) -> list[content.Json] | None:
        """What a tool answers with; None where there is no such tool."""
        name = params.name
        if name in content.CONTENT:
            return content.CONTENT[name]
        if name in content.QUESTIONS:
            return await self.asked(ctx, params)
        own = getattr(self, name, None) if name in content.OTHER_TOOLS else None
        if own is None:
            return [content.text("I come and go.")] if name == content.CHANGING_TOOL else None
        return [content.text(await own(ctx, params))]

    async def asked(self, ctx: Any, params: Any) -> list[content.Json]:
        """The tools that only ask, and then say what they were told."""
        if params.name == "test_streaming_elicitation":
            await ctx.session.report_progress(1, 2, "about to ask")
        questions = content.QUESTIONS[params.name]
        if params.name == "test_input_required_result_capabilities":
            questions = {key: asked for key, asked in questions.items() if self.may_ask(ctx, asked)}
        answers = await self.ask(ctx, params, questions, "state" if params.name in content.STATEFUL else None)
        told = json.dumps(answers, sort_keys=True)
        return [content.text(f"state-ok {told}" if params.name in content.STATEFUL else told)]

    def may_ask(self, ctx: Any, question: content.Json) -> bool:
        declared = ctx.session.client_capabilities
        return declared is not None and getattr(declared, CAPABILITY_OF[question["method"]], None) is not None

    async def ask(
        self, ctx: Any, params: Any, questions: dict[str, content.Json], state: str | None = None
    ) -> dict[str, content.Json]:
        """The client's answers by key. Raises Unanswered towards a modern client that has not answered yet."""
        for question in questions.values():
            if not self.may_ask(ctx, question):
                needed = CAPABILITY_OF[question["method"]]
                raise MCPError(-32021, "A client capability is missing", {"requiredCapabilities": {needed: {}}})
        if ctx.protocol_version != MODERN:
            return {key: await self.push(ctx, question) for key, question in questions.items()}
        given = {key: as_json(answer) for key, answer in (params.input_responses or {}).items()}
        open_questions = {key: asked for key, asked in questions.items() if key not in given}
        if open_questions or (state is not None and params.request_state != state):
            raise Unanswered(open_questions or questions, state)
        return {key: given[key] for key in questions}

    async def push(self, ctx: Any, question: content.Json) -> content.Json:
        """Ask a legacy client in the middle of its call."""
        related = ServerMessageMetadata(related_request_id=ctx.request_id)
        params = dict(question["params"])
        if params.get("mode") == "url":
            params["elicitationId"] = "sign-in-7"
        if question["method"] == "roots/list":
            return as_json(
                await ctx.session.send_request(types.ListRootsRequest(), types.ListRootsResult, metadata=related)
            )
        if question["method"] == "sampling/createMessage":
            sampled = types.CreateMessageRequest.model_validate({**question, "params": params})
            return as_json(await ctx.session.send_request(sampled, types.CreateMessageResult, metadata=related))
        elicited = types.ElicitRequest.model_validate({**question, "params": params})
        return as_json(await ctx.session.send_request(elicited, types.ElicitResult, metadata=related))

    async def test_elicitation(self, ctx: Any, params: Any) -> str:
        wanted = {"username": {"type": "string", "description": "User's response"}}
        wanted |= {"email": {"type": "string", "description": "User's email address"}}
        answers = await self.ask(ctx, params, {"user": content.form(params.arguments["message"], wanted)})
        return f"User response: {json.dumps(answers['user'])}"

    async def test_sampling(self, ctx: Any, params: Any) -> str:
        answers = await self.ask(ctx, params, {"sample": content.sampling(params.arguments["prompt"])})
        return f"LLM response: {answers['sample']['content']['text']}"

    async def test_missing_capability(self, ctx: Any, params: Any) -> str:
        await self.ask(ctx, params, {"sample": content.sampling("Say something")})
        return "The client has it."

    async def test_input_required_result_multi_round(self, ctx: Any, params: Any) -> str:
        first = {"step1": content.form("Step 1: What is your name?", content.NAME)}
        second = {"step2": content.form("Step 2: What is your favorite color?", {"color": {"type": "string"}})}
        if ctx.protocol_version != MODERN:
            answers = await self.ask(ctx, params, {**first, **second})
            return json.dumps(answers, sort_keys=True)
        known = json.loads(params.request_state) if params.request_state else {}
        known |= {key: as_json(answer) for key, answer in (params.input_responses or {}).items()}
        for question in (first, second):
            (key,) = question
            if key not in known:
                raise Unanswered(question, json.dumps(known))
        return json.dumps(known, sort_keys=True)

    async def test_error_handling(self, ctx: Any, params: Any) -> str:
        return "This tool intentionally returns an error for testing"

    async def json_schema_2020_12_tool(self, ctx: Any, params: Any) -> str:
        return json.dumps(params.arguments, sort_keys=True)

    test_x_mcp_header = bridge_echo = json_schema_2020_12_tool

    async def test_tool_with_logging(self, ctx: Any, params: Any) -> str:
        least = LEVELS.index(self.levels.get(session_of(ctx), "debug"))
        for step in ("Tool execution started", "Tool processing data", "Tool execution completed"):
            if LEVELS.index("info") >= least or ctx.protocol_version == MODERN:
                await ctx.session.send_log_message("info", step, related_request_id=ctx.request_id)
            await asyncio.sleep(PAUSE_S)
        return "logged"

    test_logging_tool = test_tool_with_logging

    async def test_tool_with_progress(self, ctx: Any, params: Any) -> str:
        for done in (0, 50, 100):
            await ctx.session.report_progress(done, 100, f"{done} of 100")
            await asyncio.sleep(PAUSE_S)
        return "done"

    async def test_reconnection(self, ctx: Any, params: Any) -> str:
        await ctx.session.send_log_message("info", "about to hang up", related_request_id=ctx.request_id)
        if ctx.close_sse_stream is not None:
            await ctx.close_sse_stream()
        await asyncio.sleep(6 * PAUSE_S)  # long after RETRY_MS: the SDK loses what comes while it replays
        return "Reconnection test completed"

    async def test_trigger_tool_change(self, ctx: Any, params: Any) -> str:
        return await self.change("tools", ToolsListChanged())

    async def test_trigger_prompt_change(self, ctx: Any, params: Any) -> str:
        return await self.change("prompts", PromptsListChanged())

    async def test_trigger_resource_change(self, ctx: Any, params: Any) -> str:
        return await self.change("resources", ResourcesListChanged())

    async def test_update_watched_resource(self, ctx: Any, params: Any) -> str:
        await self.tell(ResourceUpdated(content.WATCHED), self.watchers.get(content.WATCHED, set()))
        return "updated"

    async def bridge_hang(self, ctx: Any, params: Any) -> str:
        try:
            await ctx.session.report_progress(1, 2, "hanging")
            await asyncio.sleep(3600)
        except BaseException:
            self.cancelled += 1
            raise
        return "unreachable"

    async def bridge_cancellations(self, ctx: Any, params: Any) -> str:
        return str(self.cancelled)

    async def change(self, kind: str, event: ServerEvent) -> str:
        """Put the item that comes and goes in, or take it out; tell everybody."""
        self.changed ^= {kind}
        await self.tell(event, set(self.sessions))
        return f"{kind} changed"

    async def tell(self, event: ServerEvent, sessions: set[str]) -> None:
        await self.bus.publish(event)
        for name in sessions & set(self.sessions):
            session = self.sessions[name]
            with contextlib.suppress(Exception):  # whoever is gone needs no news
                if isinstance(event, ToolsListChanged):
                    await session.send_tool_list_changed()
                elif isinstance(event, PromptsListChanged):
                    await session.send_prompt_list_changed()
                elif isinstance(event, ResourcesListChanged):
                    await session.send_resource_list_changed()
                else:
                    await session.send_resource_updated(event.uri)


def session_of(ctx: Any) -> str:
    """The legacy session's id; a stdio process is one session."""
    return "stdio" if ctx.request is None else ctx.request.headers.get("mcp-session-id", "")


def as_json(answer: Any) -> content.Json:
    return answer if isinstance(answer, dict) else answer.model_dump(mode="json", by_alias=True, exclude_none=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--http", action="store_true")
    parser.add_argument("--only", choices=("legacy", "modern"))
    parser.add_argument("--log")
    given = parser.parse_args()
    server = Upstream(given.log).server()
    changes = NotificationOptions(prompts_changed=True, resources_changed=True, tools_changed=True)
    options = server.create_initialization_options(changes)
    server.create_initialization_options = lambda *_, **__: options  # type: ignore[method-assign]  # HTTP asks for none
    if not given.http:
        asyncio.run(answer_stdio(server, options, given.only))
        return
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", 0))
    sock.listen(128)
    print(f"PORT {sock.getsockname()[1]}", flush=True)
    app = OneEra(server.streamable_http_app(event_store=Replay(), retry_interval=RETRY_MS), given.only)
    config = uvicorn.Config(app, log_level="warning", lifespan="on", timeout_keep_alive=5)
    asyncio.run(uvicorn.Server(config).serve(sockets=[sock]))


if __name__ == "__main__":
    sys.exit(main())
