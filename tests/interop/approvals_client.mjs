// The TypeScript SDKs of MCP where the policy asks: a call is refused, approved with the real command
// in another process, and run once; another is held until it is approved.
//
// usage: node approvals_client.mjs EXAMPLES_DIR SEC0 NODE_MODULES [short|long]
//
// EXAMPLES_DIR has `server_stdio` and `server_http`, SEC0 is the command, NODE_MODULES has the SDKs.
// `short` (the default) has one client, `long` each protocol over each wire. Prints a line for each
// check and, at the end, `N passed, N failed`; the exit status is 1 if one failed.

import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { Desk, PATIENCE, denialOf, first, isLong, onHttp, onStdio, second, visits } from "./approvals_desk.mjs";

// A call of `write_file` is refused at once, one of `fetch` is held.
const policyFor = (publicKey) => `\
tenant: interop
default_retention: 30d
signing: {enabled: true}
tools: {allowlist: ['mcp://demo/*@*']}
enforcement: {mode: enforce}
rules:
  - {id: writes, tool: 'mcp://demo/write_file', pointer: /path, op: exists, effect: ask, reason: writes_a_file}
  - {id: fetches, tool: 'mcp://demo/fetch', pointer: /url, op: exists, effect: ask, reason: fetches}
security:
  side_effects:
    human_escalation:
      approval_set_id: people
      tools: [{tool: 'mcp://demo/fetch', wait_ms: 20000}]
approval_sets: {people: {members: [{id: ana, public_key: 'ed25519:${publicKey}'}]}}
`;
const HEADER = "x-sec0-approval-token";

const introduction = { name: "typescript", version: "1.0.0" };
const ERAS = {
  "2025-11-25": {
    sdk: first,
    client: () => new first.Client(introduction),
    call: (client, params, options) => client.callTool(params, undefined, options),
  },
  "2026-07-28": {
    sdk: second,
    client: () =>
      new second.Client(introduction, { versionNegotiation: { mode: { pin: "2026-07-28" } } }),
    call: (client, params, options) => client.callTool(params, options),
  },
};

/** Refused with an id, approved elsewhere, run once with the id as token. */
async function withToken(said, send, desk, path) {
  const written = () => existsSync(path) && readFileSync(path, "utf8");
  const call = { path, text: "approved" };
  let denial = denialOf(await send(call));
  said("a call that is asked about is refused", denial.reason === "approval_required", denial);
  const waits = denial.escalation_status === "pending" && denial.retryable === true;
  said("it says that it waits", waits, denial);
  const token = denial.escalation_id;
  said("and under which id", String(await desk.pending()) === token, denial);
  denial = denialOf(await send(call, token));
  said("nobody has approved it yet", denial.reason === "approval_pending", denial);
  said("the command approves it", await desk.approve(token));
  denial = denialOf(await send(call));
  const stays = denial.reason === "approval_required" && denial.escalation_status === "approved";
  said("without the token it stays refused", stays && denial.escalation_id === token, denial);
  denial = denialOf(await send({ ...call, text: "another" }, token));
  said("other arguments stay refused", denial.reason === "approval_invalid", denial);
  said("nothing ran until then", !existsSync(path));
  const result = await send(call, token);
  said("the approved call runs", !result.isError && written() === "approved", result);
  rmSync(path, { force: true });
  denial = denialOf(await send(call, token));
  said("it runs once", denial.reason === "approval_invalid" && !existsSync(path), denial);
}

/** Held until the command approves it; the client hears that it waits. */
async function held(said, call, desk, toldBefore) {
  const told = [];
  let enough;
  const waits = new Promise((resolve) => (enough = resolve));
  const onprogress = ({ progress, total }) => {
    told.push([progress, total]);
    if (told.length === toldBefore) enough();
  };
  const params = { name: "fetch", arguments: { url: "https://example.com/" } };
  let ended = false;
  const answer = call(params, { onprogress, timeout: PATIENCE });
  const noted = answer.then(() => (ended = true));
  noted.catch(() => {}); // It is said where the answer is waited for.
  await Promise.race([waits, noted]);
  said("a held call has not ended", !ended);
  const [id] = await desk.pending();
  said("the command approves a held call", await desk.approve(id));
  const result = await answer;
  said("then it runs", !result.isError && result.content[0].text === "GET example.com", result);
  const grows = told.slice(1).every(([progress], at) => progress > told[at][0]);
  said("progress was told, and grows", told.length >= toldBefore && grows, told);
}

async function visit(said, version, wire, directory, toldBefore) {
  const era = ERAS[version];
  const desk = new Desk(directory);
  const policy = join(directory, "policy.yaml");
  writeFileSync(policy, policyFor(await desk.keygen(desk.key)));
  const args = ["--policy", policy, "--dir", desk.log];

  const client = era.client();
  let header; // What the next requests have in the header.
  let stop = async () => {};
  if (wire === "stdio") {
    await client.connect(new era.sdk.StdioClientTransport(onStdio(args)));
  } else {
    const server = await onHttp(args);
    stop = async () => {
      const status = await server.stop();
      said("the server ends well when it is told to", status === 0, status);
    };
    const withHeader = (where, init) => {
      const headers = new Headers(init?.headers);
      if (header) headers.set(HEADER, header);
      return fetch(where, { ...init, headers });
    };
    const transport = new era.sdk.StreamableHTTPClientTransport(server.url, { fetch: withHeader });
    await client.connect(transport);
  }

  const call = (params, options) => era.call(client, params, options);
  const inMeta = (parameters, token) => {
    const _meta = token && { "sec0/approvalToken": token };
    return call({ name: "write_file", arguments: parameters, ...(_meta && { _meta }) });
  };
  const inHeader = async (parameters, token) => {
    header = token;
    try {
      return await call({ name: "write_file", arguments: parameters });
    } finally {
      header = undefined;
    }
  };
  let statuses = { denied: 5, ok: 2 };
  await withToken(said, inMeta, desk, join(directory, "meta.txt"));
  if (wire === "http") {
    const ofHeader = (name, holds, found) => said(`by header: ${name}`, holds, found);
    await withToken(ofHeader, inHeader, desk, join(directory, "header.txt"));
    statuses = { denied: 10, ok: 3 };
  }
  await held(said, call, desk, toldBefore);
  await client.close();
  await stop();

  await desk.verified(said, statuses);
}

// The second notice comes after some seconds.
const long = Object.keys(ERAS).flatMap((version) => ["stdio", "http"].map((wire) => [version, wire, 2]));
await visits("approvals", isLong ? long : [["2026-07-28", "stdio", 1]], visit);
