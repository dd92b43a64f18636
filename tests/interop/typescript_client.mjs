// The TypeScript SDKs of MCP against the example servers: the first line for the versions with
// sessions, the second for the version without. Policy, calls and log are real.
//
// usage: node typescript_client.mjs EXAMPLES_DIR SEC0 NODE_MODULES
//
// EXAMPLES_DIR has `server_stdio`, `server_http` and `conformance`, SEC0 is the command,
// NODE_MODULES has the SDKs. Prints a line for each check and, at the end, `N passed, N failed`; the
// exit status is 1 if one failed.

import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

const POLICY = `\
tenant: interop
default_retention: 30d
signing: {enabled: true}
tools:
  allowlist: ['mcp://demo/add@1.0', 'mcp://demo/echo', 'mcp://demo/fail', 'mcp://demo/slow']
enforcement:
  deny_on: [tool_not_in_allowlist, version_unpinned]
`;
const OBSERVE = POLICY.replace(/deny_on: .*/, "mode: observe");

const TOOLS = ["add", "echo", "fail", "fetch", "slow", "write_file"];
const PATIENCE = 60_000;

if (process.argv.length !== 5) {
  console.error("usage: node typescript_client.mjs EXAMPLES_DIR SEC0 NODE_MODULES");
  process.exit(2);
}
const [examples, sec0, modules] = process.argv.slice(2).map((path) => resolve(path));
const require = createRequire(join(modules, "..", "here.js"));

const first = {
  ...require("@modelcontextprotocol/sdk/client/index.js"),
  ...require("@modelcontextprotocol/sdk/client/stdio.js"),
  ...require("@modelcontextprotocol/sdk/client/streamableHttp.js"),
};
const second = {
  ...require("@modelcontextprotocol/client"),
  ...require("@modelcontextprotocol/client/stdio"),
};
const { ElicitRequestSchema } = require("@modelcontextprotocol/sdk/types.js");

const introduction = { name: "typescript", version: "1.0.0" };
const capabilities = { elicitation: {} };

const ERAS = [
  {
    version: "2025-11-25",
    sdk: first,
    client: () => new first.Client(introduction, { capabilities }),
    spoken: (_, transport) => transport.protocolVersion,
    call: (client, params, options) => client.callTool(params, undefined, options),
    onQuestion: (client, answer) => client.setRequestHandler(ElicitRequestSchema, answer),
    question: { name: "test_elicitation", parameters: { message: "Who?" }, rounds: 1 },
  },
  {
    version: "2026-07-28",
    sdk: second,
    client: () =>
      new second.Client(introduction, {
        capabilities,
        versionNegotiation: { mode: { pin: "2026-07-28" } },
      }),
    spoken: (client) => client.getNegotiatedProtocolVersion(),
    call: (client, params, options) => client.callTool(params, options),
    onQuestion: (client, answer) => client.setRequestHandler("elicitation/create", answer),
    question: { name: "test_input_required_result_elicitation", parameters: {}, rounds: 2 },
  },
];

let passed = 0;
let failed = 0;

function check(name, holds, found) {
  if (holds) {
    passed += 1;
    console.log(`ok      ${name}`);
  } else {
    failed += 1;
    console.log(`FAILED  ${name}: ${found instanceof Error ? found : JSON.stringify(found)}`);
  }
}

const children = new Set();
process.on("exit", () => children.forEach((child) => child.kill("SIGKILL")));
for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => process.exit(143));

/** Starts a server on HTTP; gives its URL, and a function that ends it. */
async function serve(program, args) {
  const child = spawn(join(examples, program), args, { stdio: ["ignore", "pipe", "ignore"] });
  children.add(child);
  const ended = new Promise((done) => child.on("exit", done));
  const { value: url } = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next();
  const stop = async () => {
    child.kill("SIGTERM");
    const status = await ended;
    children.delete(child);
    return status;
  };
  return { url: new URL(url), stop };
}

/** Resolves when a call of a tool has been written to the transport. */
function written(transport) {
  const send = transport.send.bind(transport);
  return new Promise((resolve) => {
    transport.send = async (message, options) => {
      await send(message, options);
      if (message.method === "tools/call") resolve();
    };
  });
}

/** One client's visit: every kind of answer once. */
async function drive(era, client, door, secret) {
  const call = (name, args, options) => era.call(client, { name, arguments: args }, options);
  const said = (name, holds, found) => check(`${door}: ${name}`, holds, found);

  const { tools } = await client.listTools();
  said("every tool is listed", String(tools.map((tool) => tool.name)) === String(TOOLS), tools);

  let result = await call("add", { a: 2, b: 3 });
  said("an allowed call runs", result.structuredContent?.sum === 5, result);
  said("its result has a trace", result._meta?.["sec0/trace"]?.trace_id?.length === 32, result);

  result = await call("write_file", { path: secret, text: "no" });
  const denial = result._meta?.["sec0/denial"] ?? {};
  said("a call that is not allowed is an error", result.isError === true, result);
  said("its code is told", denial.code === "POLICY_DENIED", denial);
  const { reason, reasons } = denial;
  const one = reason === "tool_not_in_allowlist" && String(reasons) === reason;
  said("its reason is told", one, denial);
  said("whether to try again is told", denial.retryable === false, denial);
  const ids = denial.trace_id?.length === 32 && denial.span_id?.length === 16;
  said("where to look it up is told", ids, denial);
  said("it did not run", denial.executed === false && !existsSync(secret), denial);
  said("its text has no argument", !result.content[0].text.includes(secret), result);

  for (const [name, args, code] of [["nope", {}, -32602], ["fail", { kind: "panic" }, -32603]]) {
    const found = await call(name, args).catch((error) => error);
    said(`\`${name}\` is the error ${code}`, found.code === code, found);
  }
  result = await call("echo", { text: "grüße" });
  said("the server lives on", result.content[0].text === "grüße", result);
}

/** Gives up a call that would take longer than anybody waits, once it has begun. */
async function giveUp(era, client, door, call, beginning, options) {
  const giving = new AbortController();
  const given = era
    .call(client, call, { ...options, signal: giving.signal, timeout: PATIENCE })
    .catch((error) => error);
  await beginning;
  giving.abort("changed my mind");
  const found = await given;
  check(`${door}: a call can be given up`, found instanceof Error, found);
}

/** The log that the visit left. */
function verify(door, log, statuses) {
  const args = ["audit", "verify", log, "--public-key", join(log, "keys/ed25519.pub"), "--json"];
  const totals = JSON.parse(execFileSync(sec0, args, { encoding: "utf8" }));
  check(`${door}: the log holds`, totals.holds === true, totals);
  const sorted = (counts) => JSON.stringify(Object.entries(counts).sort());
  const right = sorted(totals.by_status) === sorted(statuses);
  check(`${door}: each call has one record, with its end`, right, totals);
}

async function overStdio(era, door, policy, log, secret) {
  const args = ["--policy", policy, "--dir", log];
  const command = join(examples, "server_stdio");
  for (const visit of ["first", "second"]) {
    const client = era.client();
    const transport = new era.sdk.StdioClientTransport({ command, args, stderr: "ignore" });
    await client.connect(transport);
    if (visit === "first") {
      await drive(era, client, door, secret);
      // What is written to a pipe arrives in its order.
      const slow = { name: "slow", arguments: { ms: 10 * PATIENCE } };
      await giveUp(era, client, door, slow, written(transport), {});
    } else {
      const again = await era.call(client, { name: "add", arguments: { a: 1, b: 1 } });
      check(`${door}: another run goes on`, again.structuredContent?.sum === 2, again);
    }
    await client.close();
  }
  return { ok: 3, denied: 2, panicked: 1, cancelled: 1 };
}

async function overHttp(era, door, policy, log, secret) {
  const server = await serve("server_http", ["--policy", policy, "--dir", log]);
  for (const visit of ["first", "second"]) {
    const client = era.client();
    const transport = new era.sdk.StreamableHTTPClientTransport(server.url);
    await client.connect(transport);
    if (visit === "first") {
      const version = era.spoken(client, transport);
      check(`${door}: is what is spoken`, version === era.version, version);
      await drive(era, client, door, secret);
    } else {
      const again = await era.call(client, { name: "add", arguments: { a: 1, b: 1 } });
      check(`${door}: a second session is served`, again.structuredContent?.sum === 2, again);
    }
    await transport.terminateSession?.();
    await client.close();
  }
  const status = await server.stop();
  check(`${door}: the server ends well when it is told to`, status === 0, status);
  return { ok: 3, denied: 2, panicked: 1 };
}

/** What only the other server has: tools that ask the human, and that tell their progress. */
async function asked(era, door, policy, log) {
  const args = ["--form", "owned", "--policy", policy, "--dir", log];
  const server = await serve("conformance", args);
  const client = era.client();
  const content = { name: "Ada", username: "Ada", email: "ada@example.com" };
  let questions = 0;
  era.onQuestion(client, async () => {
    questions += 1;
    return { action: "accept", content };
  });
  await client.connect(new era.sdk.StreamableHTTPClientTransport(server.url));
  const { name, parameters, rounds } = era.question;
  let result = await era.call(client, { name, arguments: parameters });
  const answered = questions === 1 && result.content[0].text.includes("Ada");
  check(`${door}: a tool's question is answered`, answered, [questions, result]);
  const steps = [];
  const onprogress = ({ progress, total }) => steps.push(`${progress}/${total}`);
  result = await era.call(client, { name: "test_tool_with_progress" }, { onprogress });
  check(`${door}: progress is told`, String(steps) === "0/100,50/100,100/100", steps);
  let begun;
  const beginning = new Promise((resolve) => (begun = resolve));
  await giveUp(era, client, door, { name: "wait" }, beginning, { onprogress: begun });
  await client.close();
  await server.stop();
  return { ok: 1 + rounds, cancelled: 1 };
}

async function visit(door, era, go) {
  const directory = mkdtempSync(join(tmpdir(), "sec0-interop-"));
  const policy = join(directory, "policy.yaml");
  const log = join(directory, "log");
  let bell;
  const late = new Promise((_, reject) => {
    bell = setTimeout(() => reject(new Error("took too long")), PATIENCE);
  });
  try {
    writeFileSync(policy, go === asked ? OBSERVE : POLICY);
    const leaves = go(era, door, policy, log, join(directory, "secret.txt"));
    leaves.catch(() => {}); // What comes after its time is nobody's error.
    await Promise.race([leaves, late]);
    verify(door, log, await leaves);
  } catch (error) {
    check(`${door}: goes through`, false, error);
  } finally {
    clearTimeout(bell);
    rmSync(directory, { recursive: true, force: true });
  }
}

for (const era of ERAS) {
  await visit(`stdio, ${era.version}`, era, overStdio);
  await visit(`http, ${era.version}`, era, overHttp);
  await visit(`asked over http, ${era.version}`, era, asked);
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
