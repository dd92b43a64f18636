// The TypeScript SDKs of MCP where the policy has the user of the client asked: with a question while
// the call is held (2025-11-25), or with the answer of the call (2026-07-28).
//
// usage: node connected_client.mjs EXAMPLES_DIR SEC0 NODE_MODULES [short|long]
//
// EXAMPLES_DIR has `server_stdio` and `server_http`, SEC0 is the command, NODE_MODULES has the SDKs.
// `short` (the default) has one wire for each protocol, `long` every client on both. Prints a line
// for each check and, at the end, `N passed, N failed`; the exit status is 1 if one failed.

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { Desk, PATIENCE, denialOf, first, isLong, onHttp, onStdio, second, visits } from "./approvals_desk.mjs";

// `me` is whoever sits at the client; for that one the server signs. A call of `fetch` is held besides.
const policyFor = (own, ana) => `\
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
      connected_user: me
      tools: [{tool: 'mcp://demo/fetch', wait_ms: 20000}]
approval_sets:
  people:
    members:
      - {id: me, public_key: 'ed25519:${own}'}
      - {id: ana, public_key: 'ed25519:${ana}'}
`;
const KEY = "sec0/approval";
const SECRET = "c0nfidential";
const OLD = "2025-11-25";
const NEW = "2026-07-28";

const APPROVES = { action: "accept", content: { decision: "approve", note: "go on" } };
const REFUSALS = {
  rejects: [{ action: "accept", content: { decision: "reject" } }, "approval_rejected", "rejected"],
  declines: [{ action: "decline" }, "approval_rejected", "rejected"],
  "puts the form away": [{ action: "cancel" }, "approval_required", "pending"],
};

const introduction = { name: "typescript", version: "1.0.0" };

/** A client of the second SDK, in one of its modes. */
const ofSecond = (mode) => ({
  sdk: second,
  client: (capabilities) =>
    new second.Client(introduction, { capabilities, versionNegotiation: { mode } }),
  call: (client, params, options) => client.callTool(params, options),
  onQuestion: (client, answer) =>
    client.setRequestHandler("elicitation/create", ({ params }, context) =>
      answer(params, context.mcpReq.signal),
    ),
});
const CLIENTS = {
  [`SDK 1, ${OLD}`]: {
    version: OLD,
    sdk: first,
    client: (capabilities) => new first.Client(introduction, { capabilities }),
    call: (client, params, options) => client.callTool(params, undefined, options),
    onQuestion: (client, answer) =>
      client.setRequestHandler(first.ElicitRequestSchema, ({ params }, { signal }) =>
        answer(params, signal),
      ),
  },
  [`SDK 2, ${OLD}`]: { version: OLD, ...ofSecond("legacy") },
  [`SDK 2, ${NEW}`]: { version: NEW, ...ofSecond("auto") },
};

/** Who sits at the client: keeps each form, and does with it what is set. */
class User {
  forms = [];
  does = async () => APPROVES;

  answer = async (form, signal) => {
    this.forms.push(form);
    return await this.does(signal);
  };
}

/** Never, but for a form that is taken back: then `told` is told. */
const takenBack = (signal, told) =>
  new Promise((_, reject) => {
    signal.addEventListener("abort", () => {
      told();
      reject(new Error("taken back"));
    });
  });

/** Something that comes to pass once. */
function coming() {
  let comes;
  const waits = new Promise((resolve) => (comes = resolve));
  return [waits, comes];
}

let written = 0;
function fresh(place) {
  written += 1;
  const path = join(place.directory, `written-${written}.txt`);
  return { path, text: "approved", password: SECRET };
}

const write = (place, parameters, more, options) =>
  place.call({ name: "write_file", arguments: parameters, ...more }, options);

/** The user approves, refuses, or leaves it to others. */
async function answers(place, user) {
  const { said } = place;
  user.does = async () => APPROVES;
  let call = fresh(place);
  const result = await write(place, call);
  const wrote = existsSync(call.path) && readFileSync(call.path, "utf8") === "approved";
  said("what the user approves runs", !result.isError && wrote, result);
  said("he was shown one form", user.forms.length === 1, user.forms);
  const [form] = user.forms;
  const shown = form.message.includes("`write_file@1.0`") && form.message.includes(call.path);
  said("it has the call", shown, form);
  said("without its secrets", !form.message.includes(SECRET), form);
  const decisions = form.requestedSchema.properties.decision.enum;
  said("and asks for a decision", String(decisions) === "approve,reject", form);

  let denial;
  for (const [does, [answer, reason, status]] of Object.entries(REFUSALS)) {
    user.does = async () => answer;
    call = fresh(place);
    denial = denialOf(await write(place, call));
    const right = denial.reason === reason && denial.escalation_status === status;
    said(`a user who ${does}: refused`, right, denial);
    said(`a user who ${does}: nothing ran`, !existsSync(call.path));
  }
  await byOthers(place, call, denial.escalation_id);
}

/** A refused call is approved at the desk, and sent again with its id. */
async function byOthers(place, call, token) {
  const { said, desk } = place;
  said("others can decide it", (await desk.pending()).includes(token), token);
  said("the command approves it", await desk.approve(token));
  const result = await write(place, call, { _meta: { "sec0/approvalToken": token } });
  said("then it runs with its id", !result.isError && existsSync(call.path), result);
}

/** Ana decides at the desk while the user still looks at the form. */
async function somebodyIsFaster(place, user) {
  const { said, desk } = place;
  const [gone, told] = coming();
  user.does = async (signal) => {
    const [id] = await desk.pending();
    const taken = place.version === OLD && takenBack(signal, told);
    said("the command is faster than the user", await desk.approve(id));
    return taken || APPROVES;
  };
  const call = fresh(place);
  const result = await write(place, call);
  said("what others approved meanwhile runs", !result.isError && existsSync(call.path), result);
  if (place.version === OLD) {
    await gone;
    said("his form is taken back", true);
  }
}

/** A call that is held in any case: up to 2025-11-25 its client hears so while the form is open. */
async function held(place, user) {
  const before = user.forms.length;
  const [heard, onprogress] = coming();
  user.does = async () => {
    if (place.version === OLD) await heard;
    return APPROVES;
  };
  const params = { name: "fetch", arguments: { url: "https://example.com/" } };
  const result = await place.call(params, { onprogress, timeout: PATIENCE });
  const ran = !result.isError && result.content[0].text === "GET example.com";
  place.said("a call that is held is asked about, too", ran, result);
  place.said("once", user.forms.length === before + 1, user.forms);
}

/** The user takes longer than the client's time-out, which starts anew with each notice. */
async function slow(place, user) {
  const [heard, told] = coming();
  let notices = 0;
  user.does = async () => (await heard, APPROVES);
  const onprogress = () => {
    notices += 1;
    if (notices === 3) told(); // After ten seconds.
  };
  const options = { onprogress, resetTimeoutOnProgress: true, timeout: 8_000 };
  const call = fresh(place);
  const result = await write(place, call, {}, options);
  place.said("a slow user is waited for", !result.isError && existsSync(call.path), result);
}

/** The client gives its call up while the form is open. */
async function givenUp(place, user) {
  const [shown, show] = coming();
  const [gone, told] = coming();
  user.does = (signal) => {
    show();
    return takenBack(signal, told);
  };
  const giving = new AbortController();
  const call = fresh(place);
  const given = write(place, call, {}, { signal: giving.signal }).catch((error) => error);
  await shown;
  giving.abort("changed my mind");
  place.said("a call can be given up", (await given) instanceof Error, await given);
  await gone;
  place.said("then he is no longer asked", true);
  place.said("and it does not run", !existsSync(call.path));
  const open = await place.desk.pending();
  place.said("its question stays for others", open.length === 1, open);
}

/** The client goes on from the question by itself. */
async function roundByRound(place, user) {
  const { said } = place;
  const before = user.forms.length;
  const call = fresh(place);
  const send = (parameters, more) => write(place, parameters, more, { allowInputRequired: true });

  const question = await send(call);
  said("the answer is a question", question.resultType === "input_required", question);
  said("under its name", String(Object.keys(question.inputRequests)) === KEY, question);
  said("with the id for others", denialOf(question).escalation_id?.length === 32, question);
  const { requestState } = question;
  const answer = { inputResponses: { [KEY]: APPROVES }, requestState };
  let denial = denialOf(await send({ ...call, text: "another" }, answer));
  said("it is for this call only", denial.reason === "approval_invalid", denial);
  denial = denialOf(await send(call, { ...answer, requestState: `sec0/round/${"0".repeat(32)}` }));
  said("a state is not guessed", denial.reason === "approval_invalid", denial);
  said("nothing ran until then", !existsSync(call.path));
  const result = await send(call, answer);
  const ran = result.resultType !== "input_required" && !result.isError && existsSync(call.path);
  said("the next round runs", ran, result);
  rmSync(call.path, { force: true });
  denial = denialOf(await send(call, answer));
  said("once", denial.reason === "approval_invalid" && !existsSync(call.path), denial);
  said("and shows no form by itself", user.forms.length === before, user.forms);
}

/** A client that cannot show a form gets the id. */
async function withoutUser(place, kind) {
  const call = fresh(place);
  const denial = denialOf(await write(place, call));
  const waits = denial.escalation_status === "pending" && denial.retryable === true;
  const right = denial.reason === "approval_required" && waits;
  place.said(`a client with ${kind} gets the id`, right, denial);
  await byOthers(place, call, denial.escalation_id);
}

// What the calls leave: how they ended, and who voted how.
const LEFT = {
  [OLD]: [{ ok: 6, denied: 5, cancelled: 1 }, "ana approve 4,me approve 2,me reject 2"],
  [`${OLD}, slow`]: [{ ok: 7, denied: 5, cancelled: 1 }, "ana approve 4,me approve 3,me reject 2"],
  // Each question is the end of a call.
  [NEW]: [{ ok: 7, denied: 15 }, "ana approve 4,me approve 3,me reject 2"],
};

async function visit(said, name, wire, directory) {
  const sort = CLIENTS[name];
  const { version } = sort;
  const isSlow = isLong && version === OLD && wire === "http";
  const desk = new Desk(directory);
  const keys = join(desk.log, "keys");
  mkdirSync(keys, { recursive: true, mode: 0o700 });
  const own = await desk.keygen(join(keys, "ed25519.key"));
  const policy = join(directory, "policy.yaml");
  writeFileSync(policy, policyFor(own, await desk.keygen(desk.key)));
  const args = ["--policy", policy, "--dir", desk.log];
  // Over stdio each client has a server of its own, on the one directory.
  const server = wire === "http" ? await onHttp(args) : undefined;

  const withClient = async (capabilities, user, go) => {
    const client = sort.client(capabilities);
    if (user) sort.onQuestion(client, user.answer);
    const transport = server
      ? new sort.sdk.StreamableHTTPClientTransport(server.url)
      : new sort.sdk.StdioClientTransport(onStdio(args));
    await client.connect(transport);
    const call = (params, options) => sort.call(client, params, options);
    await go({ said, version, directory, desk, call, client });
    await client.close();
  };
  const user = new User();
  await withClient({ elicitation: {} }, user, async (place) => {
    const spoken = place.client.getNegotiatedProtocolVersion?.() ?? version;
    said("is what is spoken", spoken === version, spoken);
    await answers(place, user);
    await somebodyIsFaster(place, user);
    await held(place, user);
    if (isSlow) await slow(place, user);
    await (version === OLD ? givenUp(place, user) : roundByRound(place, user));
  });
  await withClient({}, undefined, (place) => withoutUser(place, "no elicitation"));
  await withClient({ elicitation: { url: {} } }, undefined, (place) => withoutUser(place, "URLs only"));
  const status = await server?.stop();
  if (server) said("the server ends well when it is told to", status === 0, status);

  const [statuses, votes] = LEFT[isSlow ? `${version}, slow` : version];
  const lines = await desk.verified(said, statuses);
  const counts = {};
  for (const { event, cast } of lines) {
    if (event !== "approval_vote") continue;
    const how = `${cast.vote.approver} ${cast.vote.decision}`;
    counts[how] = (counts[how] ?? 0) + 1;
  }
  const found = String(Object.entries(counts).map(([how, count]) => `${how} ${count}`).sort());
  said("the votes are those of the user and of ana", found === votes, found);
  said("no secret is in the log", !JSON.stringify(lines).includes(SECRET));
}

const long = Object.keys(CLIENTS).flatMap((name) => ["stdio", "http"].map((wire) => [name, wire]));
const short = [[`SDK 1, ${OLD}`, "stdio"], [`SDK 2, ${NEW}`, "http"]];
await visits("the user asked", isLong ? long : short, visit);
