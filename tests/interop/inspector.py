"""The inspector of MCP, on its command line, against the example servers.

usage: inspector.py EXAMPLES_DIR SEC0 NODE_MODULES [NODE]

EXAMPLES_DIR has `server_stdio` and `server_http`, SEC0 is the command, NODE_MODULES has the
inspector. Every call is a run of its own, and so a session of its own. Prints a line for each check
and, at the end, `N passed, N failed`; the exit status is 1 if one failed.
"""

import json
import os
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

from server import PATIENCE, end_with_children, serving

POLICY = """\
tenant: interop
default_retention: 30d
signing: {enabled: true}
tools:
  allowlist: ['mcp://demo/add@1.0', 'mcp://demo/fail']
enforcement:
  deny_on: [tool_not_in_allowlist, version_unpinned]
"""

TOOLS = ["add", "echo", "fail", "fetch", "slow", "write_file"]

# What the calls below leave in the log. An unknown tool the inspector refuses by itself.
STATUSES = {"ok": 1, "denied": 1, "panicked": 1}


class Inspector:
    """Runs the inspector against one server, and counts what held and what did not."""

    def __init__(self, launcher, home):
        self.launcher, self.passed, self.failed = launcher, 0, 0
        # It keeps its state in the home directory.
        self.environment = {**os.environ, "HOME": str(home), "MCP_INSPECTOR_SECRET_STORE": "memory"}

    def run(self, target, *words):
        """What it said, as JSON, and its exit status; 5 is a tool's error."""
        done = subprocess.run(
            [*self.launcher, "--cli", *target, "--quiet", *words],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        said = done.stdout if done.stdout.strip() else done.stderr
        try:
            return json.loads(said), done.returncode
        except ValueError:
            return {"said": said}, done.returncode

    def check(self, name, holds, found=""):
        if holds:
            self.passed += 1
            print(f"ok      {name}")
        else:
            self.failed += 1
            print(f"FAILED  {name}: {found}")


def drive(inspector, door, target, secret):
    def check(name, holds, found):
        inspector.check(f"{door}: {name}", holds, found)

    def call(name, **arguments):
        words = ["--method", "tools/call", "--tool-name", name]
        return inspector.run(target, *words, "--tool-args-json", json.dumps(arguments))

    listed, status = inspector.run(target, "--method", "tools/list")
    names = sorted(tool["name"] for tool in listed.get("tools", []))
    check("every tool is listed", status == 0 and names == TOOLS, listed)

    result, status = call("add", a=2, b=3)
    sum_is_right = result.get("structuredContent") == {"sum": 5}
    check("an allowed call runs", status == 0 and sum_is_right, (status, result))

    result, status = call("write_file", path=str(secret), text="no")
    denial = result.get("_meta", {}).get("sec0/denial", {})
    check("a call that is not allowed is an error", status == 5 and result.get("isError"), result)
    expected = {"code": "POLICY_DENIED", "reason": "tool_not_in_allowlist", "executed": False}
    told = {name: denial.get(name) for name in expected}
    check("code and reason are told", told == expected, denial)
    check("it did not run", not secret.exists(), denial)

    for name, arguments in [("nope", {}), ("fail", {"kind": "panic"})]:
        found, status = call(name, **arguments)
        check(f"`{name}` is an error", status != 0 and "error" in found, (status, found))


def visit(inspector, door, wire, examples, sec0, era):
    with tempfile.TemporaryDirectory() as directory:
        directory = Path(directory)
        policy, log, secret = (directory / name for name in ("policy.yaml", "log", "secret.txt"))
        policy.write_text(POLICY)
        arguments = ["--policy", str(policy), "--dir", str(log)]
        if wire == "stdio":
            config = directory / "servers.json"
            demo = {"command": str(examples / "server_stdio"), "args": arguments}
            config.write_text(json.dumps({"mcpServers": {"demo": demo}}))
            target = ["--config", str(config), "--server", "demo", "--protocol-era", era]
            drive(inspector, door, target, secret)
        else:
            command = [examples / "server_http", *arguments]
            with serving(command) as url:
                target = [url, "--transport", "http", "--protocol-era", era]
                drive(inspector, door, target, secret)
        command = [sec0, "audit", "verify", log, "--public-key", log / "keys/ed25519.pub", "--json"]
        run = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        totals = json.loads(run.stdout or "{}")
        inspector.check(f"{door}: the log holds", run.returncode == 0, run.stderr)
        found = totals.get("by_status")
        inspector.check(f"{door}: each call has one record", found == STATUSES, totals)


def main():
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    examples, sec0, modules = (Path(path).resolve() for path in sys.argv[1:4])
    launcher = modules / "@modelcontextprotocol/inspector/clients/launcher/build/index.js"
    end_with_children()
    with tempfile.TemporaryDirectory() as home:
        inspector = Inspector([*(sys.argv[4:] or ["node"]), str(launcher)], home)
        for era in ["legacy", "modern"]:
            for wire in ["stdio", "http"]:
                door = f"{wire}, {era}"
                try:
                    visit(inspector, door, wire, examples, sec0, era)
                except Exception as error:
                    traceback.print_exception(error)
                    inspector.check(f"{door}: goes through", False, repr(error))
    print(f"{inspector.passed} passed, {inspector.failed} failed")
    sys.exit(1 if inspector.failed else 0)


if __name__ == "__main__":
    main()
