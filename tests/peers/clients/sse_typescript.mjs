// The official TypeScript client 1.x over HTTP+SSE (2024-11-05) as a program: URL and key as arguments.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(pathToFileURL(process.env.PEERS_NPM + "/package.json"));
const { Client } = require("@modelcontextprotocol/sdk/client/index.js");
const { SSEClientTransport } = require("@modelcontextprotocol/sdk/client/sse.js");
const { ElicitRequestSchema } = require("@modelcontextprotocol/sdk/types.js");

const [url, key] = process.argv.slice(2);
const headers = { Authorization: `Bearer ${key}` };
const capabilities = { elicitation: {} };
const client = new Client({ name: "journey", version: "1" }, { capabilities });
client.setRequestHandler(ElicitRequestSchema, () => ({ action: "accept", content: { colour: "green" } }));
const transport = new SSEClientTransport(new URL(url), { requestInit: { headers } });
await client.connect(transport);
const tools = (await client.listTools()).tools.map((tool) => tool.name);
await client.ping();
const progress = [];
const results = [
  await client.callTool({ name: "echo", arguments: { text: "over SSE" } }),
  await client.callTool({ name: "ask", arguments: {} }),
  await client.callTool({ name: "progress", arguments: { steps: 3, pause_s: 0.05 } }, undefined, {
    onprogress: (note) => progress.push(note.progress),
  }),
];
const texts = results.map((result) => result.content[0].text);
console.log(JSON.stringify({ version: transport._protocolVersion, tools, texts, progress }));
await client.close();
