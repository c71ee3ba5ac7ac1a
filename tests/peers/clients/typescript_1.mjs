// The official TypeScript client 1.x as a program: URL and key as arguments, steps as JSON on stdin, outcomes on stdout.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(pathToFileURL(process.env.PEERS_NPM + "/package.json"));
const { Client } = require("@modelcontextprotocol/sdk/client/index.js");
const { StreamableHTTPClientTransport } = require("@modelcontextprotocol/sdk/client/streamableHttp.js");

const [url, key] = process.argv.slice(2);
let input = "";
for await (const piece of process.stdin) input += piece;

async function outcome(client, step) {
  try {
    if (step[0] === "list") return { tools: (await client.listTools()).tools.map((tool) => tool.name) };
    const result = await client.callTool({ name: step[1], arguments: step[2] });
    const text = result.content.filter((part) => part.type === "text").map((part) => part.text);
    return { failed: Boolean(result.isError), text };
  } catch (error) {
    return { error: { code: error.code, message: error.message, data: error.data } };
  }
}

const client = new Client({ name: "journey", version: "1" });
const said = [];
try {
  const headers = { Authorization: `Bearer ${key}` };
  const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } });
  await client.connect(transport);
  said.push({ era: transport.protocolVersion });
  for (const step of JSON.parse(input)) said.push(await outcome(client, step));
  await client.close();
} catch (error) {
  said.push({ refused: [error.code], message: error.message });
}
console.log(JSON.stringify(said));
