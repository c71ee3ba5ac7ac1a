// Loaded before the official suite (`node --import`): every request to the server under test carries the key.
//
// The suite has no option for a header. It sends with fetch, with node:http and with its own undici; other addresses
// (its mock servers) are left alone.
import http from "node:http";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const origin = process.env.CONFORMANCE_ORIGIN;
const authorization = `Bearer ${process.env.CONFORMANCE_KEY}`;
const ours = (url) => new URL(url).origin === origin;

const plainFetch = globalThis.fetch;
globalThis.fetch = (input, init = {}) => {
  if (!ours(input instanceof Request ? input.url : input)) return plainFetch(input, init);
  const headers = new Headers(init.headers ?? (input instanceof Request ? input.headers : undefined));
  if (!headers.has("authorization")) headers.set("authorization", authorization);
  return plainFetch(input, { ...init, headers });
};

const plainRequest = http.request;
http.request = (options, ...rest) => {
  if (typeof options === "object" && !(options instanceof URL) && ours(`http://${options.hostname}:${options.port}`)) {
    options = { ...options, headers: { Authorization: authorization, ...options.headers } };
  }
  return plainRequest(options, ...rest);
};

const undici = createRequire(pathToFileURL(process.argv[1]))("undici");
const undiciRequest = undici.request;
undici.request = (url, options = {}, ...rest) => {
  const headers = ours(url) ? { Authorization: authorization, ...options.headers } : options.headers;
  return undiciRequest(url, { ...options, headers }, ...rest);
};
