// The official TypeScript client 1.x, trying every feature: URL and key as arguments (see features.mjs).
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { Heard, answers, listed, main, told } from "./features.mjs";

const require = createRequire(pathToFileURL(process.env.PEERS_NPM + "/package.json"));
const { Client } = require("@modelcontextprotocol/sdk/client/index.js");
const { StreamableHTTPClientTransport } = require("@modelcontextprotocol/sdk/client/streamableHttp.js");
const types = require("@modelcontextprotocol/sdk/types.js");

const CHANGED = {
  tools: types.ToolListChangedNotificationSchema,
  prompts: types.PromptListChangedNotificationSchema,
  resources: types.ResourceListChangedNotificationSchema,
};

await main(async (url, requestInit, roots) => {
  const heard = new Heard();
  const capabilities = { elicitation: { form: {}, url: {} }, sampling: {}, roots: { listChanged: true } };
  const client = new Client({ name: "features", version: "1" }, { capabilities });
  client.onerror = () => {}; // each step says for itself what it met
  const given = answers(heard, roots);
  client.setRequestHandler(types.ElicitRequestSchema, ({ params }) => given.elicit(params));
  client.setRequestHandler(types.CreateMessageRequestSchema, () => given.sample());
  client.setRequestHandler(types.ListRootsRequestSchema, () => given.listRoots());
  const note = (schema, kind, what) => client.setNotificationHandler(schema, ({ params }) => heard.add(kind, what(params)));
  note(types.LoggingMessageNotificationSchema, "log", (params) => params.level);
  note(types.ResourceUpdatedNotificationSchema, "updated", (params) => params.uri);
  for (const [kind, schema] of Object.entries(CHANGED)) note(schema, "changed", () => kind);
  const transport = new StreamableHTTPClientTransport(url, { requestInit });
  await client.connect(transport);
  return {
    client,
    heard,
    era: transport.protocolVersion,
    listed: (kind) => listed(client, kind),
    called: async (name, args, { signal }) => {
      const options = { signal, onprogress: ({ progress }) => heard.add("progress", progress) };
      return told(await client.callTool({ name, arguments: args }, undefined, options));
    },
    hearOfLogs: (level) => client.setLoggingLevel(level),
    listen: async ({ uri }) => {
      if (uri) await client.subscribeResource({ uri });
      return async () => {
        if (uri) await client.unsubscribeResource({ uri });
      };
    },
  };
});
