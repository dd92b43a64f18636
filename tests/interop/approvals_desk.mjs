// What both clients of approvals need: the command line, the SDKs, checks, the server, and Ana, who
// decides in another process.

import { execFile, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

export const PATIENCE = 60_000;

const words = process.argv.slice(2);
if (words.length < 3 || words.length > 4 || !["short", "long"].includes(words[3] ?? "short")) {
  const program = basename(process.argv[1]);
  console.error(`usage: node ${program} EXAMPLES_DIR SEC0 NODE_MODULES [short|long]`);
  process.exit(2);
}
export const isLong = words[3] === "long";
const [examples, sec0, modules] = words.slice(0, 3).map((path) => resolve(path));
const require = createRequire(join(modules, "..", "here.js"));

export const first = {
  ...require("@modelcontextprotocol/sdk/client/index.js"),
  ...require("@modelcontextprotocol/sdk/client/stdio.js"),
  ...require("@modelcontextprotocol/sdk/client/streamableHttp.js"),
  ...require("@modelcontextprotocol/sdk/types.js"),
};
export const second = {
  ...require("@modelcontextprotocol/client"),
  ...require("@modelcontextprotocol/client/stdio"),
};

let passed = 0;
let failed = 0;

export function check(name, holds, found) {
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

/** What starts `server_stdio`, for the SDK's transport. */
export const onStdio = (args) => ({ command: join(examples, "server_stdio"), args, stderr: "ignore" });

/** Starts `server_http`; gives its URL, and a function that ends it and gives its status. */
export async function onHttp(args) {
  const server = spawn(join(examples, "server_http"), args, { stdio: ["ignore", "pipe", "ignore"] });
  children.add(server);
  const over = new Promise((done) => server.on("exit", done));
  const { value: url } = await createInterface({ input: server.stdout })[Symbol.asyncIterator]().next();
  const stop = async () => {
    server.kill("SIGTERM");
    const status = await over;
    children.delete(server);
    return status;
  };
  return { url: new URL(url), stop };
}

export const denialOf = (result) => result._meta?.["sec0/denial"] ?? {};

/** Ana at her terminal. */
export class Desk {
  constructor(directory) {
    this.log = join(directory, "log");
    this.key = join(directory, "ana.key");
  }

  async run(...words) {
    const { stdout } = await promisify(execFile)(sec0, words, { timeout: PATIENCE });
    return stdout;
  }

  /** Makes a key; gives the text of its public half. */
  async keygen(path) {
    await this.run("keygen", "--out", path);
    return readFileSync(path.replace(/\.key$/, ".pub"), "utf8").trim();
  }

  async pending() {
    const listed = await this.run("approvals", "list", "--dir", this.log, "--json");
    return JSON.parse(listed).map((escalation) => escalation.id);
  }

  async approve(id) {
    const words = ["approve", id, "--dir", this.log, "--key", this.key, "--as", "ana", "--json"];
    const said = JSON.parse(await this.run("approvals", ...words));
    return said.counted && said.escalation.status === "approved";
  }

  /** Checks the log by the command; gives its lines. */
  async verified(said, statuses) {
    const key = join(this.log, "keys/ed25519.pub");
    const verified = await this.run("audit", "verify", this.log, "--public-key", key, "--json");
    const totals = JSON.parse(verified);
    said("the log holds, with its votes", totals.holds === true, totals);
    const sorted = (counts) => JSON.stringify(Object.entries(counts).sort());
    const right = sorted(totals.by_status) === sorted(statuses);
    said("each call has one record, with its end", right, totals);
    const days = readdirSync(this.log).filter((name) => name.endsWith(".ndjson"));
    const text = days.map((day) => readFileSync(join(this.log, day), "utf8")).join("");
    const lines = text.trim().split("\n").map((line) => JSON.parse(line));
    const ran = lines.filter((line) => line.target_tool && line.status === "ok" && !line.event);
    const by = new Set(ran.map((line) => `${line.escalation_status} ${line.finalization_reason}`));
    const approved = String([...by]) === "approved approved_by_approver";
    said("what ran was approved by a person", approved, [...by]);
    return lines;
  }
}

/** Runs each visit in a directory of its own and in its time, and ends the program. */
export async function visits(title, all, visit) {
  for (const [version, wire, ...more] of all) {
    const said = (name, holds, found) => check(`${title} over ${wire}, ${version}: ${name}`, holds, found);
    const directory = mkdtempSync(join(tmpdir(), "sec0-interop-"));
    let bell;
    const late = new Promise((_, reject) => {
      bell = setTimeout(() => reject(new Error("took too long")), PATIENCE);
    });
    try {
      const over = visit(said, version, wire, directory, ...more);
      over.catch(() => {}); // What comes after its time is nobody's error.
      await Promise.race([over, late]);
    } catch (error) {
      said("go through", false, error);
    } finally {
      clearTimeout(bell);
      rmSync(directory, { recursive: true, force: true });
    }
  }
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed ? 1 : 0);
}
