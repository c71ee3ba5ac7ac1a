// An official TypeScript client (argument 3: 1 or 2) with one long session; orders and outcomes as in enduring.py.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";

const PATIENCE_MS = 15000;
const TRY_MS = 1500;
const PAUSE_MS = 50;
const require = createRequire(pathToFileURL(process.env.PEERS_NPM + "/package.json"));
const [url, key, major] = process.argv.slice(2);

function parts() {
  if (major === "2") return require("@modelcontextprotocol/client");
  const { Client } = require("@modelcontextprotocol/sdk/client/index.js");
  return { Client, ...require("@modelcontextprotocol/sdk/client/streamableHttp.js") };
}

const { Client, StreamableHTTPClientTransport } = parts();
const client = new Client({ name: "enduring", version: "1" }, { versionNegotiation: { mode: "auto" } });
client.onerror = () => {}; // the stream of notifications breaks with its worker; calls say for themselves what they met
const requestInit = { headers: { Authorization: `Bearer ${key}` } };
await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit }));

async function tried([tool, args, expected]) {
  const options = { timeout: TRY_MS };
  const given = { name: tool, arguments: args };
  const result = await (major === "2" ? client.callTool(given, options) : client.callTool(given, undefined, options));
  const text = result.content.map((part) => part.text ?? "").join("");
  if (text !== expected) throw new Error(`${tool} answered ${text}`);
}

for await (const line of createInterface({ input: process.stdin })) {
  const began = performance.now();
  const failures = [];
  const left = JSON.parse(line);
  while (left.length && performance.now() - began < PATIENCE_MS) {
    try {
      await tried(left[0]);
      left.shift();
    } catch (error) {
      failures.push(`${error.name}: ${error.message} ${error.cause?.code ?? ""}`);
      await sleep(PAUSE_MS);
    }
  }
  const took_s = (performance.now() - began) / 1000;
  console.log(JSON.stringify({ ok: !left.length, took_s, sessions: 1, failures }));
}
process.exit(0);
