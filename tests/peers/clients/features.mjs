// What the programs of the official TypeScript clients share that try every feature: see features.py, whose steps,
// outcomes and bounds these are. A peer is an object with the functions of the Protocol `Peer` there.
const STEP_MS = 100000;
const HEAR_MS = 75000;
const COUNTS = 100;
const FORM = {
  name: "Ada",
  username: "ada",
  email: "ada@example.com",
  color: "blue",
  context: "tea",
  ok: true,
};

export class Heard {
  said = [];
  wakers = new Set();

  add(kind, what) {
    this.said.push([kind, what]);
    for (const wake of this.wakers) wake();
  }

  since(start, kind) {
    return this.said.slice(start).filter(([of]) => of === kind).map(([, what]) => what);
  }

  async wait(start, kind, what) {
    const until = performance.now() + HEAR_MS;
    for (;;) {
      const found = this.since(start, kind);
      const left = until - performance.now();
      if (left <= 0 || (found.length && (what === undefined || found.includes(what)))) return found;
      await new Promise((resolve) => {
        const wake = () => {
          clearTimeout(timer);
          this.wakers.delete(wake);
          resolve();
        };
        const timer = setTimeout(wake, left);
        this.wakers.add(wake);
      });
    }
  }
}

export function answers(heard, roots) {
  return {
    elicit: (params) => {
      const mode = params.mode ?? "form";
      heard.add("asked", `elicitation/create ${mode}`);
      if (mode === "url") return { action: "accept" };
      const wanted = Object.keys(FORM).filter((name) => name in params.requestedSchema.properties);
      return { action: "accept", content: Object.fromEntries(wanted.map((name) => [name, FORM[name]])) };
    },
    sample: () => {
      heard.add("asked", "sampling/createMessage");
      return { role: "assistant", content: { type: "text", text: "a model's words" }, model: "none" };
    },
    listRoots: () => {
      heard.add("asked", "roots/list");
      return { roots: roots.map((uri) => ({ uri, name: "a root" })) };
    },
  };
}

const steps = {
  async list(peer) {
    const found = {};
    for (const kind of ["tools", "prompts", "resources", "templates"]) found[kind] = await peer.listed(kind);
    return found;
  },
  async call(peer, { tool, arguments: given }) {
    const start = peer.heard.said.length;
    const called = await peer.called(tool, given, {});
    return { ...called, progress: peer.heard.since(start, "progress"), asked: peer.heard.since(start, "asked") };
  },
  async cancel(peer, { tool, arguments: given, counted_by }) {
    const count = async () => (counted_by ? Number((await peer.called(counted_by, {}, {})).text[0]) : 0);
    const before = await count();
    const start = peer.heard.said.length;
    const abort = new AbortController();
    let done = false;
    let ended = false;
    const call = peer.called(tool, given, { signal: abort.signal }).then(
      () => (done = true),
      () => (done = ended = true),
    );
    await Promise.race([call, peer.heard.wait(start, "progress")]);
    const went_on = !done && peer.heard.since(start, "progress").length > 0;
    const since = performance.now();
    abort.abort("no longer wanted");
    await call;
    const outcome = { went_on, ended, took_s: (performance.now() - since) / 1000 };
    let told = 0;
    for (let left = counted_by ? COUNTS : 0; left && !(told = (await count()) - before); left--) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return { ...outcome, told };
  },
  async log(peer, { level, tool, arguments: given }) {
    await peer.hearOfLogs(level);
    const start = peer.heard.said.length;
    const called = await peer.called(tool, given, { level });
    return { ...called, heard: await peer.heard.wait(start, "log") };
  },
  async prompt(peer, { name, arguments: given }) {
    const start = peer.heard.said.length;
    const { messages } = await peer.client.getPrompt({ name, arguments: given });
    const text = messages.filter(({ content }) => content.type === "text").map(({ content }) => content.text);
    return { text, asked: peer.heard.since(start, "asked") };
  },
  async read(peer, { uri }) {
    const { contents } = await peer.client.readResource({ uri });
    return { text: contents.filter((part) => "text" in part).map((part) => part.text) };
  },
  async complete(peer, { argument, value, prompt, template }) {
    const ref = prompt ? { type: "ref/prompt", name: prompt } : { type: "ref/resource", uri: template };
    const { completion } = await peer.client.complete({ ref, argument: { name: argument, value } });
    return { values: completion.values };
  },
  async update(peer, { uri, tool, arguments: given }) {
    return await changed(peer, "updated", uri, { uri }, tool, given);
  },
  async change(peer, { kind, tool, arguments: given }) {
    return await changed(peer, "changed", kind, { kind }, tool, given);
  },
};

async function changed(peer, how, what, wanted, tool, given) {
  const close = await peer.listen(wanted);
  try {
    const start = peer.heard.said.length;
    const called = await peer.called(tool, given, {});
    return { ...called, heard: await peer.heard.wait(start, how, what) };
  } finally {
    await close();
  }
}

async function outcome(peer, step) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("the step took too long")), STEP_MS);
  });
  try {
    return await Promise.race([steps[step.do](peer, step), late]);
  } catch (error) {
    if (typeof error.code === "number") {
      return { error: { code: error.code, message: error.message, data: error.data ?? null } };
    }
    return { raised: `${error.name}: ${error.message}` };
  } finally {
    clearTimeout(timer);
  }
}

export async function listed(client, kind) {
  if (kind === "tools") return (await client.listTools()).tools.map((tool) => tool.name);
  if (kind === "prompts") return (await client.listPrompts()).prompts.map((prompt) => prompt.name);
  if (kind === "resources") return (await client.listResources()).resources.map((resource) => resource.uri);
  return (await client.listResourceTemplates()).resourceTemplates.map((template) => template.uriTemplate);
}

export function told(result) {
  const text = result.content.filter((part) => part.type === "text").map((part) => part.text);
  return { failed: Boolean(result.isError), text };
}

export async function main(connect) {
  let input = "";
  for await (const piece of process.stdin) input += piece;
  const given = JSON.parse(input);
  const [url, key] = process.argv.slice(2);
  const peer = await connect(new URL(url), { headers: { Authorization: `Bearer ${key}` } }, given.roots);
  const said = [{ era: peer.era }];
  for (const step of given.steps) said.push(await outcome(peer, step));
  console.log(JSON.stringify(said));
  await peer.client.close();
  process.exit(0);
}
