#!/usr/bin/env python3
"""Two verifiers of the audit log against the same logs: the command, and docs/spec/verify_log.py.

usage: audit_log.py SEC0 [ROUNDS]

First both give the golden logs their verdicts; then both read logs of which a few bytes were changed
at random, and must agree.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SPEC = os.path.join(HERE, "..", "..", "docs", "spec")
GOLDEN = os.path.join(SPEC, "golden")
sys.path.insert(0, SPEC)

import verify_log  # noqa: E402

KEY = os.path.join(GOLDEN, "key.pub")


def ours(sec0, log, kept=None):
    command = [sec0, "audit", "verify", log, "--public-key", KEY, "--every-signature"]
    run = subprocess.run(command + (["--checkpoint", kept] if kept else []), capture_output=True, text=True)
    assert run.returncode in (0, 1), (run.returncode, run.stderr)
    return run.returncode == 0, run.stderr


def theirs(log):
    try:
        verify_log.verify_dir(log, [verify_log.read_key(KEY)])
        return True, ""
    except verify_log.Bad as bad:
        return False, str(bad)


def of_command(sec0):
    """The golden logs and proofs, by the command."""
    with open(os.path.join(GOLDEN, "verdicts.jsonl"), encoding="utf-8") as file:
        for row in map(json.loads, file):
            if "proof" in row:
                proof = os.path.join(GOLDEN, row["proof"])
                command = [sec0, "audit", "verify-proof", proof, "--public-key", KEY]
                run = subprocess.run(command, capture_output=True)
                yield row, (run.returncode == 0) == row["holds"]
                continue
            kept = os.path.join(GOLDEN, row["kept"]) if "kept" in row else None
            holds, why = ours(sec0, os.path.join(GOLDEN, row["log"]), kept)
            bad = row.get("first_bad", "").removeprefix("kept: ")
            yield row, holds == row["holds"] and (holds or why.startswith(bad) or bool(kept))


def changed(data, rng):
    at = rng.randrange(len(data))
    to = rng.randrange(at, min(len(data), at + 200)) + 1
    return rng.choice([
        lambda: data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :],
        lambda: data[:at] + data[to:],
        lambda: data[:to] + data[at:],
        lambda: data[:at],
        lambda: data[:at] + rng.choice([b"\n", b" ", b"{}\n", b"\n\n", b"\xff"]) + data[at:],
    ])()


def main():
    sec0, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 150
    status = verify_log.golden(GOLDEN)
    passed = failed = 0
    for row, is_right in of_command(sec0):
        passed, failed = passed + is_right, failed + (not is_right)
        if not is_right:
            print(f"wrong: {row}")
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    names = ["record", "checkpoint", "record-key-change", "checkpoint-key-change", "older-gone", "uncovered"]
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as scratch:
            log = os.path.join(scratch, "log")
            shutil.copytree(os.path.join(GOLDEN, rng.choice(names)), log)
            files = [os.path.join(at, name) for at, _, names_ in os.walk(log) for name in sorted(names_)]
            target = rng.choice(sorted(files))
            with open(target, "rb") as file:
                data = file.read()
            with open(target, "wb") as file:
                file.write(changed(data, rng))
            one, two = ours(sec0, log), theirs(log)
            is_same = one[0] == two[0]
            passed, failed = passed + is_same, failed + (not is_same)
            if not is_same:
                print(f"seed {seed}: the verifiers differ: {one}, {two}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or status else 0


if __name__ == "__main__":
    sys.exit(main())
