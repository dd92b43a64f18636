"""The Python SDK of MCP where the policy has the user of the client asked: with a question while the
call is held (2025-11-25), or with the answer of the call (2026-07-28).

usage: connected_client.py EXAMPLES_DIR SEC0 [short|long]

EXAMPLES_DIR has `server_stdio` and `server_http`, SEC0 is the command. `short` (the default) has one
wire for each protocol, `long` both. Prints a line for each check and, at the end,
`N passed, N failed`; the exit status is 1 if one failed.
"""

import json
import logging
import os
import sys
import tempfile
import traceback
from collections import Counter
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from mcp import Client, StdioServerParameters, stdio_client
from mcp_types import CallToolResult, ElicitResult, InputRequiredResult

from approvals_client import Desk, denial_of
from python_client import PATIENCE, Checks
from server import end_with_children, serving

# `me` is whoever sits at the client; for that one the server signs. A call of `fetch` is held besides.
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
      connected_user: me
      tools: [{tool: 'mcp://demo/fetch', wait_ms: 20000}]
approval_sets:
  people:
    members:
      - {id: me, public_key: 'ed25519:%s'}
      - {id: ana, public_key: 'ed25519:%s'}
"""

MODES = {"2025-11-25": "legacy", "2026-07-28": "auto"}
KEY = "sec0/approval"
SECRET = "c0nfidential"

APPROVES = ElicitResult(action="accept", content={"decision": "approve", "note": "go on"})
REFUSALS = {
    "rejects": (ElicitResult(action="accept", content={"decision": "reject"}), "rejected"),
    "declines": (ElicitResult(action="decline"), "rejected"),
    "puts the form away": (ElicitResult(action="cancel"), "pending"),
}


class User:
    """Who sits at the client: keeps each form, and does with it what is set."""

    def __init__(self):
        self.forms, self.does = [], None

    async def __call__(self, context, params):
        self.forms.append(params)
        return await self.does()

    def gives(self, answer):
        async def give():
            return answer

        self.does = give


class Place:
    """The server, whoever connects, and a fresh file for each call."""

    def __init__(self, check, era, directory, desk, connect):
        self.check, self.era, self.directory, self.desk = check, era, directory, desk
        self.connect, self.written = connect, 0

    def client(self, **options):
        return Client(self.connect(), mode=MODES[self.era], **options)

    def arguments(self):
        self.written += 1
        target = self.directory / f"written-{self.written}.txt"
        return target, {"path": str(target), "text": "approved", "password": SECRET}


async def answers(place, client, user):
    """The user approves, refuses, or leaves it to others."""
    check = place.check
    user.gives(APPROVES)
    target, arguments = place.arguments()
    result = await client.call_tool("write_file", arguments)
    ran = not result.is_error and target.exists() and target.read_text() == "approved"
    check("what the user approves runs", ran, result)
    check("he was shown one form", len(user.forms) == 1, user.forms)
    form = user.forms[0]
    shown = "`write_file@1.0`" in form.message and str(target) in form.message
    check("it has the call", shown, form)
    check("without its secrets", SECRET not in form.message, form)
    asked = form.requested_schema["properties"]["decision"]["enum"]
    check("and asks for a decision", asked == ["approve", "reject"], form)

    for does, (answer, status) in REFUSALS.items():
        user.gives(answer)
        target, arguments = place.arguments()
        denial = denial_of(await client.call_tool("write_file", arguments))
        reason = {"rejected": "approval_rejected", "pending": "approval_required"}[status]
        said = (denial.get("reason"), denial.get("escalation_status"))
        check(f"a user who {does}: refused", said == (reason, status), denial)
        check(f"a user who {does}: nothing ran", not target.exists())
    await by_others(place, client, target, arguments, denial)


async def by_others(place, client, target, arguments, denial):
    """A refused call is approved at the desk, and sent again with its id."""
    check, desk = place.check, place.desk
    token = denial.get("escalation_id", "")
    check("others can decide it", token in await desk.off_thread(desk.pending), denial)
    check("the command approves it", await desk.off_thread(desk.approve, token))
    meta = {"sec0/approvalToken": token}
    result = await client.call_tool("write_file", arguments, meta=meta)
    check("then it runs with its id", not result.is_error and target.exists(), result)


async def somebody_is_faster(place, client, user):
    """Ana decides at the desk while the user still looks at the form."""
    check, desk = place.check, place.desk
    taken_back = anyio.Event()

    async def look():
        [escalation] = await desk.off_thread(desk.pending)
        check("the command is faster than the user", await desk.off_thread(desk.approve, escalation))
        if place.era == "2026-07-28":
            return APPROVES
        try:
            await anyio.sleep(PATIENCE)
        except anyio.get_cancelled_exc_class():
            taken_back.set()
            raise

    user.does = look
    target, arguments = place.arguments()
    result = await client.call_tool("write_file", arguments)
    check("what others approved meanwhile runs", not result.is_error and target.exists(), result)
    if place.era == "2025-11-25":
        with anyio.move_on_after(PATIENCE):
            await taken_back.wait()
        check("his form is taken back", taken_back.is_set())


async def held(place, client, user):
    """A call that is held in any case: up to 2025-11-25 its client hears so while the form is open."""
    heard, before = anyio.Event(), len(user.forms)

    async def progress(progress, total, message):
        heard.set()

    async def approve():
        if place.era == "2025-11-25":
            await heard.wait()
        return APPROVES

    user.does = approve
    url = {"url": "https://example.com/"}
    result = await client.call_tool("fetch", url, progress_callback=progress)
    ran = not result.is_error and result.content[0].text == "GET example.com"
    place.check("a call that is held is asked about, too", ran, result)
    place.check("once", len(user.forms) == before + 1, user.forms)


async def given_up(place, client, user):
    """The client gives its call up while the form is open."""
    shown, taken_back = anyio.Event(), anyio.Event()

    async def look():
        shown.set()
        try:
            await anyio.sleep(PATIENCE)
        except anyio.get_cancelled_exc_class():
            taken_back.set()
            raise

    user.does = look
    target, arguments = place.arguments()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(client.call_tool, "write_file", arguments)
        await shown.wait()
        tasks.cancel_scope.cancel()
    with anyio.move_on_after(PATIENCE):
        await taken_back.wait()
    place.check("who gives a call up is no longer asked", taken_back.is_set())
    place.check("and it does not run", not target.exists())
    open_still = await place.desk.off_thread(place.desk.pending)
    place.check("its question stays for others", len(open_still) == 1, open_still)


async def round_by_round(place, client, user):
    """The client goes on from the question by itself."""
    check, before = place.check, len(user.forms)
    target, arguments = place.arguments()

    async def send(arguments, **more):
        return await client.session.call_tool(
            "write_file", arguments, allow_input_required=True, **more
        )

    try:
        raised = await client.session.call_tool("write_file", arguments)
    except RuntimeError as error:
        raised = error
    check("a session that is not told to expect a question raises", isinstance(raised, RuntimeError), raised)
    question = await send(arguments)
    check("the answer is a question", isinstance(question, InputRequiredResult), question)
    check("under its name", list(question.input_requests) == [KEY], question)
    denial = denial_of(question)
    check("with the id for others", len(denial.get("escalation_id", "")) == 32, denial)
    answer = {"input_responses": {KEY: APPROVES}, "request_state": question.request_state}
    denial = denial_of(await send({**arguments, "text": "another"}, **answer))
    check("it is for this call only", denial.get("reason") == "approval_invalid", denial)
    forged = {**answer, "request_state": "sec0/round/" + "0" * 32}
    denial = denial_of(await send(arguments, **forged))
    check("a state is not guessed", denial.get("reason") == "approval_invalid", denial)
    check("nothing ran until then", not target.exists())
    result = await send(arguments, **answer)
    ran = isinstance(result, CallToolResult) and not result.is_error and target.exists()
    check("the next round runs", ran, result)
    target.unlink(missing_ok=True)
    denial = denial_of(await send(arguments, **answer))
    once = denial.get("reason") == "approval_invalid" and not target.exists()
    check("once", once, denial)
    check("and shows no form by itself", len(user.forms) == before, user.forms)


async def without_user(place, client):
    """A client that cannot ask gets the id."""
    target, arguments = place.arguments()
    denial = denial_of(await client.call_tool("write_file", arguments))
    said = (denial.get("reason"), denial.get("escalation_status"), denial.get("retryable"))
    waits = said == ("approval_required", "pending", True)
    place.check("a client that cannot ask gets the id", waits, denial)
    await by_others(place, client, target, arguments, denial)


# What the calls leave: how they ended, and who voted how.
LEFT = {
    "2025-11-25": (
        {"ok": 5, "denied": 4, "cancelled": 1},
        {("me", "approve"): 2, ("me", "reject"): 2, ("ana", "approve"): 3},
    ),
    # Each question is the end of a call.
    "2026-07-28": (
        {"ok": 6, "denied": 15},
        {("me", "approve"): 3, ("me", "reject"): 2, ("ana", "approve"): 3},
    ),
}


def verify(check, era, desk):
    key = desk.log / "keys/ed25519.pub"
    totals = json.loads(desk.run("audit", "verify", desk.log, "--public-key", key, "--json"))
    statuses, votes = LEFT[era]
    check("the log holds, with its votes", totals["holds"] is True, totals)
    check("each call has one record, with its end", totals["by_status"] == statuses, totals)
    days = sorted(desk.log.glob("audit-*.ndjson"))
    lines = [json.loads(line) for day in days for line in day.read_text().splitlines()]
    ran = [line for line in lines if line.get("status") == "ok" and "event" not in line]
    by = {(line.get("escalation_status"), line.get("finalization_reason")) for line in ran}
    check("what ran was approved", by == {("approved", "approved_by_approver")}, by)
    cast = [line["cast"]["vote"] for line in lines if line.get("event") == "approval_vote"]
    found = Counter((vote["approver"], vote["decision"]) for vote in cast)
    check("the votes are those of the user and of ana", found == votes, found)
    check("no secret is in the log", not any(SECRET in day.read_text() for day in days))


@asynccontextmanager
async def server(wire, examples, arguments, nowhere):
    """What a client connects to: over stdio each has a server of its own on the one directory."""
    if wire == "http":
        with serving([str(examples / "server_http"), "--addr", "127.0.0.1:0", *arguments]) as url:
            yield lambda: url
        return
    command = StdioServerParameters(command=str(examples / "server_stdio"), args=arguments)
    yield lambda: stdio_client(command, errlog=nowhere)


async def visit(checks, era, wire, examples, sec0):
    def check(name, holds, found=""):
        checks.that(f"the user asked over {wire}, {era}: {name}", holds, found)

    with tempfile.TemporaryDirectory() as directory, open(os.devnull, "w") as nowhere:
        directory = Path(directory)
        desk = Desk(sec0, directory)
        own = desk.log / "keys/ed25519.key"
        own.parent.mkdir(parents=True, mode=0o700)
        desk.run("keygen", "--out", own)
        keys = [key.with_suffix(".pub").read_text().strip() for key in (own, desk.key)]
        policy = directory / "policy.yaml"
        policy.write_text(POLICY % tuple(keys))
        arguments = ["--policy", str(policy), "--dir", str(desk.log)]
        with anyio.fail_after(PATIENCE):
            async with server(wire, examples, arguments, nowhere) as connect:
                place = Place(check, era, directory, desk, connect)
                user = User()
                async with place.client(elicitation_callback=user) as client:
                    spoken = client.session.protocol_version
                    check("is what is spoken", spoken == era, spoken)
                    await answers(place, client, user)
                    await somebody_is_faster(place, client, user)
                    await held(place, client, user)
                    if era == "2025-11-25":
                        await given_up(place, client, user)
                    else:
                        await round_by_round(place, client, user)
                async with place.client() as client:
                    await without_user(place, client)
        verify(check, era, desk)


def main():
    if len(sys.argv) not in (3, 4) or sys.argv[3:] not in ([], ["short"], ["long"]):
        sys.exit(__doc__)
    end_with_children()
    examples, sec0 = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    logging.getLogger("mcp").setLevel(logging.ERROR)
    checks = Checks()
    visits = [("2025-11-25", "http"), ("2026-07-28", "stdio")]
    if sys.argv[3:] == ["long"]:
        visits = [(era, wire) for era in LEFT for wire in ("stdio", "http")]
    for era, wire in visits:
        try:
            anyio.run(visit, checks, era, wire, examples, sec0)
        except BaseException as error:
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise
            traceback.print_exception(error)
            checks.that(f"the user asked over {wire}, {era}: goes through", False, repr(error))
    print(f"{checks.passed} passed, {checks.failed} failed")
    sys.exit(1 if checks.failed else 0)


if __name__ == "__main__":
    main()
