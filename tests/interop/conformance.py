"""The conformance suites of MCP against one server: bare, and behind the layer in each of its forms.

usage: conformance.py EXAMPLES_DIR SEC0 NODE_MODULES [--node NODE] [--short] [--scenario NAME]
                      [--form FORM] [--out DIR]

EXAMPLES_DIR has the example `conformance`, SEC0 is the command, NODE_MODULES has the suites. Each
check of each scenario must end behind the layer as it ends without it, and without it nothing may
fail but what EXCUSED has. Prints a row for each scenario and, at the end, `N passed, N failed`; the
exit status is 1 if one failed. `--out` keeps what the suites wrote.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from server import PATIENCE, end_with_children, run, serving

# The first is what the others are compared with.
FORMS = ["bare", "owned", "any"]

# Nothing is refused: what a layer may change at all is only what it must not.
POLICY = """\
tenant: interop
default_retention: 30d
signing: {enabled: true}
tools: {allowlist: []}
enforcement: {mode: observe}
"""

# Name, package, version of the protocol; `extensions` are the scenarios that belong to no version.
SHORT = [("0.2 2025-11-25", "conformance-0.2"), ("0.2 2026-07-28", "conformance-0.2")]
LONG = [("0.1 2025-11-25", "conformance-0.1"), *SHORT, ("0.2 extensions", "conformance-0.2")]

# (suite, scenario, check): what it ends as without the layer, and why that is right.
EXCUSED = {
    ("0.2 extensions", "tasks-status-notifications", "tasks-status-notifications"): (
        "SKIPPED",
        "the suite itself leaves it out: it is not yet written for the way that the news takes",
    ),
}

RESULTS = re.compile(r"(?:server-)?(.+?)-\d{4}-\d\d-\d\dT[\d-]+Z")


class Suites:
    """What is asked for, and how it is run against one URL."""

    def __init__(self, options):
        self.node, self.modules = options.node, options.modules
        self.keys, self.commands = [], []
        for suite, package in SHORT if options.short else LONG:
            version = suite.split()[1]
            server = [self.node, self.modules / package / "dist/index.js"]
            scenarios = self.listed(server, version)
            if options.scenario is not None:
                scenarios = [one for one in scenarios if one == options.scenario]
            self.keys += [(suite, scenario) for scenario in scenarios]
            dated = ["--spec-version", version] if package == "conformance-0.2" else []
            if version == "extensions":
                each = [["--scenario", scenario] for scenario in scenarios]
            elif options.scenario is None:
                each = [["--suite", "all", *dated]]
            else:
                each = [["--scenario", scenario, *dated] for scenario in scenarios]
            self.commands += [(suite, [*server, "server", *words]) for words in each]

    def listed(self, server, version):
        """The scenarios that the package says it has for a version."""
        command = [*server, "list", "--server"]
        listed = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=PATIENCE)
        found = re.findall(r"- (\S+) \[(.*)\]", listed.stdout)
        wanted = "extension" if version == "extensions" else version
        scenarios = [scenario for scenario, versions in found if wanted in versions.split(",")]
        if not scenarios:
            sys.exit(f"{server[1]} lists no scenario of {version}; node must be 22 or later")
        return scenarios

    def run(self, url, out):
        for suite, command in self.commands:
            # Its exit status says less than what it wrote.
            with (out / f"{suite}.log").open("a") as log:
                command = [*command, "--url", url, "-o", out / suite]
                run(command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)


def results(out):
    """The checks of each scenario, as (id, status)."""
    found = {}
    for file in sorted(out.glob("*/*/checks.json")):
        suite, scenario = file.parts[-3], RESULTS.fullmatch(file.parts[-2]).group(1)
        checks = json.loads(file.read_text())
        found[suite, scenario] = [(check["id"], check["status"]) for check in checks]
    return found


def shape(checks):
    """What is compared. How many events a stream had is information, and no check."""
    told = {check for check, status in checks if status == "INFO"}
    return Counter(check for check in checks if check[1] != "INFO"), told


def visit(form, options, suites, out):
    """All suites against one form; gives what they found, and the calls that were recorded."""
    out.mkdir(parents=True)
    command = [options.examples / "conformance", "--form", form]
    log = out / "log"
    if form != "bare":
        policy = out / "policy.yaml"
        policy.write_text(POLICY)
        command += ["--policy", policy, "--dir", log]
    started = time.monotonic()
    with (out / "server.log").open("w") as errors, serving(command, errors) as url:
        suites.run(url, out)
    print(f"{form}: {time.monotonic() - started:.0f} s")
    return results(out), None if form == "bare" else recorded(options.sec0, log)


def recorded(sec0, log):
    """How often each tool was called with which end; the log must hold."""
    command = [sec0, "audit", "verify", log, "--public-key", log / "keys/ed25519.pub"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=PATIENCE)
    lines = [line for day in log.glob("audit-*.ndjson") for line in day.read_text().splitlines()]
    calls = [json.loads(line) for line in lines]
    return Counter((call.get("target_tool"), call["status"]) for call in calls)


def complaints(key, found):
    """What is wrong with one scenario: in itself, and from form to form."""
    suite, scenario = key
    bare = found[FORMS[0]].get(key)
    if bare is None:
        yield "was not run on the bare server"
        return
    for check, status in bare:
        excused = EXCUSED.get((suite, scenario, check), ("SUCCESS",))[0]
        if status not in ("INFO", excused):
            yield f"{check} is {status} on the bare server"
    for form, scenarios in list(found.items())[1:]:
        if key not in scenarios:
            yield f"was not run on `{form}`"
            continue
        (mine, my_news), (theirs, news) = shape(scenarios[key]), shape(bare)
        for check, status in sorted((mine - theirs).elements()):
            yield f"{check} is {status} on `{form}`"
        for check, status in sorted((theirs - mine).elements()):
            yield f"{check} is not {status} on `{form}`"
        for check in sorted(my_news ^ news):
            yield f"{check} is told only by one of `{form}` and the bare server"


def cell(checks):
    if checks is None:
        return "-"
    counted = [status for _, status in checks if status != "INFO"]
    return f"{counted.count('SUCCESS')}/{len(counted)}"


def table(keys, found, forms):
    """Prints the rows; gives how many scenarios are as they should be, and how many are not."""
    keys = sorted({*keys, *(key for scenarios in found.values() for key in scenarios)})
    width = max([len(scenario) for _, scenario in keys], default=0)
    row = f"{{:<14}}  {{:<{width}}}" + "  {:>7}" * len(forms)
    print(row.format("suite", "scenario", *forms))
    failed = 0
    for key in keys:
        print(row.format(*key, *(cell(found[form].get(key)) for form in forms)))
        wrong = list(complaints(key, found))
        failed += bool(wrong)
        for complaint in wrong:
            print(f"FAILED  {key[0]}, {key[1]}: {complaint}")
    for suite in sorted({suite for suite, _ in keys}):
        checks = {form: [] for form in forms}
        for form in forms:
            for key in keys:
                checks[form] += found[form].get(key, []) if key[0] == suite else []
        print(row.format(suite, "all", *(cell(checks[form]) for form in forms)))
    return len(keys) - failed, failed


def has_waited(scenarios):
    """Whether a check ended as a warning, as those do that wait for something in vain."""
    return any(status == "WARNING" for checks in scenarios.values() for _, status in checks)


def compare(forms, options, out):
    suites, found, calls = Suites(options), {}, {}
    if not suites.keys:
        sys.exit(f"there is no scenario `{options.scenario}`")
    for form in forms:
        found[form], calls[form] = visit(form, options, suites, out / form)
        if has_waited(found[form]):
            # The suite waits a fixed time for news, which a busy machine may not keep. What is missing
            # for another reason is missing again.
            print(f"{form}: something has not come in time; all of it once more")
            found[form], calls[form] = visit(form, options, suites, out / f"{form} again")
    passed, failed = table(suites.keys, found, forms)
    first = None
    for form in forms[1:]:
        print(f"{form}: {calls[form].total()} calls recorded, the log holds")
        first = first or calls[form]
        if calls[form] != first:
            print(f"FAILED  {form}: its records are others: {calls[form] - first}")
            print(f"        and it lacks: {first - calls[form]}")
            failed += 1
    return passed, failed


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("examples", type=Path)
    parser.add_argument("sec0", type=Path)
    parser.add_argument("modules", type=Path)
    parser.add_argument("--node", default="node")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--scenario")
    parser.add_argument("--form", choices=FORMS[1:], action="append")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.out and options.out.exists() and any(options.out.iterdir()):
        sys.exit(f"{options.out} is not empty; what was written earlier would be counted again")
    end_with_children()
    forms = [FORMS[0], *(options.form or FORMS[1:])]
    with tempfile.TemporaryDirectory() as directory:
        passed, failed = compare(forms, options, options.out or Path(directory))
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
