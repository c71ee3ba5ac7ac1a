// The official TypeScript client 2.x, trying every feature: URL and key as arguments (see features.mjs).
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { Heard, answers, listed, main, told } from "./features.mjs";

const require = createRequire(pathToFileURL(process.env.PEERS_NPM + "/package.json"));
const { Client, LOG_LEVEL_META_KEY, StreamableHTTPClientTransport } = require("@modelcontextprotocol/client");

await main(async (url, requestInit, roots) => {
  const heard = new Heard();
  const capabilities = { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} };
  const client = new Client(
    { name: "features", version: "1" },
    { capabilities, versionNegotiation: { mode: "auto" } },
  );
  client.onerror = () => {}; // each step says for itself what it met
  const given = answers(heard, roots);
  client.setRequestHandler("elicitation/create", ({ params }) => given.elicit(params));
  client.setRequestHandler("sampling/createMessage", () => given.sample());
  client.setRequestHandler("roots/list", () => given.listRoots());
  const note = (method, kind, what) => client.setNotificationHandler(method, ({ params }) => heard.add(kind, what(params)));
  note("notifications/message", "log", (params) => params.level);
  note("notifications/resources/updated", "updated", (params) => params.uri);
  for (const kind of ["tools", "prompts", "resources"]) note(`notifications/${kind}/list_changed`, "changed", () => kind);
  await client.connect(new StreamableHTTPClientTransport(url, { requestInit }));
  return {
    client,
    heard,
    era: client.getNegotiatedProtocolVersion(),
    listed: (kind) => listed(client, kind),
    called: async (name, args, { signal, level }) => {
      const options = { signal, onprogress: ({ progress }) => heard.add("progress", progress) };
      const meta = level ? { _meta: { [LOG_LEVEL_META_KEY]: level } } : {};
      return told(await client.callTool({ name, arguments: args, ...meta }, options));
    },
    hearOfLogs: async () => {}, // in this era each request says for itself what it wants to hear
    listen: async ({ uri, kind }) => {
      const subscription = await client.listen(uri ? { resourceSubscriptions: [uri] } : { [`${kind}ListChanged`]: true });
      return () => subscription.close();
    },
  };
});
