"""The Python SDK of MCP where the policy asks: a call is refused, approved with the real command in
another process, and run once; another is held until it is approved.

usage: approvals_client.py EXAMPLES_DIR SEC0 [short|long]

EXAMPLES_DIR has `server_stdio` and `server_http`, SEC0 is the command. `short` (the default) has one
client, `long` each protocol over each wire. Prints a line for each check and, at the end,
`N passed, N failed`; the exit status is 1 if one failed.
"""

import json
import logging
import subprocess
import sys
import tempfile
import traceback
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx2
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

from python_client import PATIENCE, Checks, over_stdio
from server import end_with_children, serving

# A call of `write_file` is refused at once, one of `fetch` is held.
POLICY = """\
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
approval_sets: {people: {members: [{id: ana, public_key: 'ed25519:%s'}]}}
"""

HEADER = "x-sec0-approval-token"


class Desk:
    """Ana at her terminal."""

    def __init__(self, sec0, directory):
        self.sec0, self.log, self.key = sec0, directory / "log", directory / "ana.key"
        self.run("keygen", "--out", self.key)

    def run(self, *words):
        command = [self.sec0, *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        if done.returncode != 0:
            raise RuntimeError(f"{command} ended with {done.returncode}: {done.stderr}")
        return done.stdout

    def pending(self):
        listed = json.loads(self.run("approvals", "list", "--dir", self.log, "--json"))
        return [escalation["id"] for escalation in listed]

    def approve(self, escalation):
        words = ["approve", escalation, "--dir", self.log, "--key", self.key, "--as", "ana"]
        said = json.loads(self.run("approvals", *words, "--json"))
        return said["counted"] and said["escalation"]["status"] == "approved"

    async def off_thread(self, work, *values):
        return await anyio.to_thread.run_sync(work, *values)


def denial_of(result):
    return (result.meta or {}).get("sec0/denial", {})


async def with_token(check, session, desk, target, send):
    """Refused with an id, approved elsewhere, run once with the id as token."""
    arguments = {"path": str(target), "text": "approved"}
    denial = denial_of(await session.call_tool("write_file", arguments))
    check("a call that is asked about is refused", denial.get("reason") == "approval_required", denial)
    waits = (denial.get("escalation_status"), denial.get("retryable")) == ("pending", True)
    check("it says that it waits", waits, denial)
    token = denial.get("escalation_id", "")
    check("and under which id", await desk.off_thread(desk.pending) == [token], denial)
    denial = denial_of(await send(token, arguments))
    check("nobody has approved it yet", denial.get("reason") == "approval_pending", denial)
    check("the command approves it", await desk.off_thread(desk.approve, token))
    denial = denial_of(await session.call_tool("write_file", arguments))
    said = (denial.get("reason"), denial.get("escalation_status"), denial.get("escalation_id"))
    check("without the token it stays refused", said == ("approval_required", "approved", token), denial)
    denial = denial_of(await send(token, {**arguments, "text": "another"}))
    check("other arguments stay refused", denial.get("reason") == "approval_invalid", denial)
    check("nothing ran until then", not target.exists())
    result = await send(token, arguments)
    ran = not result.is_error and target.exists() and target.read_text() == "approved"
    check("the approved call runs", ran, result)
    target.unlink(missing_ok=True)
    denial = denial_of(await send(token, arguments))
    once = denial.get("reason") == "approval_invalid" and not target.exists()
    check("it runs once", once, denial)


async def held(check, session, desk, told_before):
    """Held until the command approves it; the client hears that it waits."""
    told, enough = [], anyio.Event()

    async def progress(progress, total, message):
        told.append((progress, total, message))
        if len(told) == told_before:
            enough.set()

    results = []

    async def call():
        url = {"url": "https://example.com/"}
        results.append(await session.call_tool("fetch", url, progress_callback=progress))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call)
        await enough.wait()
        [escalation] = await desk.off_thread(desk.pending)
        check("a held call has not ended", not results, results)
        check("the command approves a held call", await desk.off_thread(desk.approve, escalation))
    result = results[0]
    check("then it runs", not result.is_error and result.content[0].text == "GET example.com", result)
    grows = all(one[0] < other[0] for one, other in zip(told, told[1:]))
    check("progress was told, and grows", len(told) >= told_before and grows, told)


@asynccontextmanager
async def opened(era, wire, examples, arguments):
    """A session, and the headers of its HTTP client."""
    headers = {}
    if wire == "stdio":
        async with over_stdio(examples, arguments) as streams, session_of(era, streams) as session:
            yield session, headers
        return
    command = [str(examples / "server_http"), "--addr", "127.0.0.1:0", *arguments]
    with serving(command) as url:
        async with httpx2.AsyncClient(timeout=httpx2.Timeout(PATIENCE)) as client:
            async with streamable_http_client(url, http_client=client) as streams:
                async with session_of(era, streams) as session:
                    yield session, client.headers


@asynccontextmanager
async def session_of(era, streams):
    async with ClientSession(*streams) as session:
        if era == "2025-11-25":
            await session.initialize()
        else:
            await session.discover()
        yield session


async def visit(checks, era, wire, examples, sec0, told_before):
    def check(name, holds, found=""):
        checks.that(f"approvals over {wire}, {era}: {name}", holds, found)

    with tempfile.TemporaryDirectory() as directory:
        directory = Path(directory)
        desk = Desk(sec0, directory)
        policy = directory / "policy.yaml"
        policy.write_text(POLICY % desk.key.with_suffix(".pub").read_text().strip())
        arguments = ["--policy", str(policy), "--dir", str(desk.log)]
        statuses = {"denied": 5, "ok": 2}
        with anyio.fail_after(PATIENCE):
            async with opened(era, wire, examples, arguments) as (session, headers):

                async def in_meta(token, arguments):
                    meta = {"sec0/approvalToken": token}
                    return await session.call_tool("write_file", arguments, meta=meta)

                async def in_header(token, arguments):
                    headers[HEADER] = token
                    try:
                        return await session.call_tool("write_file", arguments)
                    finally:
                        del headers[HEADER]

                await with_token(check, session, desk, directory / "meta.txt", in_meta)
                if wire == "http":

                    def of_header(name, holds, found=""):
                        check(f"by header: {name}", holds, found)

                    target = directory / "header.txt"
                    await with_token(of_header, session, desk, target, in_header)
                    statuses = {"denied": 10, "ok": 3}
                await held(check, session, desk, told_before)
        key = desk.log / "keys/ed25519.pub"
        totals = json.loads(desk.run("audit", "verify", desk.log, "--public-key", key, "--json"))
        check("the log holds, with its votes", totals["holds"] is True, totals)
        check("each call has one record, with its end", totals["by_status"] == statuses, totals)
        days = sorted(desk.log.glob("audit-*.ndjson"))
        lines = [json.loads(line) for day in days for line in day.read_text().splitlines()]
        ran = [line for line in lines if line.get("status") == "ok" and "target_tool" in line]
        by = {(line.get("escalation_status"), line.get("finalization_reason")) for line in ran}
        check("what ran was approved by ana", by == {("approved", "approved_by_approver")}, by)


def main():
    if len(sys.argv) not in (3, 4) or sys.argv[3:] not in ([], ["short"], ["long"]):
        sys.exit(__doc__)
    end_with_children()
    examples, sec0 = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    logging.getLogger("mcp").setLevel(logging.ERROR)
    checks = Checks()
    visits = [("2025-11-25", "http", 1)]
    if sys.argv[3:] == ["long"]:
        # The second notice comes after some seconds.
        visits = [(era, wire, 2) for era in ("2025-11-25", "2026-07-28") for wire in ("stdio", "http")]
    for era, wire, told_before in visits:
        try:
            anyio.run(visit, checks, era, wire, examples, sec0, told_before)
        except BaseException as error:
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise
            traceback.print_exception(error)
            checks.that(f"approvals over {wire}, {era}: go through", False, repr(error))
    print(f"{checks.passed} passed, {checks.failed} failed")
    sys.exit(1 if checks.failed else 0)


if __name__ == "__main__":
    main()
