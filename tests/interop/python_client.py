"""The Python SDK of MCP against the example servers: what another implementation sees of sec0.

usage: python_client.py EXAMPLES_DIR SEC0

EXAMPLES_DIR has `server_stdio` and `server_http`, SEC0 is the command. Prints a line for each check
and, at the end, `N passed, N failed`; the exit status is 1 if one failed.
"""

import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx2
from mcp import ClientSession, MCPError, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

POLICY = """\
tenant: interop
default_retention: 30d
signing: {enabled: true}
tools:
  allowlist: ['mcp://demo/add@1.0', 'mcp://demo/echo', 'mcp://demo/fail']
enforcement:
  deny_on: [tool_not_in_allowlist, version_unpinned, payload_too_large]
security:
  limits: {max_payload_kb: 64}
"""

TOOLS = ["add", "echo", "fail", "fetch", "slow", "write_file"]

# What the calls below leave in the log.
STATUSES = {"ok": 2, "denied": 3, "panicked": 1, "error": 1}
CALLS = sum(STATUSES.values())

PATIENCE = 60

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Checks:
    """Counts what held and what did not."""

    def __init__(self):
        self.passed = self.failed = 0

    def that(self, name, holds, found=""):
        if holds:
            self.passed += 1
            print(f"ok      {name}")
        else:
            self.failed += 1
            print(f"FAILED  {name}: {found}")


async def drive(checks, door, session, secret):
    """One client's visit: every kind of answer once."""

    def check(name, holds, found=""):
        checks.that(f"{door}: {name}", holds, found)

    tools = (await session.list_tools()).tools
    check("every tool is listed", sorted(tool.name for tool in tools) == TOOLS, tools)
    versions = {(tool.meta or {}).get("sec0/version") for tool in tools}
    check("each tool has its version", versions == {"1.0"}, versions)

    meta = {"sec0/nodeId": "Desk 7", "sec0/agentRef": "run:42", "traceparent": TRACEPARENT}
    result = await session.call_tool("add", {"a": 2, "b": 3}, meta=meta)
    check("an allowed call runs", result.structured_content == {"sum": 5.0}, result)
    trace = (result.meta or {}).get("sec0/trace", {})
    check("its result has a trace", len(trace.get("trace_id", "")) == 32, result.meta)

    result = await session.call_tool("write_file", {"path": str(secret), "text": "no"})
    denial = (result.meta or {}).get("sec0/denial", {})
    check("a call that is not allowed is an error", result.is_error is True, result)
    check("its code is told", denial.get("code") == "POLICY_DENIED", denial)
    check("its reason is told", denial.get("reason") == "tool_not_in_allowlist", denial)
    check("it did not run", denial.get("executed") is False and not secret.exists(), denial)
    check("its text has no argument", str(secret) not in result.content[0].text, result.content)

    result = await session.call_tool("echo", {"text": "x" * 100_000})
    denial = (result.meta or {}).get("sec0/denial", {})
    check("too large a call is refused", denial.get("reason") == "payload_too_large", denial)

    for name, arguments, code in [("nope", {}, -32602), ("fail", {"kind": "panic"}, -32603)]:
        try:
            found = await session.call_tool(name, arguments)
        except MCPError as error:
            found = error.error.code
        check(f"`{name}` is the error {code}", found == code, found)

    result = await session.call_tool("echo", {"txet": "?"})
    check("arguments that do not fit are the tool's error", result.is_error is True, result)
    result = await session.call_tool("echo", {"text": "grüße"})
    check("the server lives on", result.content[0].text == "grüße", result)


@asynccontextmanager
async def over_stdio(examples, arguments):
    server = StdioServerParameters(command=str(examples / "server_stdio"), args=arguments)
    with open(os.devnull, "w") as nowhere:
        async with stdio_client(server, errlog=nowhere) as streams:
            yield streams


@asynccontextmanager
async def over_http(checks, door, examples, arguments):
    command = [examples / "server_http", "--addr", "127.0.0.1:0", *arguments]
    server = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        url = server.stdout.readline().strip()
        headers = {"x-idempotency-key": "order-17"}
        timeout = httpx2.Timeout(PATIENCE)
        async with httpx2.AsyncClient(headers=headers, timeout=timeout) as http_client:
            async with streamable_http_client(url, http_client=http_client) as streams:
                yield streams
        server.send_signal(signal.SIGTERM)
        status = await anyio.to_thread.run_sync(lambda: server.wait(PATIENCE))
        checks.that(f"{door}: the server ends well when it is told to", status == 0, status)
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()


def verify(checks, door, sec0, log, over_http):
    """The log that the visit left, as the command and as the eye sees it."""
    command = [sec0, "audit", "verify", log, "--public-key", log / "keys/ed25519.pub", "--json"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    checks.that(f"{door}: the log holds", run.returncode == 0, run.stdout + run.stderr)
    totals = json.loads(run.stdout or "{}")
    checks.that(f"{door}: one record for each call", totals.get("records") == CALLS, totals)
    checks.that(f"{door}: each with its end", totals.get("by_status") == STATUSES, totals)

    days = sorted(log.glob("audit-*.ndjson"))
    lines = [json.loads(line) for day in days for line in day.read_text().splitlines()]
    first = lines[0]
    claims = {name: first.get(name) for name in ("nodeId", "agentRef", "cause_trace_id")}
    expected = {"nodeId": "desk-7", "agentRef": "run:42", "cause_trace_id": TRACEPARENT[3:35]}
    checks.that(f"{door}: the caller's claims are recorded", claims == expected, claims)
    key = "order-17" if over_http else None
    found = first.get("idempotency_key")
    checks.that(f"{door}: and the headers", found == key, found)
    who = "http:anonymous" if over_http else f"local:{os.getuid()}"
    whos = {line.get("principal") for line in lines}
    checks.that(f"{door}: nobody is who he says he is", whos == {who}, whos)


async def visit(checks, era, wire, examples, sec0):
    door = f"{wire}, {era}"
    with tempfile.TemporaryDirectory() as directory:
        directory = Path(directory)
        policy, log = directory / "policy.yaml", directory / "log"
        policy.write_text(POLICY)
        arguments = ["--policy", str(policy), "--dir", str(log)]
        if wire == "stdio":
            opened = over_stdio(examples, arguments)
        else:
            opened = over_http(checks, door, examples, arguments)
        with anyio.fail_after(PATIENCE):
            async with opened as (reader, writer):
                async with ClientSession(reader, writer) as session:
                    if era == "2025-11-25":
                        version = (await session.initialize()).protocol_version
                    else:
                        await session.discover()
                        version = session.protocol_version
                    checks.that(f"{door}: is what is spoken", version == era, version)
                    await drive(checks, door, session, directory / "secret.txt")
        verify(checks, door, sec0, log, wire == "http")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    examples, sec0 = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    # rmcp answers the end of a session with 202, which the SDK finds worth a warning.
    logging.getLogger("mcp").setLevel(logging.ERROR)
    checks = Checks()
    for era in ["2025-11-25", "2026-07-28"]:
        for wire in ["stdio", "http"]:
            try:
                anyio.run(visit, checks, era, wire, examples, sec0)
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt):
                    raise
                traceback.print_exception(error)
                checks.that(f"{wire}, {era}: goes through", False, repr(error))
    print(f"{checks.passed} passed, {checks.failed} failed")
    sys.exit(1 if checks.failed else 0)


if __name__ == "__main__":
    main()
